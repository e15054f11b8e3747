//! (configuration, options, facts) → [`Plan`]: pure, deterministic, without I/O.
//!
//! Reading order: [`Entry`] (what a plan is made of), `namespaces`, `rootfs`, `process` (how it is made),
//! [`Rule`] (what must hold of every plan).

mod build;
mod cgroups;
mod describe;
mod describe_host;
mod describe_scope;
mod describe_tree;
mod devices;
mod entry;
mod exec;
mod filesystems;
mod hooks;
mod host_made;
mod host_mounts;
mod idmap;
#[cfg(feature = "fault-injection")]
mod inject;
mod long_options;
mod mount_ids;
mod mounts;
mod namespaces;
mod net_devices;
pub(crate) mod notify;
mod pool;
mod process;
#[cfg(test)]
mod process_tests;
mod rehearsal;
mod request;
mod resctrl;
pub(crate) mod restore;
mod rootfs;
mod rule;
mod scheduling;
mod selinux;
mod taken;
#[cfg(test)]
mod tests;
mod verify;

pub use entry::{
    Action, Actor, Entry, HostStep, IdNamespace, Idmap, MapWriter, NewFilesystem, ScopeUnit, Source, Target,
    Template, Tree,
};
#[cfg(feature = "fault-injection")]
pub use inject::Injection;
pub use pool::Pool;
pub use request::{Options, Request, SubCgroup};
pub use rule::{Rule, Violation};
pub use verify::verify;

pub(crate) use hooks::HookState;
pub(crate) use mounts::{cgroup_places, lends_cgroups};
pub(crate) use taken::changes;

use std::path::PathBuf;

use libcontainer_init::step::{Environment, Instruction};
use libcontainer_init::{Step, Text};

use crate::cgroup::systemd::Unit;
use crate::spec::{Hook, Warning};
use crate::{Error, ErrorKind, Result};
use build::Build;

/// Everything that will happen, in total order. Prints as text, one line an entry.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) id: String,
    pub(crate) purpose: Purpose,
    pub(crate) entries: Vec<Entry>,
    pub(crate) pool: Pool,
    pub(crate) filter: Vec<Instruction>,
    pub(crate) argv: Vec<Text>,
    pub(crate) envp: Vec<Text>,
    pub(crate) slots: usize,
    pub(crate) preserve_fds: u32,
    /// What `delete` will run; shown, for it is a part of what was asked for.
    pub(crate) poststop: Vec<Hook>,
    pub(crate) warnings: Vec<Warning>,
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A container is made.
    Create,
    /// A program is executed in a container.
    Exec,
    /// A container is made from the images of a checkpoint.
    Restore,
}

/// Makes the plan that creates a container, or restores one if the options name images.
///
/// # Errors
/// [`ErrorKind::Unsupported`] or [`ErrorKind::InvalidSpec`] if this host cannot do what the configuration says,
/// [`ErrorKind::InvalidOption`] if the options contradict it, [`ErrorKind::Internal`] if the plan breaks a [`Rule`].
pub fn plan(request: &Request<'_>) -> Result<Plan> {
    check_options(request)?;
    verified(make(request)?)
}

/// Makes the plan that executes a program in a container. The request's configuration is that of the container, with
/// the program in the place of its process.
///
/// # Errors
/// As of [`plan`].
pub fn exec(request: &Request<'_>) -> Result<Plan> {
    check_options(request)?;
    verified(exec::plan(request)?)
}

fn verified(plan: Plan) -> Result<Plan> {
    match verify(&plan).first() {
        Some(violation) => Err(rule::bug(&plan, *violation)),
        None => Ok(plan),
    }
}

fn make(request: &Request<'_>) -> Result<Plan> {
    match &request.options.images {
        Some(images) => restore::plan(request, images),
        None => create(request),
    }
}

fn create(request: &Request<'_>) -> Result<Plan> {
    let mut build = Build::new(request);
    build.host(HostStep::Claim { dir: request.options.state.clone() });
    namespaces::begin_network(&mut build);
    let cgroup = cgroups::plan(&mut build)?;
    let groups = resctrl::plan(&mut build)?;
    rootfs::lend(&mut build, &cgroup.placement)?;
    let (devices, placement) = (cgroup.devices.clone(), cgroup.placement.clone());
    namespaces::enter(&mut build, cgroup, groups)?;
    net_devices::plan(&mut build)?;
    rootfs::plan(&mut build, &placement)?;
    let process = process::plan(&mut build, devices)?;
    let poststop = request.config.hooks.poststop.clone();
    Ok(Plan { poststop, ..finished(build, Purpose::Create, process) })
}

fn finished(build: Build<'_>, purpose: Purpose, process: process::Prepared) -> Plan {
    let slots = build.slots();
    let Build { request, pool, entries, warnings, .. } = build;
    Plan {
        id: request.id.to_owned(),
        purpose,
        entries,
        pool,
        filter: process.filter,
        argv: process.argv,
        envp: process.envp,
        slots,
        preserve_fds: request.options.preserve_fds,
        poststop: Vec::new(),
        warnings,
    }
}

fn check_options(request: &Request<'_>) -> Result<()> {
    let terminal = request.config.process.as_ref().is_some_and(|process| process.terminal);
    let problem = match (terminal, &request.options.console_socket) {
        (true, None) => {
            "the terminal needs a console socket (--console-socket), or set process.terminal to false"
        }
        (false, Some(_)) => "a console socket was given, but process.terminal is false",
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidOption, format!("/process/terminal: {problem}")))
}

impl Plan {
    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the user should know although the plan can be executed.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl Plan {
    /// What the plan does, for errors.
    pub(crate) fn title(&self) -> String {
        match self.purpose {
            Purpose::Create => format!("create {}", self.id),
            Purpose::Exec => format!("exec in {}", self.id),
            Purpose::Restore => format!("restore {}", self.id),
        }
    }

    /// Whom the plan makes, for errors.
    pub(crate) fn process_name(&self) -> &'static str {
        match self.purpose {
            Purpose::Create | Purpose::Restore => "the container's first process",
            Purpose::Exec => "the process",
        }
    }

    /// The cgroups that the plan makes, for those who must find them when it was interrupted.
    pub(crate) fn cgroup_dirs(&self) -> Vec<PathBuf> {
        let found = self.entries.iter().find_map(|entry| match &entry.action {
            Action::Host(HostStep::CreateCgroup { placement, .. }) => Some(placement.dirs()),
            _ => None,
        });
        found.unwrap_or_default()
    }

    /// The scope that systemd makes, likewise.
    pub(crate) fn unit(&self) -> Option<Unit> {
        self.entries.iter().find_map(|entry| match &entry.action {
            Action::Host(HostStep::StartUnit(scope)) => Some(scope.unit.clone()),
            _ => None,
        })
    }

    /// Whether a child's hook gets the environment of the runtime.
    pub(crate) fn lends_environment(&self) -> bool {
        let inherits = |entry: &Entry| matches!(&entry.action, Action::Child(Step::Hook(hook)) if hook.environment == Environment::Runtime);
        self.entries.iter().any(inherits)
    }
}
