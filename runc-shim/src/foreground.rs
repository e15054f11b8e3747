//! A container in the foreground: signals go in, its terminal goes through, its exit status comes out.

use std::os::fd::{AsFd, OwnedFd};

use libcontainer::{Container, ExitStatus, Signals};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::failure::Failure;
use crate::messages;
use crate::notify::{self, Proxy};
use crate::signals::{self, Inbox};
use crate::terminal::Relay;

/// A container whose end is waited for.
pub(crate) struct Foreground<'a> {
    container: &'a Container,
    signals: &'a Inbox,
    relay: Option<Relay<'a>>,
    proxy: Option<Proxy>,
    process: OwnedFd,
    pid: Option<Pid>,
}

impl<'a> Foreground<'a> {
    /// `signals` must have been opened before the container was made, so that none was lost.
    pub(crate) fn new(
        container: &'a Container,
        signals: &'a Inbox,
        relay: Option<Relay<'a>>,
        proxy: Option<Proxy>,
    ) -> Result<Self, Failure> {
        Ok(Self { container, signals, relay, proxy, process: container.pidfd()?, pid: None })
    }

    /// Serves the container until its first process has ended.
    pub(crate) fn wait(mut self) -> Result<ExitStatus, Failure> {
        while !self.turn()? {}
        if let Some(relay) = &mut self.relay {
            relay.finish()?;
        }
        if let Some(proxy) = self.proxy {
            proxy.finish().unwrap_or_else(notify::not_told);
        }
        self.container.wait()?.ok_or_else(|| Failure::Other(messages::STATUS_UNKNOWN.to_owned()))
    }

    /// Waits for the next event and deals with it; whether the container's process has ended.
    fn turn(&mut self) -> Result<bool, Failure> {
        let ready = self.poll()?;
        if ready.ended {
            return Ok(true);
        }
        if let Some(relay) = &mut self.relay {
            relay.pump(ready.input, ready.terminal)?;
        }
        if let Some(proxy) = &mut self.proxy
            && let Err(failure) = proxy.advance()
        {
            notify::not_told(failure);
            self.proxy = None;
        }
        if ready.signal {
            while let Some(signal) = self.signals.next()? {
                self.handle(signal)?;
            }
        }
        Ok(false)
    }

    fn poll(&self) -> Result<Ready, Failure> {
        let mut fds = Vec::with_capacity(4);
        fds.push(PollFd::new(&self.process, PollFlags::IN));
        fds.push(PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN));
        if let Some(relay) = &self.relay {
            relay.watch(&mut fds);
        }
        let known = fds.len();
        let mut left = None;
        if let Some(proxy) = &self.proxy {
            fds.extend(proxy.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            left = proxy.left().and_then(|left| Timespec::try_from(left).ok());
        }
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Failure::system(messages::WATCHING_CONTAINER, errno)),
        }
        let mut ready = fds.iter().take(known).map(|fd| !fd.revents().is_empty());
        let mut happened = || ready.next().unwrap_or_default();
        Ok(Ready { ended: happened(), signal: happened(), terminal: happened(), input: happened() })
    }

    fn handle(&mut self, signal: i32) -> Result<(), Failure> {
        match signal {
            signals::CHILD => self.reap_orphans(),
            signals::WINDOW => self.relay.as_ref().map_or(Ok(()), Relay::resize),
            signal => {
                // The process may be gone already; then its end is the next thing to be seen.
                if let Err(error) = self.container.kill(signal, Signals::Init) {
                    tracing::debug!("signal {signal} was not delivered: {error}");
                }
                Ok(())
            }
        }
    }

    /// Reaps what was left to this process by the container, but never the container's first process,
    /// whose status belongs to [`Container::wait`].
    fn reap_orphans(&mut self) -> Result<(), Failure> {
        let Some(init) = self.init()? else { return Ok(()) };
        while let Some(pid) = ended_child() {
            if pid == init || waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn init(&mut self) -> Result<Option<Pid>, Failure> {
        if self.pid.is_none() {
            self.pid = Some(self.container.state()?.pid).filter(|pid| *pid != 0).map(Pid::from_raw);
        }
        Ok(self.pid)
    }
}

/// What [`Foreground::poll`] saw.
struct Ready {
    ended: bool,
    signal: bool,
    terminal: bool,
    input: bool,
}

/// A child that has ended, without reaping it.
fn ended_child() -> Option<Pid> {
    waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT).ok()?.pid()
}
