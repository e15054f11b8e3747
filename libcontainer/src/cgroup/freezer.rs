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
    /// What its control said when it was found.
    said: String,
}

impl Freezer {
    /// Those of the existing cgroups that can freeze.
    fn all(dirs: &[PathBuf]) -> Result<Vec<Self>, CgroupError> {
        let mut freezers = Vec::new();
        for path in dirs {
            let Some(dir) = Dir::open_if_exists(path)? else { continue };
            let unified = dir.is_unified()?;
            let control = if unified { FREEZE } else { STATE };
            if let Some(said) = dir.read_if_exists(control)? {
                freezers.push(Self { dir, unified, said });
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
        let said = self.said.trim();
        if !self.unified {
            return Ok(said != "THAWED");
        }
        // One that is to be frozen by itself is so, although a process that has just come in may not be yet.
        if said == "1" {
            return Ok(true);
        }
        let events = self.dir.read_if_exists("cgroup.events")?.unwrap_or_default();
        Ok(wait::value(&events, "frozen") == Some("1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_frozen_although_a_process_that_came_in_is_not_yet() {
        let folder = tempfile::tempdir().unwrap();
        for (events, freeze, expected) in [("1", "0", true), ("0", "1", true), ("0", "0", false)] {
            std::fs::write(folder.path().join("cgroup.events"), format!("populated 1\nfrozen {events}\n"))
                .unwrap();
            let dir = Dir::open(folder.path()).unwrap();
            let freezer = Freezer { dir, unified: true, said: format!("{freeze}\n") };
            assert_eq!(freezer.is_frozen().unwrap(), expected, "{events} {freeze}");
        }
    }

    #[test]
    fn a_cgroup_that_is_removed_meanwhile_needs_no_thaw() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("cgroup");
        std::fs::create_dir(&path).unwrap();
        let freezer = Freezer {
            dir: Dir::open_if_exists(&path).unwrap().unwrap(),
            unified: false,
            said: String::new(),
        };
        std::fs::remove_dir(&path).unwrap();
        freezer.thaw().unwrap();
        assert!(freezer.dir.write(STATE, "THAWED").is_err(), "there is nothing to be written");
    }
}
