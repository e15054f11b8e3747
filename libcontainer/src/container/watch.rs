//! Watching a container: what it uses, when its memory runs out, and its end.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{self, Errno};

use super::handle::{locked_status, status, wrong_status};
use super::record::Stored;
use super::store::{Claim, PATIENCE};
use super::{Container, Status, cgroups};
use crate::cgroup::{self, Oom, OomWatch};
use crate::resctrl;
use crate::sys::file::read_bounded;
use crate::sys::pidfd::Process;
use crate::{Error, Result};

/// What a container uses and has used.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// As its cgroups count it.
    pub cgroup: cgroup::stats::Stats,
    /// As its resource groups count it, if it has any.
    pub resctrl: Option<resctrl::Stats>,
}

/// Something that happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Its memory ran out, at least once.
    OutOfMemory,
    /// Its first process ended. Nothing comes after this.
    Ended,
}

/// A watch on a container. Its descriptor, that of [`AsFd`], can be read from when [`Watch::event`] has something to
/// tell.
#[derive(Debug)]
pub struct Watch {
    epoll: OwnedFd,
    process: Process,
    oom: Option<OomWatch>,
    /// The file of the last words of `delete`.
    last_words: OwnedFd,
}

/// The file in a container's folder by which `delete` tells those who watch how many processes had been killed for want
/// of memory: that count goes with the cgroup, which may be gone before they look.
const LAST_WORDS: &str = "oom";
/// Room for a number.
const LAST_WORDS_LIMIT: usize = 32;

impl Container {
    /// What the container uses and has used.
    ///
    /// # Errors
    /// [`ErrorKind::WrongStatus`](crate::ErrorKind::WrongStatus) if it is stopped, and statistics that cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        let folder = self.folder()?;
        let stored = self.current(&folder)?;
        let stats = Stats {
            cgroup: cgroup::stats::stats(&stored.cgroups).map_err(cgroups::failed)?,
            resctrl: resctrl::stats(&stored.resctrl)?,
        };
        // Looked at last: of one that ended meanwhile, only a part may have been read.
        match status(&folder, &stored)? {
            Status::Stopped => Err(wrong_status("read the statistics of", self.id(), Status::Stopped)),
            _ => Ok(stats),
        }
    }

    /// Starts to watch the container.
    ///
    /// # Errors
    /// [`ErrorKind::WrongStatus`](crate::ErrorKind::WrongStatus) if it is stopped.
    pub fn watch(&self) -> Result<Watch> {
        // Locked, since `delete` must not be at its end while a file is made for it.
        let claim = self.folder()?.lock(PATIENCE)?;
        let stored = self.current(claim.folder())?;
        let process = match stored.live_process()? {
            Some(process) => process,
            None => return Err(wrong_status("watch", self.id(), locked_status(&claim, &stored)?)),
        };
        let oom = OomWatch::open(&stored.cgroups).map_err(cgroups::failed)?;
        if oom.is_none() {
            tracing::warn!(container = %self.id(), "it has no memory controller, so nothing is told when memory runs out");
        }
        let epoll = poll_for(&process, oom.as_ref()).map_err(|errno| Error::os("epoll", errno))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let last_words =
            openat(claim.dir(), LAST_WORDS, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| {
                let path = claim.folder().path().join(LAST_WORDS);
                Error::os(format_args!("open {}", path.display()), errno)
            })?;
        Ok(Watch { epoll, process, oom, last_words })
    }
}

fn poll_for(process: &Process, oom: Option<&OomWatch>) -> io::Result<OwnedFd> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    // Which of them is ready is not asked; everything is looked at.
    let data = epoll::EventData::new_u64(0);
    epoll::add(&epoll, process, data, epoll::EventFlags::IN)?;
    if let Some(oom) = oom {
        epoll::add(&epoll, oom, data, oom.interest())?;
    }
    Ok(epoll)
}

impl Watch {
    /// The next thing that happened; `None` if nothing has since the last call. Does not wait.
    ///
    /// # Errors
    /// Failures of system calls.
    pub fn event(&mut self) -> Result<Option<Event>> {
        // In this order: whatever ran out did so before the end that we see.
        let ended = self.process.has_ended()?;
        if self.ran_out_of_memory()? {
            return Ok(Some(Event::OutOfMemory));
        }
        Ok(ended.then_some(Event::Ended))
    }

    fn ran_out_of_memory(&mut self) -> Result<bool> {
        let Some(oom) = &mut self.oom else { return Ok(false) };
        match oom.take().map_err(cgroups::failed)? {
            Oom::Nothing => Ok(false),
            Oom::Happened => Ok(true),
            Oom::Gone => {
                let accounted = oom.accounted();
                // Closed, it cannot be ready for ever.
                self.oom = None;
                Ok(self.last_count()?.is_some_and(|kills| kills > accounted))
            }
        }
    }

    fn last_count(&self) -> Result<Option<u64>> {
        let failed = |errno| Error::os("read the last count of processes killed for want of memory", errno);
        let file = self
            .last_words
            .try_clone()
            .map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        let text = read_bounded(file, LAST_WORDS_LIMIT).map_err(failed)?;
        Ok(std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()))
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// Leaves the count of processes that were killed for want of memory to those who watch the container, if there are any.
/// Comes before the cgroup is removed.
pub(super) fn leave_last_words(claim: &Claim, stored: &Stored) -> Result<()> {
    let failed = |errno| {
        let path = claim.folder().path().join(LAST_WORDS);
        Error::os(format_args!("write {}", path.display()), errno)
    };
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match openat(claim.dir(), LAST_WORDS, flags, Mode::empty()) {
        Ok(file) => file,
        // Nobody watches.
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(failed(errno)),
    };
    let Some(kills) = cgroup::oom_kills(&stored.cgroups).map_err(cgroups::failed)? else { return Ok(()) };
    std::fs::File::from(file)
        .write_all(kills.to_string().as_bytes())
        .map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))
}
