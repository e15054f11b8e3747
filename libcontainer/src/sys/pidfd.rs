//! Processes by a handle that cannot come to mean another process.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{self, Errno};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, pidfd_open, waitid};

use super::procfs::Procfs;
use super::raw;
use crate::{Error, Result};

/// A process that existed when this was made. It may have ended since, but is never another one.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    pidfd: OwnedFd,
}

impl Process {
    /// The process `pid` that started at `start_time`, `None` if it has been reaped.
    pub(crate) fn find(pid: Pid, start_time: u64) -> Result<Option<Self>> {
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            // EINVAL and ENOENT: the number now belongs to a thread of another process.
            Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(Error::os(format_args!("pidfd_open of process {pid}"), errno)),
        };
        // In this order: if the number changes hands after pidfd_open, the time that is read here
        // is the other process's, and differs.
        let same = Procfs::open()?.start_time(pid)? == Some(start_time);
        Ok(same.then_some(Self { pid, pidfd }))
    }

    /// A child that was cloned with a pidfd.
    pub(crate) fn from_parts(pid: i32, pidfd: OwnedFd) -> Result<Self> {
        let pid = Pid::from_raw(pid).ok_or_else(|| Error::os("clone3", Errno::SRCH))?;
        Ok(Self { pid, pidfd })
    }

    /// How it ended, in words, if it has ended and is a child of the calling process.
    pub(crate) fn describe_end(&self) -> String {
        match self.wait_child() {
            Ok(Some(status)) => match (status.terminating_signal(), status.exit_status()) {
                (Some(signal), _) => format!("was killed by signal {signal}"),
                (None, Some(code)) => format!("ended with code {code}"),
                (None, None) => "ended".to_owned(),
            },
            Ok(None) => "is gone".to_owned(),
            Err(error) => format!("cannot be waited for: {error}"),
        }
    }

    /// Its number in this process's pid namespace.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The handle alone.
    pub(crate) fn into_pidfd(self) -> OwnedFd {
        self.pidfd
    }

    /// Its root folder, by the file system, whatever mount namespace the two are in.
    pub(crate) fn root(&self) -> Result<OwnedFd> {
        let path = format!("{}", self.pid.as_raw_nonzero());
        let failed = |errno| Error::os(format_args!("open the root of process {}", self.pid), errno);
        let folder = Procfs::open()?.open_file(&path, OFlags::PATH).map_err(failed)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(&folder, "root", flags, Mode::empty()).map_err(failed)?;
        // Its number was its own for as long as it has not ended.
        if self.has_ended()? { Err(failed(Errno::SRCH)) } else { Ok(root) }
    }

    /// Whether all its threads have ended (it may still be a zombie).
    pub(crate) fn has_ended(&self) -> Result<bool> {
        self.wait_ended(Some(Duration::ZERO))
    }

    /// Waits until it has ended, at most for `limit`; whether it has.
    pub(crate) fn wait_ended(&self, limit: Option<Duration>) -> Result<bool> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.map(|left| Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            });
            let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::os(format_args!("poll of process {}", self.pid), errno)),
            }
        }
    }

    /// Sends signal number `signal`; 0 only checks that it could be sent.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        raw::pidfd_send_signal(self.pidfd.as_fd(), signal)
    }

    /// Whether it is a child of the calling process that nobody has waited for.
    pub(crate) fn is_child(&self) -> Result<bool> {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match io::retry_on_intr(|| waitid(WaitId::PidFd(self.pidfd.as_fd()), look)) {
            Ok(_) => Ok(true),
            Err(Errno::CHILD) => Ok(false),
            Err(errno) => Err(Error::os(format_args!("waitid of process {}", self.pid), errno)),
        }
    }

    /// Waits for its end if it is a child of the calling process; `None` if it is not.
    pub(crate) fn wait_child(&self) -> Result<Option<WaitIdStatus>> {
        self.waitid(WaitIdOptions::EXITED)
    }

    /// Removes the zombie if it has ended and is a child of the calling process.
    pub(crate) fn reap(&self) -> Result<()> {
        self.waitid(WaitIdOptions::EXITED | WaitIdOptions::NOHANG).map(drop)
    }

    fn waitid(&self, options: WaitIdOptions) -> Result<Option<WaitIdStatus>> {
        match io::retry_on_intr(|| waitid(WaitId::PidFd(self.pidfd.as_fd()), options)) {
            Ok(status) => Ok(status),
            Err(Errno::CHILD) => Ok(None),
            Err(errno) => Err(Error::os(format_args!("waitid of process {}", self.pid), errno)),
        }
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    fn sleeper() -> (Child, Process) {
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let start = Procfs::open().unwrap().start_time(pid).unwrap().unwrap();
        let process = Process::find(pid, start).unwrap().unwrap();
        (child, process)
    }

    #[test]
    fn a_number_with_another_start_time_is_another_process() {
        let (mut child, process) = sleeper();
        let start = Procfs::open().unwrap().start_time(process.pid()).unwrap().unwrap();
        assert!(Process::find(process.pid(), start + 1).unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Process::find(process.pid(), start).unwrap().is_none());
        assert_eq!(process.signal(libc::SIGTERM), Err(Errno::SRCH));
    }

    #[test]
    fn a_zombie_has_ended_and_its_parent_learns_how() {
        let (_child, process) = sleeper();
        assert!(!process.has_ended().unwrap());
        // Real-time signals have no name in the libraries, only a number.
        process.signal(libc::SIGRTMIN()).unwrap();
        assert!(process.wait_ended(None).unwrap());
        assert!(process.has_ended().unwrap());
        let status = process.wait_child().unwrap().unwrap();
        assert_eq!(status.terminating_signal(), Some(libc::SIGRTMIN()));
        assert!(process.wait_child().unwrap().is_none());
    }

    #[test]
    fn waiting_is_bounded() {
        let (mut child, process) = sleeper();
        assert!(!process.wait_ended(Some(Duration::from_millis(1))).unwrap());
        process.reap().unwrap();
        assert!(!process.has_ended().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn another_process_s_child_has_no_status_for_us() {
        let init = Pid::INIT;
        let start = Procfs::open().unwrap().start_time(init).unwrap().unwrap();
        let process = Process::find(init, start).unwrap().unwrap();
        assert!(process.wait_child().unwrap().is_none());
    }
}
