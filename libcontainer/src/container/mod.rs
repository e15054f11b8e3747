//! Containers: their life, their options, and the state that outlives a command.

mod options;
mod state;

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
    pub fn load(&self, _id: &ContainerId) -> Result<Container> {
        later()
    }

    /// All containers, sorted by name.
    pub fn list(&self) -> Result<Vec<Container>> {
        later()
    }
}

/// A container that exists.
#[derive(Debug)]
pub struct Container {
    _private: (),
}

impl Container {
    /// What `state` prints, as of now.
    pub fn state(&self) -> Result<State> {
        later()
    }

    /// Lets the process of a created container go.
    pub fn start(&self) -> Result<()> {
        later()
    }

    /// Sends signal number `signal`.
    pub fn kill(&self, _signal: i32, _whom: Signals) -> Result<()> {
        later()
    }

    /// Waits until the container's first process has ended. The status is known only to its parent.
    pub fn wait(&self) -> Result<Option<ExitStatus>> {
        later()
    }

    /// Sends `signal` if the process is alive, for a foreground caller; the pidfd for polling.
    pub fn pidfd(&self) -> Result<rustix::fd::OwnedFd> {
        later()
    }

    /// Removes everything that the container left on the host.
    pub fn delete(&self, _how: Delete) -> Result<()> {
        later()
    }
}
