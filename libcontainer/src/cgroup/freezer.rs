use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;

use super::CgroupError;
use super::dir::Dir;
use super::wait::{self, Deadline};

/// Suspends every process in a container's cgroups.
///
/// # Errors
/// [`CgroupError::TimedOut`] if the kernel does not get them all suspended within `timeout`; they
/// run again then. [`CgroupError::Host`] if none of the cgroups can freeze.
pub fn freeze(dirs: &[PathBuf], timeout: Duration) -> Result<(), CgroupError> {
    let deadline = Deadline::after(timeout);
    let freezers = Freezer::all(dirs)?;
    // One freezer is enough, and the unified one tells when it is done.
    let Some(freezer) = freezers.iter().find(|freezer| freezer.unified).or_else(|| freezers.first()) else {
        return Err(CgroupError::host("none of the container's cgroups has a freezer"));
    };
    if freezer.freeze(deadline)? {
        return Ok(());
    }
    freezer.thaw()?;
    Err(deadline.error(freezer.dir.path(), "its processes could not be frozen"))
}

/// Lets every process in a container's cgroups run again.
///
/// # Errors
/// A freezer that cannot be written.
pub fn thaw(dirs: &[PathBuf]) -> Result<(), CgroupError> {
    Freezer::all(dirs)?.iter().try_for_each(Freezer::thaw)
}

/// Whether one of a container's cgroups is frozen, by itself or from above.
///
/// # Errors
/// A freezer that cannot be read.
pub fn is_frozen(dirs: &[PathBuf]) -> Result<bool, CgroupError> {
    for freezer in Freezer::all(dirs)? {
        if freezer.is_frozen()? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn is_dir_frozen(dir: &Dir) -> Result<bool, CgroupError> {
    is_frozen(&[dir.path().to_owned()])
}

/// Asks v1 to freeze without waiting for it.
pub(super) fn start_freezing_v1(dirs: &[PathBuf]) -> Result<(), CgroupError> {
    let freezers = Freezer::all(dirs)?;
    freezers.iter().filter(|freezer| !freezer.unified).try_for_each(|freezer| freezer.write(STATE, "FROZEN"))
}

pub(super) fn thaw_v1(dirs: &[PathBuf]) -> Result<(), CgroupError> {
    Freezer::all(dirs)?.iter().filter(|freezer| !freezer.unified).try_for_each(Freezer::thaw)
}

/// The v1 control.
const STATE: &str = "freezer.state";
/// The v2 control.
const FREEZE: &str = "cgroup.freeze";

struct Freezer {
    dir: Dir,
    unified: bool,
}

impl Freezer {
    /// Those of the existing cgroups that can freeze.
    fn all(dirs: &[PathBuf]) -> Result<Vec<Self>, CgroupError> {
        let mut freezers = Vec::new();
        for path in dirs {
            let Some(dir) = Dir::open_if_exists(path)? else { continue };
            let unified = dir.is_unified()?;
            let control = if unified { FREEZE } else { STATE };
            if dir.read_if_exists(control)?.is_some() {
                freezers.push(Self { dir, unified });
            }
        }
        Ok(freezers)
    }

    fn freeze(&self, deadline: Deadline) -> Result<bool, CgroupError> {
        if self.unified {
            self.dir.write(FREEZE, "1")?;
            return wait::for_event(&self.dir, "frozen", "1", deadline);
        }
        self.freeze_v1(deadline)
    }

    /// v1 reports nothing, so this asks again and again until every process has been met at a point where it can stop.
    /// One that forked meanwhile may have been missed, and some stay in FREEZING until they are let go once.
    fn freeze_v1(&self, deadline: Deadline) -> Result<bool, CgroupError> {
        const LET_GO_AFTER: u32 = 100;
        for attempt in 1_u32.. {
            self.dir.write(STATE, "FROZEN")?;
            if self.dir.read(STATE)?.trim() == "FROZEN" {
                return Ok(true);
            }
            if deadline.passed() {
                break;
            }
            if attempt.is_multiple_of(LET_GO_AFTER) {
                self.dir.write(STATE, "THAWED")?;
            }
            rustix::thread::sched_yield();
        }
        Ok(false)
    }

    fn thaw(&self) -> Result<(), CgroupError> {
        if self.unified { self.write(FREEZE, "0") } else { self.write(STATE, "THAWED") }
    }

    /// A cgroup that was removed meanwhile, as by a `run` whose container has just been killed, holds nobody back.
    fn write(&self, control: &str, value: &str) -> Result<(), CgroupError> {
        match self.dir.write(control, value) {
            Err(error) if matches!(error.errno(), Some(Errno::NOENT | Errno::NODEV)) => Ok(()),
            written => written,
        }
    }

    fn is_frozen(&self) -> Result<bool, CgroupError> {
        if self.unified {
            let events = self.dir.read_if_exists("cgroup.events")?.unwrap_or_default();
            // Until a process that has just come in is frozen too, not all are, of a cgroup that is to be frozen.
            let is_to_be = || Ok(self.dir.read_if_exists(FREEZE)?.is_some_and(|freeze| freeze.trim() == "1"));
            return if wait::value(&events, "frozen") == Some("1") { Ok(true) } else { is_to_be() };
        }
        Ok(self.dir.read_if_exists(STATE)?.is_some_and(|state| state.trim() != "THAWED"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_frozen_although_a_process_that_came_in_is_not_yet() {
        let folder = tempfile::tempdir().unwrap();
        let freezer = Freezer { dir: Dir::open(folder.path()).unwrap(), unified: true };
        for (events, freeze, expected) in [("1", "0", true), ("0", "1", true), ("0", "0", false)] {
            std::fs::write(folder.path().join("cgroup.events"), format!("populated 1\nfrozen {events}\n"))
                .unwrap();
            std::fs::write(folder.path().join(FREEZE), format!("{freeze}\n")).unwrap();
            assert_eq!(freezer.is_frozen().unwrap(), expected, "{events} {freeze}");
        }
    }

    #[test]
    fn a_cgroup_that_is_removed_meanwhile_needs_no_thaw() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("cgroup");
        std::fs::create_dir(&path).unwrap();
        let freezer = Freezer { dir: Dir::open_if_exists(&path).unwrap().unwrap(), unified: false };
        std::fs::remove_dir(&path).unwrap();
        freezer.thaw().unwrap();
        assert!(freezer.dir.write(STATE, "THAWED").is_err(), "there is nothing to be written");
    }
}
