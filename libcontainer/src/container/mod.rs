//! Containers: their life, their options, and the state that outlives a command.

mod cgroups;
mod delete;
#[cfg(test)]
mod fixture;
mod gate;
mod handle;
mod kill;
mod options;
mod owner;
pub(crate) mod record;
mod start;
mod state;
pub(crate) mod store;

pub use handle::Container;
pub use options::{CreateOptions, Delete, Signals};
pub use state::{State, Status};

use std::path::{Path, PathBuf};

use crate::{Bundle, ContainerId, Error, ErrorKind, Plan, Result};

/// A folder of containers, `/run/NAME` as a rule. Opening it changes nothing.
#[derive(Clone, Debug)]
pub struct Runtime {
    root: PathBuf,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It called `exit` with this code.
    Code(i32),
    /// A signal of this number ended it.
    Signal(i32),
}

impl ExitStatus {
    /// The code as a shell gives it: the exit code, or 128 plus the signal's number.
    #[must_use]
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

fn later<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Os, "not yet written"))
}

impl Runtime {
    /// The runtime whose containers are below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder of this runtime's containers.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What [`Self::create`] would do on this host. Changes nothing.
    pub fn plan(&self, _id: &ContainerId, _bundle: &Bundle, _options: &CreateOptions) -> Result<Plan> {
        later()
    }

    /// Creates a container; its process waits for [`Container::start`].
    pub fn create(&self, _id: &ContainerId, _bundle: &Bundle, _options: &CreateOptions) -> Result<Container> {
        later()
    }

    /// Creates a container and starts its process at once, without a gate in between.
    pub fn run(&self, _id: &ContainerId, _bundle: &Bundle, _options: &CreateOptions) -> Result<Container> {
        later()
    }

    /// Finds a container by name ([`ErrorKind::NotFound`] if there is none).
    pub fn load(&self, id: &ContainerId) -> Result<Container> {
        Container::load(&self.root, id)
    }

    /// All containers, sorted by name. One whose state cannot be read is left out with a warning.
    pub fn list(&self) -> Result<Vec<Container>> {
        Container::list(&self.root)
    }
}
