//! Finds the runtime and the probe, or builds them once a test run.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};

use crate::xtask::{self, build, workspace};

/// The runtime under test.
pub struct Runtime {
    path: PathBuf,
    name: String,
}

impl Runtime {
    /// The binary.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is the reference runtime `name`, as told by its file name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Whether this is ours, which promises more than the references do (texts of errors, above all).
    #[must_use]
    pub fn is_ours(&self) -> bool {
        !self.is("runc") && !self.is("crun") && !self.is("youki")
    }
}

/// The runtime under test, built if need be.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let given = env::var_os("RUNTIME").or_else(|| env::var_os("RUNC_SHIM"));
        let path = given.map_or_else(|| built("runc-shim", build::shim), PathBuf::from);
        let path = path.canonicalize_existing();
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        Runtime { path, name }
    })
}

/// The static probe, built if need be.
pub fn probe() -> &'static Path {
    static PROBE: OnceLock<PathBuf> = OnceLock::new();
    PROBE.get_or_init(|| {
        env::var_os("PROBE")
            .map_or_else(|| built("probe", build::probe), PathBuf::from)
            .canonicalize_existing()
    })
}

/// Puts a copy of the probe at `to`.
pub fn copy_probe(to: &Path) {
    copy_program(probe(), to);
}

/// Puts a copy of `program` at `to`.
///
/// A child makes it: a descriptor for writing in this process could be inherited by the child of another test's thread
/// and keep the copy busy when it is to be executed.
pub(super) fn copy_program(program: &Path, to: &Path) {
    let status = Command::new("cp").arg(program).arg(to).status().expect("cp runs");
    assert!(status.success(), "cp to {}: {status}", to.display());
}

trait Existing {
    fn canonicalize_existing(self) -> PathBuf;
}

impl Existing for PathBuf {
    fn canonicalize_existing(self) -> PathBuf {
        let path = std::path::absolute(&self).expect("a path");
        assert!(path.is_file(), "{} is not there", path.display());
        path
    }
}

/// Under nextest every test is a process, so "once a run" is kept in a file, named after the runner that is our parent.
fn built(package: &str, build: fn() -> xtask::Result<PathBuf>) -> PathBuf {
    let target = workspace().join("target/static");
    fs::create_dir_all(&target).expect("target folder");
    let stamp_path = target.join(format!(".{package}-built-for"));
    let lock = File::options().create(true).append(true).open(target.join(format!(".{package}-lock")));
    let lock = lock.expect("lock file");
    flock(&lock, FlockOperation::LockExclusive).expect("flock");
    let run = test_run();
    let stamp = fs::read_to_string(&stamp_path).unwrap_or_default();
    if let Some((of, path)) = stamp.split_once('\n')
        && of == run
    {
        return path.into();
    }
    let path = build().unwrap_or_else(|error| panic!("building {package}: {error}"));
    fs::write(&stamp_path, format!("{run}\n{}", path.display())).expect("stamp");
    path
}

/// Parent and its start time: the test runner (cargo or nextest) is started anew for each run.
fn test_run() -> String {
    let parent = std::os::unix::process::parent_id();
    let stat = fs::read_to_string(format!("/proc/{parent}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    format!("{parent}:{}", after_name.split_whitespace().nth(19).unwrap_or_default())
}
