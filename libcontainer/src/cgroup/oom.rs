//! Noticing that the processes of a container ran out of memory.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::dir::Dir;
use super::{CgroupError, wait};

/// v1's control: its state, its count of kills, and what events are registered for.
const OOM_CONTROL: &str = "memory.oom_control";
/// v2's counts.
const MEMORY_EVENTS: &str = "memory.events";
const KILLS: &str = "oom_kill";

/// What [`OomWatch::take`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oom {
    /// Nothing since it was last asked.
    Nothing,
    /// Memory ran out at least once.
    Happened,
    /// The cgroup was removed: what happened since the last look is not known here any more.
    Gone,
}

/// A watch on a container's memory cgroup.
#[derive(Debug)]
pub struct OomWatch {
    dir: Dir,
    source: Source,
    accounted: u64,
}

#[derive(Debug)]
enum Source {
    /// The kernel adds one for each time memory runs out, and one when the cgroup is removed.
    V1 { events: OwnedFd },
    /// The kernel reports each change of the file.
    V2 { counts: File },
}

impl OomWatch {
    /// Starts to watch; `None` if none of the cgroups has the memory controller.
    ///
    /// # Errors
    /// Failures of system calls.
    pub fn open(dirs: &[PathBuf]) -> Result<Option<Self>, CgroupError> {
        for path in dirs {
            let Some(dir) = Dir::open_if_exists(path)? else { continue };
            let source = if dir.is_unified()? { v2(&dir)? } else { v1(&dir)? };
            if let Some(source) = source {
                let accounted = kills(&dir)?.unwrap_or_default();
                return Ok(Some(Self { dir, source, accounted }));
            }
        }
        Ok(None)
    }

    /// What to wait for on the descriptor of [`AsFd`] before [`OomWatch::take`] is worth calling.
    #[must_use]
    pub fn interest(&self) -> epoll::EventFlags {
        match self.source {
            Source::V1 { .. } => epoll::EventFlags::IN,
            Source::V2 { .. } => epoll::EventFlags::PRI,
        }
    }

    /// How many kills have been reported; more that are known of a cgroup that is gone have not been.
    #[must_use]
    pub fn accounted(&self) -> u64 {
        self.accounted
    }

    /// What happened since the last call. Does not wait.
    ///
    /// # Errors
    /// Failures of system calls.
    pub fn take(&mut self) -> Result<Oom, CgroupError> {
        match &self.source {
            Source::V1 { events } => {
                let times =
                    taken(events).map_err(|errno| self.dir.error("read", errno).in_file("eventfd"))?;
                self.take_v1(times)
            }
            Source::V2 { counts } => match wait::read_at_start(counts) {
                Ok(text) => Ok(self.take_v2(count(&text))),
                Err(Errno::NODEV) => Ok(Oom::Gone),
                Err(errno) => Err(self.dir.error("read", errno).in_file(MEMORY_EVENTS)),
            },
        }
    }

    fn take_v1(&mut self, times: u64) -> Result<Oom, CgroupError> {
        let exists = times == 0 || kills(&self.dir)?.is_some();
        // One of them was the removal.
        let times = if exists { times } else { times - 1 };
        self.accounted = self.accounted.saturating_add(times);
        Ok(match (times, exists) {
            (0, true) => Oom::Nothing,
            (0, false) => Oom::Gone,
            _ => Oom::Happened,
        })
    }

    fn take_v2(&mut self, kills: u64) -> Oom {
        if kills <= self.accounted {
            return Oom::Nothing;
        }
        self.accounted = kills;
        Oom::Happened
    }
}

impl AsFd for OomWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.source {
            Source::V1 { events } => events.as_fd(),
            Source::V2 { counts } => counts.as_fd(),
        }
    }
}

/// How many processes were killed in a container's cgroups because memory had run out; `None` if nobody counts.
///
/// # Errors
/// Files that cannot be read.
pub fn oom_kills(dirs: &[PathBuf]) -> Result<Option<u64>, CgroupError> {
    for path in dirs {
        let Some(dir) = Dir::open_if_exists(path)? else { continue };
        if let Some(kills) = kills(&dir)? {
            return Ok(Some(kills));
        }
    }
    Ok(None)
}

fn kills(dir: &Dir) -> Result<Option<u64>, CgroupError> {
    let file = if dir.is_unified()? { MEMORY_EVENTS } else { OOM_CONTROL };
    Ok(dir.read_if_exists(file)?.map(|text| count(&text)))
}

fn count(text: &str) -> u64 {
    wait::value(text, KILLS).and_then(|value| value.parse().ok()).unwrap_or_default()
}

fn v1(dir: &Dir) -> Result<Option<Source>, CgroupError> {
    let control = match dir.open_file(OOM_CONTROL, OFlags::RDONLY) {
        Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(None),
        control => control?,
    };
    let events = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(|errno| dir.error("eventfd2", errno))?;
    // The kernel keeps both for itself from here on.
    dir.write("cgroup.event_control", &format!("{} {}", events.as_raw_fd(), control.as_raw_fd()))?;
    Ok(Some(Source::V1 { events }))
}

fn v2(dir: &Dir) -> Result<Option<Source>, CgroupError> {
    match dir.open_file(MEMORY_EVENTS, OFlags::RDONLY) {
        Err(error) if error.errno() == Some(Errno::NOENT) => Ok(None),
        counts => counts.map(|counts| Some(Source::V2 { counts })),
    }
}

/// Reads and resets an eventfd.
fn taken(events: &OwnedFd) -> Result<u64, Errno> {
    let mut bytes = [0; 8];
    match rustix::io::retry_on_intr(|| rustix::io::read(events, &mut bytes)) {
        Ok(_) => Ok(u64::from_ne_bytes(bytes)),
        Err(Errno::AGAIN) => Ok(0),
        Err(errno) => Err(errno),
    }
}
