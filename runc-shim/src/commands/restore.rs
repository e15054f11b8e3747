//! `restore`: makes a container from a checkpoint, and waits for its end unless it is detached.

use std::path::{Path, PathBuf};

use libcontainer::{Bundle, ContainerId, CreateOptions, ExitStatus, RestoreOptions, Runtime};

use super::creation::{not_empty, terminal_problem, wants_terminal};
use super::criu::{Common, criu_options, with_common};
use super::run::{attend, become_subreaper, exit_code, remove};
use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::notify;
use crate::signals::Inbox;
use crate::terminal::Reception;

pub(super) const COMMAND: Command = Command {
    name: "restore",
    summary: "make a container from a checkpoint, by CRIU; wait for its end",
    usage: "[OPTIONS] ID",
    options: criu_options!(
        ("--bundle DIR, -b DIR", "folder with config.json (default: the current one)"),
        ("--console-socket PATH", "Unix socket that receives the terminal's master side"),
        ("--pid-file FILE", "file that receives the process's number"),
        ("--detach, -d", "return as soon as the processes run"),
        ("--no-subreaper", "leave the container's orphans to the next reaper"),
        ("--no-pivot", "accepted for runc's callers; criu decides how it changes the root"),
        ("--lsm-profile TYPE:NAME", "another security label of the processes; TYPE is selinux or apparmor"),
        ("--lsm-mount-context CONTEXT", "another SELinux label of the mounts"),
    ),
    seals: false,
    run: restore,
};

/// What `restore` alone is told.
#[derive(Default)]
struct Restore {
    common: Common,
    bundle: Option<PathBuf>,
    console_socket: Option<PathBuf>,
    pid_file: Option<PathBuf>,
    detach: bool,
    no_subreaper: bool,
    lsm_profile: Option<String>,
    lsm_mount_context: Option<String>,
}

fn restore(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let mut restore = Restore::default();
    let id = context.one_id(arguments, |flag, arguments| restore.option(flag, arguments))?;
    let bundle = Bundle::open(restore.bundle.as_deref().unwrap_or(Path::new(".")))?;
    let has_socket = restore.console_socket.is_some();
    if let Some(problem) = terminal_problem(wants_terminal(&bundle), restore.detach, has_socket) {
        return Err(Failure::Other(problem.to_owned()));
    }
    let runtime = context.runtime()?;
    let systemd = context.globals.systemd_cgroup;
    if restore.detach {
        let options = restore.options(systemd, restore.console_socket.as_deref())?;
        runtime.restore(&id, &bundle, &options)?;
        return Ok(0);
    }
    if !restore.no_subreaper {
        become_subreaper()?;
    }
    foreground(&runtime, &id, &bundle, |console| restore.options(systemd, console)).map(exit_code)
}

/// The container is deleted after its end, as by `run`.
fn foreground(
    runtime: &Runtime,
    id: &ContainerId,
    bundle: &Bundle,
    options: impl FnOnce(Option<&Path>) -> Result<RestoreOptions, Failure>,
) -> Result<ExitStatus, Failure> {
    // Before the container exists: no signal may be lost, and none may end us and leave it behind.
    let signals = Inbox::open()?;
    let reception = match wants_terminal(bundle) {
        true => Some(Reception::open(runtime.root())?),
        false => None,
    };
    let options = options(reception.as_ref().map(Reception::socket))?;
    let container = runtime.restore(id, bundle, &options)?;
    let status = attend(&container, &signals, reception, None);
    remove(&container);
    status
}

impl Restore {
    fn option(&mut self, flag: &str, arguments: &mut Arguments) -> Result<bool, Failure> {
        match flag {
            "--bundle" | "-b" => self.bundle = not_empty(arguments.path()?),
            "--console-socket" => self.console_socket = not_empty(arguments.path()?),
            "--pid-file" => self.pid_file = not_empty(arguments.path()?),
            "--detach" | "-d" => self.detach = arguments.switch()?,
            "--no-subreaper" => self.no_subreaper = arguments.switch()?,
            "--no-pivot" => drop(arguments.switch()?),
            "--lsm-profile" => self.lsm_profile = not_empty(arguments.text()?),
            "--lsm-mount-context" => self.lsm_mount_context = not_empty(arguments.text()?),
            _ => return self.common.option(flag, arguments),
        }
        Ok(true)
    }

    fn options(&self, systemd: bool, console: Option<&Path>) -> Result<RestoreOptions, Failure> {
        let mut create = CreateOptions::default().systemd_cgroup(systemd).notify(notify::manager().is_some());
        if let Some(path) = console {
            create = create.console_socket(path);
        }
        if let Some(path) = &self.pid_file {
            create = create.pid_file(path);
        }
        let options = with_common!(RestoreOptions::new(self.common.images()?), &self.common);
        let mut options = options.creation(create);
        if let Some(profile) = &self.lsm_profile {
            options = options.lsm_profile(profile);
        }
        if let Some(context) = &self.lsm_mount_context {
            options = options.lsm_mount_context(context);
        }
        Ok(options)
    }
}
