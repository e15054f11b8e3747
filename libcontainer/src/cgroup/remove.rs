use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, unlinkat};
use rustix::io::Errno;

use super::CgroupError;
use super::dir::{Dir, Step, walk};
use super::processes::some;
use super::wait::{self, Deadline};

/// Removes cgroups and all below them; those that do not exist count as removed.
///
/// An empty one costs one `rmdir`. For one that is busy this waits, at most `timeout`, until its last
/// process has ended; it does not kill any.
///
/// # Errors
/// [`CgroupError::TimedOut`] and failures of system calls; the first one, after all were tried.
pub fn remove(dirs: &[PathBuf], timeout: Duration) -> Result<(), CgroupError> {
    let deadline = Deadline::after(timeout);
    let mut first = Ok(());
    // The unified one, last by convention, reports the end of the last process; v1 does not.
    for path in dirs.iter().rev() {
        let result = match remove_one(path) {
            Ok(true) => Ok(()),
            Ok(false) => remove_busy(path, deadline),
            Err(error) => Err(error),
        };
        first = first.and(result);
    }
    first
}

/// Removes a cgroup unless it has processes or cgroups in it.
pub(super) fn remove_if_unused(path: &Path) -> Result<(), CgroupError> {
    remove_one(path).map(drop)
}

/// `false` if the cgroup is in use.
fn remove_one(path: &Path) -> Result<bool, CgroupError> {
    is_removed(unlinkat(CWD, path, AtFlags::REMOVEDIR), || path.to_owned())
}

/// As above, of one in another.
fn remove_in(dir: &Dir, name: &OsStr) -> Result<bool, CgroupError> {
    is_removed(unlinkat(dir, name, AtFlags::REMOVEDIR), || dir.path().join(name))
}

fn is_removed(outcome: rustix::io::Result<()>, path: impl FnOnce() -> PathBuf) -> Result<bool, CgroupError> {
    match outcome {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::BUSY | Errno::NOTEMPTY) => Ok(false),
        Err(errno) => Err(CgroupError::system("rmdir", &path(), errno)),
    }
}

fn remove_busy(top: &Path, deadline: Deadline) -> Result<(), CgroupError> {
    loop {
        walk(top, |step| match step {
            // Whether it is in use shows when the one that holds it is to be removed.
            Step::Left(dir, name) => remove_in(dir, name).map(drop),
            Step::Cgroup(_) => Ok(()),
        })?;
        if remove_one(top)? {
            return Ok(());
        }
        if deadline.passed() {
            return Err(deadline.error(top, "it could not be removed, its processes did not end"));
        }
        wait_until_unused(top, deadline)?;
    }
}

fn wait_until_unused(top: &Path, deadline: Deadline) -> Result<(), CgroupError> {
    let Some(dir) = Dir::open_if_exists(top)? else { return Ok(()) };
    if dir.is_unified()? {
        wait::for_event(&dir, "populated", "0", deadline)?;
    }
    let pidfds = some(std::slice::from_ref(&top.to_owned()))?;
    if pidfds.is_empty() {
        // Its last process is past its end but not yet off its CPU.
        rustix::thread::sched_yield();
        return Ok(());
    }
    wait::for_exits(&pidfds, deadline).map_err(|errno| dir.error("poll", errno))
}
