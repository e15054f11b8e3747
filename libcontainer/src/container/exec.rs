//! `exec`: one more program in a container.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{self, Errno, fcntl_dupfd_cloexec};
use rustix::pipe::{PipeFlags, pipe_with};

use super::exec_options::{ExecOptions, Stdio};
use super::handle::{status_but_for_gate, wrong_status};
use super::record::Stored;
use super::{Container, ExitStatus, Status, exit_status};
use crate::facts::{self, Handles, Look};
use crate::launch::{self, Launch};
use crate::planner::{self, Request};
use crate::sys::pidfd::Process;
use crate::sys::procfs::{Procfs, Stat};
use crate::{Error, ErrorKind, Plan, Result, exe, spec};

/// A program that was executed in a container, a child of the calling process. It goes on if this is dropped.
#[derive(Debug)]
pub struct Exec {
    process: Process,
    /// The writing end of its standard input, with [`Stdio::Piped`]. Dropping it is the end of the input.
    pub stdin: Option<OwnedFd>,
    /// The reading end of its standard output, with [`Stdio::Piped`].
    pub stdout: Option<OwnedFd>,
    /// The reading end of its standard error, with [`Stdio::Piped`].
    pub stderr: Option<OwnedFd>,
}

impl Exec {
    /// Its number in the caller's pid namespace.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.process.pid().as_raw_nonzero().get()
    }

    /// A pidfd of it, as [`AsFd`] lends one.
    ///
    /// # Errors
    /// [`ErrorKind::Os`] if the caller has too many descriptors open.
    pub fn pidfd(&self) -> Result<OwnedFd> {
        fcntl_dupfd_cloexec(&self.process, 0).map_err(|errno| Error::os("duplicate a pidfd", errno))
    }

    /// Waits for its end, and reaps it: the status can be had once.
    ///
    /// # Errors
    /// [`ErrorKind::NoProcess`] if it has been waited for already.
    pub fn wait(&self) -> Result<ExitStatus> {
        let status = self.process.wait_child()?.and_then(|status| exit_status(&status));
        status.ok_or_else(|| {
            let message = format!("process {}: it has been waited for", self.process.pid());
            Error::new(ErrorKind::NoProcess, message)
        })
    }

    /// Sends signal number `signal`.
    ///
    /// # Errors
    /// [`ErrorKind::NoProcess`] if it has ended.
    pub fn kill(&self, signal: i32) -> Result<()> {
        match self.process.signal(signal) {
            Ok(()) => Ok(()),
            Err(Errno::SRCH) => {
                let message = format!("process {}: process already finished", self.process.pid());
                Err(Error::new(ErrorKind::NoProcess, message))
            }
            Err(errno) => {
                Err(Error::os(format_args!("send signal {signal} to process {}", self.process.pid()), errno))
            }
        }
    }
}

/// What the execution of a program needs.
struct Prepared {
    stored: Stored,
    /// The container's, with the program in the place of its process.
    config: spec::Config,
    plan: Plan,
    handles: Handles,
}

impl AsFd for Exec {
    /// A pidfd: it can be read when the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

impl Container {
    /// Executes a program in the container. Returns when it runs.
    ///
    /// Takes no lock, so that any number of programs can be started at the same time, and next to every other command.
    ///
    /// # Errors
    /// [`ErrorKind::WrongStatus`] unless the container is created or running,
    /// [`ErrorKind::InvalidOption`] or [`ErrorKind::InvalidSpec`] for a program that cannot be,
    /// [`ErrorKind::Setup`] if a step fails. Nothing is left of it then.
    pub fn exec(&self, mut options: ExecOptions) -> Result<Exec> {
        if !options.unsealed {
            exe::require_sealed()?;
        }
        let Prepared { stored, config, plan, mut handles } = self.prepare_exec(&options)?;
        for warning in plan.warnings() {
            tracing::warn!("{}: {}", warning.pointer, warning.message);
        }
        tracing::debug!("plan of exec in {}:\n{plan}", self.id());
        #[cfg(feature = "fault-injection")]
        let plan = plan.injected(&options.injections);
        let (streams, [stdin, stdout, stderr]) = streams(&mut options)?;
        handles.streams = streams;
        let launch = Launch {
            root: &self.root,
            id: self.id(),
            config: &config,
            plan: &plan,
            handles,
            restoration: None,
        };
        let process = match launch::exec(launch, stored.clone()) {
            Ok(process) => process,
            // What failed then failed for that reason.
            Err(error) if is_ending(&stored)? => {
                return Err(wrong_status("exec in", self.id(), Status::Stopped).with_source(error));
            }
            Err(error) => return Err(error),
        };
        let lost = || Error::new(ErrorKind::Internal, "the plan made no process");
        Ok(Exec { process: process.ok_or_else(lost)?, stdin, stdout, stderr })
    }

    /// What [`Self::exec`] would do. Changes nothing.
    ///
    /// # Errors
    /// As of [`Self::exec`], as far as they show before anything is done.
    pub fn plan_exec(&self, options: &ExecOptions) -> Result<Plan> {
        self.prepare_exec(options).map(|prepared| prepared.plan)
    }

    fn prepare_exec(&self, options: &ExecOptions) -> Result<Prepared> {
        let folder = self.folder()?;
        let stored = self.current(&folder)?;
        match status_but_for_gate(&stored)? {
            None | Some(Status::Created | Status::Running) => {}
            Some(Status::Paused) if options.ignore_paused => {}
            Some(status) => return Err(wrong_status("exec in", self.id(), status)),
        }
        let config = spec::parse(&folder.read_config()?, &stored.bundle)?;
        let config = spec::program(config, options.program.clone())?;
        let stopped = || wrong_status("exec in", self.id(), Status::Stopped);
        let init = stored.live_process()?.ok_or_else(stopped)?;
        let look = Look {
            config: &config,
            cgroups: &stored.cgroups,
            resctrl: &stored.resctrl.groups,
            controllers: options.plan.sub_cgroups.iter().any(|sub| sub.controller.is_some()),
        };
        let (facts, handles) = match facts::probe_container(init, &look) {
            // A process that is about to end has no namespaces any more.
            Err(_) if is_ending(&stored)? => None,
            probed => probed?,
        }
        .ok_or_else(stopped)?;
        let plan_options = options.for_plan(&stored.bundle, stored.no_new_keyring);
        let id = self.id().as_str();
        let request = Request { id, config: &config, options: &plan_options, facts: &facts };
        let plan = planner::exec(&request)?;
        Ok(Prepared { stored, config, plan, handles })
    }
}

/// Whether the container's first process has ended, or is about to: it ends the others first.
fn is_ending(stored: &Stored) -> Result<bool> {
    let Some(init) = stored.live_process()? else { return Ok(true) };
    Ok(Procfs::open()?.stat(init.pid())?.is_none_or(Stat::is_exiting))
}

type Kept = [Option<OwnedFd>; 3];

/// What is lent to the program, and what the caller keeps.
fn streams(options: &mut ExecOptions) -> Result<(Option<[OwnedFd; 3]>, Kept)> {
    let none = || [None, None, None];
    let made = match (options.streams.take(), options.stdio) {
        (Some(given), _) => Ok((given, none())),
        (None, Stdio::Inherit) => return Ok((None, none())),
        (None, Stdio::Null) => null().map(|streams| (streams, none())),
        (None, Stdio::Piped) => piped(),
    };
    made.and_then(|(streams, kept)| Ok((Some(beyond(&streams)?), kept)))
        .map_err(|errno| Error::os("make the standard streams", errno))
}

fn null() -> io::Result<[OwnedFd; 3]> {
    let null = || open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    Ok([null()?, null()?, null()?])
}

fn piped() -> io::Result<([OwnedFd; 3], Kept)> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC);
    let [(input, feed), (read_output, output), (read_error, error)] = [pipe()?, pipe()?, pipe()?];
    Ok(([input, output, error], [Some(feed), Some(read_output), Some(read_error)]))
}

/// With numbers beyond those that they will be put on, whatever the caller has closed.
fn beyond([input, output, error]: &[OwnedFd; 3]) -> io::Result<[OwnedFd; 3]> {
    let copy = |fd: &OwnedFd| fcntl_dupfd_cloexec(fd, 3);
    Ok([copy(input)?, copy(output)?, copy(error)?])
}
