//! A process in the foreground: signals go in, its terminal goes through, its exit status comes out.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use libcontainer::{Container, Exec, ExitStatus, Signals};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};

use crate::failure::Failure;
use crate::messages;
use crate::notify::{self, Proxy};
use crate::signals::{self, Inbox};
use crate::terminal::{Relay, Watched};

/// What can be in the foreground: a container's first process, or one that was executed in it.
pub(crate) trait Job {
    /// To poll for its end.
    fn pidfd(&self) -> libcontainer::Result<OwnedFd>;
    /// Its number, to tell it from other children.
    fn pid(&self) -> libcontainer::Result<i32>;
    fn signal(&self, signal: i32) -> libcontainer::Result<()>;
    /// Reaps it; `None` if it was not our child.
    fn wait(&self) -> libcontainer::Result<Option<ExitStatus>>;
}

impl Job for Container {
    fn pidfd(&self) -> libcontainer::Result<OwnedFd> {
        Container::pidfd(self)
    }

    fn pid(&self) -> libcontainer::Result<i32> {
        Ok(self.state()?.pid)
    }

    fn signal(&self, signal: i32) -> libcontainer::Result<()> {
        self.kill(signal, Signals::Init)
    }

    fn wait(&self) -> libcontainer::Result<Option<ExitStatus>> {
        Container::wait(self)
    }
}

impl Job for Exec {
    fn pidfd(&self) -> libcontainer::Result<OwnedFd> {
        Exec::pidfd(self)
    }

    fn pid(&self) -> libcontainer::Result<i32> {
        Ok(Exec::pid(self))
    }

    fn signal(&self, signal: i32) -> libcontainer::Result<()> {
        self.kill(signal)
    }

    fn wait(&self) -> libcontainer::Result<Option<ExitStatus>> {
        Exec::wait(self).map(Some)
    }
}

/// A process whose end is waited for.
pub(crate) struct Foreground<'a, J> {
    job: &'a J,
    signals: &'a Inbox,
    relay: Option<Relay<'a>>,
    proxy: Option<Proxy>,
    process: OwnedFd,
    pid: Option<Pid>,
}

impl<'a, J: Job> Foreground<'a, J> {
    /// `signals` must have been opened before the process was made, so that none was lost.
    pub(crate) fn new(job: &'a J, signals: &'a Inbox, relay: Option<Relay<'a>>) -> Result<Self, Failure> {
        signals.hold()?;
        Ok(Self { job, signals, relay, proxy: None, process: job.pidfd()?, pid: None })
    }

    /// Serves a service manager that waits for the container meanwhile.
    pub(crate) fn with_manager(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }

    /// Serves the process until it has ended.
    pub(crate) fn wait(mut self) -> Result<ExitStatus, Failure> {
        while !self.turn()? {}
        self.show_rest()?;
        if let Some(proxy) = self.proxy {
            proxy.finish().unwrap_or_else(notify::not_told);
        }
        self.job.wait()?.ok_or_else(|| Failure::Other(messages::STATUS_UNKNOWN.to_owned()))
    }

    /// Shows what is left of the output. A reader that takes its time is waited for, until somebody wants us to end.
    fn show_rest(&mut self) -> Result<(), Failure> {
        let Some(relay) = &mut self.relay else { return Ok(()) };
        while !relay.finish()? {
            let mut fds = [
                PollFd::from_borrowed_fd(relay.screen(), PollFlags::OUT),
                PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            ];
            retry_on_intr(|| poll(&mut fds, None))
                .map_err(|errno| Failure::system(messages::RELAYING_TERMINAL, errno))?;
            while let Some(signal) = self.signals.next()? {
                if signals::ENDING.contains(&signal) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Waits for the next event and deals with it; whether the process has ended.
    fn turn(&mut self) -> Result<bool, Failure> {
        let ready = self.poll()?;
        if ready.ended {
            return Ok(true);
        }
        // First, for they may tell that the terminal has gone to another job.
        if ready.signal {
            while let Some(signal) = self.signals.next()? {
                self.handle(signal)?;
            }
        }
        if let Some(relay) = &mut self.relay {
            relay.pump(ready.input, ready.terminal)?;
            if relay.is_in_background() {
                relay.come_to_foreground()?;
            }
        }
        if let Some(proxy) = &mut self.proxy
            && let Err(failure) = proxy.advance()
        {
            notify::not_told(failure);
            self.proxy = None;
        }
        Ok(false)
    }

    fn poll(&self) -> Result<Ready, Failure> {
        let mut fds = Vec::with_capacity(4);
        fds.push(PollFd::new(&self.process, PollFlags::IN));
        fds.push(PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN));
        let mut left = None;
        let watched = self.relay.as_ref().map_or_else(Watched::default, |relay| {
            // Nothing tells a job that runs that it is in the foreground again.
            left = relay.is_in_background().then_some(Duration::from_secs(1));
            relay.watch(&mut fds)
        });
        if let Some(proxy) = &self.proxy {
            fds.extend(proxy.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            left = left.into_iter().chain(proxy.left()).min();
        }
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Failure::system(messages::WATCHING_CONTAINER, errno)),
        }
        let happened = |place: usize| fds.get(place).is_some_and(|fd| !fd.revents().is_empty());
        let relayed = |place: Option<usize>| place.is_some_and(happened);
        Ok(Ready {
            ended: happened(0),
            signal: happened(1),
            terminal: relayed(watched.terminal),
            input: relayed(watched.input),
        })
    }

    fn handle(&mut self, signal: i32) -> Result<(), Failure> {
        match signal {
            signals::CHILD => self.reap_orphans(),
            signals::WINDOW => self.relay.as_ref().map_or(Ok(()), Relay::resize),
            signals::STOP => self.stop(),
            signal => {
                if let Some(relay) = self.relay.as_mut().filter(|_| signal == signals::CONTINUE) {
                    relay.come_to_foreground()?;
                    relay.resize()?;
                }
                self.pass_on(signal);
                Ok(())
            }
        }
    }

    fn pass_on(&self, signal: i32) {
        // The process may be gone already; then its end is the next thing to be seen.
        if let Err(error) = self.job.signal(signal) {
            tracing::debug!("signal {signal} was not delivered: {error}");
        }
    }

    /// Stops as a shell's job does, which leaves its terminal as it was. What is in the container has its own terminal or
    /// none, so it may well go on.
    fn stop(&mut self) -> Result<(), Failure> {
        self.pass_on(signals::STOP);
        if let Some(relay) = &mut self.relay {
            relay.leave_foreground();
        }
        self.signals.stop()?;
        self.relay.as_mut().map_or(Ok(()), Relay::come_to_foreground)
    }

    /// Reaps what was left to this process by the container, but never the process itself, whose status belongs to
    /// [`Job::wait`].
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
            self.pid = Some(self.job.pid()?).filter(|pid| *pid != 0).map(Pid::from_raw);
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
