//! The project's tasks: `cargo xtask build|install|demo|test|bench|bench-seccomp|clients|conformance|fuzz|packages|
//! symbols|vm`.

use std::io;
use std::path::{Path, PathBuf};

pub mod build;
pub mod busybox;
pub mod cache;
pub mod debian;
pub mod demo;
pub mod fuzz;
pub mod install;
pub mod packages;
pub mod process;
pub mod symbols;
pub mod tally;
pub mod test;
pub mod vm;

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program could not be started, or a file could not be used.
    #[error("{what}: {source}")]
    Io {
        /// The action and its object.
        what: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A program ended with a failure.
    #[error("`{command}` failed: {status}{}", detail(.stderr))]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: String,
        /// What it printed to stderr, where that was captured.
        stderr: String,
    },
    /// Something that the task needs is not on this host.
    #[error("{0}")]
    Missing(String),
    /// The task ran, and what it checks does not hold.
    #[error("{0}")]
    NotMet(String),
}

/// The result of a task.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// For `map_err`: names what was being done.
    pub fn io<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source: source.into() }
    }
}

fn detail(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("\n{}", stderr.trim_end()) }
}

/// The folder of the workspace that this task runner was built from.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// Whether this process has root's user id.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The first executable file of this name in PATH.
#[must_use]
pub fn find_in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_executable(file))
}

/// Whether the path is a file that this process may execute.
#[must_use]
pub fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}
