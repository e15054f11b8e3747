//! Waiting that ends with the event or with the deadline, and never by the clock alone.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::CgroupError;
use super::dir::Dir;

/// The end of a wait.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    end: Instant,
    whole: Duration,
}

impl Deadline {
    pub(super) fn after(whole: Duration) -> Self {
        let now = Instant::now();
        // A wait beyond what the clock can count is one of a day.
        let end = now.checked_add(whole).unwrap_or(now + Duration::from_secs(86_400));
        Self { end, whole }
    }

    pub(super) fn passed(self) -> bool {
        self.left().is_zero()
    }

    pub(super) fn error(self, dir: &std::path::Path, what: &'static str) -> CgroupError {
        CgroupError::TimedOut { path: dir.to_owned(), what, seconds: self.whole.as_secs_f32() }
    }

    fn left(self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    fn poll(self, fd: impl AsFd, flags: PollFlags) -> Result<(), Errno> {
        let left = Timespec::try_from(self.left()).map_err(|_| Errno::INVAL)?;
        match poll(&mut [PollFd::new(&fd, flags)], Some(&left)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

/// Waits until a key of a v2 cgroup's `cgroup.events` has a value; `false` if the deadline passed.
/// A cgroup that is gone, or a kernel without the file, has nothing to wait for.
pub(super) fn for_event(dir: &Dir, key: &str, wanted: &str, deadline: Deadline) -> Result<bool, CgroupError> {
    let file = "cgroup.events";
    let events = match dir.open_file(file, OFlags::RDONLY) {
        Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(true),
        events => events?,
    };
    loop {
        // The read also resets what poll reports, so no change between the two is missed.
        match read_at_start(&events) {
            Err(Errno::NODEV) => return Ok(true),
            Err(errno) => return Err(dir.error("read", errno).in_file(file)),
            Ok(text) if value(&text, key).is_none_or(|value| value == wanted) => return Ok(true),
            Ok(_) if deadline.passed() => return Ok(false),
            Ok(_) => {}
        }
        deadline.poll(&events, PollFlags::PRI).map_err(|errno| dir.error("poll", errno).in_file(file))?;
    }
}

/// The value of a key in a `key value` file.
pub(super) fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines()
        .find_map(|line| line.split_once(' ').filter(|(name, _)| *name == key))
        .map(|(_, value)| value)
}

/// Waits until processes have ended, or the deadline has passed.
pub(super) fn for_exits(pidfds: &[OwnedFd], deadline: Deadline) -> Result<(), Errno> {
    for pidfd in pidfds {
        if deadline.passed() {
            break;
        }
        deadline.poll(pidfd, PollFlags::IN)?;
    }
    Ok(())
}

pub(super) fn read_at_start(file: &File) -> Result<String, Errno> {
    let mut buffer = [0; 512];
    let length =
        file.read_at(&mut buffer, 0).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let mut text = String::new();
    let mut read = buffer.get(..length).unwrap_or_default();
    read.read_to_string(&mut text).map_err(|_| Errno::ILSEQ)?;
    Ok(text)
}
