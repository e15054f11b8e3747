//! `config.json` → a checked, normalised [`Config`]. Pure but for reading the one file.

mod config;

pub use config::*;

use std::path::Path;

use crate::{Error, ErrorKind, Result};

/// Reads and checks `config.json` in the folder `bundle`, which must be absolute.
pub fn load(bundle: &Path) -> Result<Config> {
    let _ = bundle;
    Err(Error::new(ErrorKind::Os, "not yet written"))
}
