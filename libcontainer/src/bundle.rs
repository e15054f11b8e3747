use std::path::{Path, PathBuf};

use crate::{Error, ErrorKind, Result, spec};

/// A folder with a `config.json` and a root file system (runtime-spec, "Filesystem Bundle").
#[derive(Clone, Debug)]
pub struct Bundle {
    path: PathBuf,
    text: Vec<u8>,
    config: spec::Config,
}

impl Bundle {
    /// Reads and checks the bundle in folder `path`. Touches nothing in it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`] or [`ErrorKind::Unsupported`] with the JSON pointer of the value,
    /// [`ErrorKind::Os`] if a file cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let path = std::path::absolute(path)
            .map_err(|error| Error::new(ErrorKind::Os, format!("bundle {}: {error}", path.display())))?;
        let text = spec::read(&path)?;
        let config = spec::parse(&text, &path)?;
        Ok(Self::new(path, text, config))
    }

    /// The parts together.
    pub(crate) fn new(path: PathBuf, text: Vec<u8>, config: spec::Config) -> Self {
        Self { path, text, config }
    }

    /// `config.json` as it was read.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The folder, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checked configuration.
    #[must_use]
    pub fn config(&self) -> &spec::Config {
        &self.config
    }
}
