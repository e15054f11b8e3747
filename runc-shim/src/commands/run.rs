//! `run`: creates and starts a container, and waits for its end unless it is detached.

use libcontainer::{Bundle, Container, ContainerId, Delete, ExitStatus, Runtime};

use super::creation::{self, Creation, creation_options, wants_terminal};
use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::foreground::Foreground;
use crate::messages;
use crate::notify::{self, Proxy};
use crate::signals::Inbox;
use crate::terminal::{Reception, Relay, Streams};

pub(super) const COMMAND: Command = Command {
    name: "run",
    summary: "create and start a container; wait for its end",
    usage: "[OPTIONS] ID",
    options: creation_options!(
        ("--detach, -d", "return as soon as the program runs"),
        ("--keep", "do not delete the container after its end"),
        ("--no-subreaper", "leave the container's orphans to the next reaper"),
    ),
    seals: true,
    run,
};

/// What `run` has beyond the options of `create`.
#[derive(Default)]
struct Mode {
    detach: bool,
    keep: bool,
    no_subreaper: bool,
}

fn run(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let (mut creation, mut mode) = (Creation::default(), Mode::default());
    let id = context.one_id(arguments, |flag, arguments| {
        match flag {
            "--detach" | "-d" => mode.detach = arguments.switch()?,
            "--keep" => mode.keep = arguments.switch()?,
            "--no-subreaper" => mode.no_subreaper = arguments.switch()?,
            _ => return creation.option(flag, arguments),
        }
        Ok(true)
    })?;
    let bundle = creation.bundle()?;
    creation.check_terminal(&bundle, mode.detach)?;
    let task =
        Task { runtime: context.runtime()?, id, bundle, creation, systemd: context.globals.systemd_cgroup };
    if mode.detach {
        let (_, proxy) = task.launch(None)?;
        proxy.map_or(Ok(()), Proxy::serve).unwrap_or_else(notify::not_told);
        return Ok(0);
    }
    if !mode.no_subreaper {
        become_subreaper()?;
    }
    task.foreground(mode.keep).map(exit_code)
}

/// Takes the container's orphans.
pub(super) fn become_subreaper() -> Result<(), Failure> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|errno| Failure::system(messages::BECOMING_SUBREAPER, errno))
}

/// What shells show for a code or a signal has eight bits.
pub(super) fn exit_code(status: ExitStatus) -> u8 {
    status.shell_code().to_le_bytes()[0]
}

/// A container that is to be run.
struct Task {
    runtime: Runtime,
    id: ContainerId,
    bundle: Bundle,
    creation: Creation,
    systemd: bool,
}

impl Task {
    fn launch(&self, reception: Option<&Reception>) -> Result<(Container, Option<Proxy>), Failure> {
        let mut options = self.creation.options(self.systemd, creation::listening());
        if let Some(reception) = reception {
            options = options.console_socket(reception.socket()).plain_lines(true);
        }
        if notify::manager().is_none() {
            return Ok((self.runtime.run(&self.id, &self.bundle, &options)?, None));
        }
        // Somebody has to listen before the program runs, and the socket is made with the container.
        let container = self.runtime.create(&self.id, &self.bundle, &options)?;
        let started = Proxy::of_created(&container).and_then(|proxy| {
            container.start()?;
            Ok(proxy)
        });
        match started {
            Ok(proxy) => Ok((container, proxy)),
            Err(failure) => {
                remove(&container);
                Err(failure)
            }
        }
    }

    fn foreground(&self, keep: bool) -> Result<ExitStatus, Failure> {
        // Before the container exists: no signal may be lost, and none may end us and leave it behind.
        let signals = Inbox::open()?;
        let reception = match wants_terminal(&self.bundle) {
            true => Some(Reception::open(self.runtime.root())?),
            false => None,
        };
        let (container, proxy) = self.launch(reception.as_ref()).map_err(undecorated)?;
        let proxy = proxy.map(Proxy::for_this_process);
        let status = attend(&container, &signals, reception, proxy);
        if status.is_err() || !keep {
            remove(&container);
        }
        status
    }
}

/// The container's status is known by now, so what fails here does not change the exit code.
pub(super) fn remove(container: &Container) {
    if let Err(error) = container.delete(Delete::Force) {
        tracing::warn!("{}", messages::not_removed(container.id().as_str(), &error));
    }
}

/// Serves a container in the foreground until its end.
pub(super) fn attend(
    container: &Container,
    signals: &Inbox,
    reception: Option<Reception>,
    proxy: Option<Proxy>,
) -> Result<ExitStatus, Failure> {
    let relay = match reception {
        Some(reception) => Some(Relay::new(reception.receive()?, Streams::standard())?),
        None => None,
    };
    Foreground::new(container, signals, relay)?.with_manager(proxy).wait()
}

/// A program that the kernel refuses to execute is reported as if it spoke itself.
fn undecorated(failure: Failure) -> Failure {
    match &failure {
        Failure::Container(error) => messages::failed_execve(error).map_or(failure, Failure::Line),
        _ => failure,
    }
}
