//! Containers: their life, their options, and the state that outlives a command.

mod cgroups;
mod checkpoint;
mod criu_options;
mod delete;
mod exec;
mod exec_options;
#[cfg(test)]
mod fixture;
mod gate;
mod handle;
mod kill;
mod notify;
mod options;
mod owner;
mod pause;
pub(crate) mod record;
#[cfg(test)]
mod resctrl_tests;
mod restore;
mod start;
mod state;
pub(crate) mod store;
mod update;
mod watch;

pub use criu_options::{CheckpointOptions, RestoreOptions};
pub use exec::Exec;
pub use exec_options::{ExecOptions, Stdio};
pub use handle::Container;
pub use notify::Notifications;
pub use options::{CreateOptions, Delete, Signals};
pub use state::State;
pub use update::Update;
pub use watch::{Event, Stats, Watch};

use std::path::{Path, PathBuf};

use rustix::process::WaitIdStatus;

use crate::facts::{self, Handles, Purpose};
use crate::launch::{self, Launch};
use crate::planner::{self, Request};
use crate::{Bundle, ContainerId, ErrorKind, Plan, Result, Status, exe};

/// A folder of containers, `/run/NAME` as a rule. Opening it changes nothing.
#[derive(Clone, Debug)]
pub struct Runtime {
    root: PathBuf,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It called `exit` with this code.
    Code(i32),
    /// A signal of this number ended it.
    Signal(i32),
}

impl ExitStatus {
    /// The code as a shell gives it: the exit code, or 128 plus the signal's number.
    #[must_use]
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// What the kernel says of a process that has ended.
fn exit_status(status: &WaitIdStatus) -> Option<ExitStatus> {
    let code = status.exit_status().map(ExitStatus::Code);
    code.or(status.terminating_signal().map(ExitStatus::Signal))
}

impl Runtime {
    /// The runtime whose containers are below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder of this runtime's containers.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What [`Self::create`] would do on this host. Changes nothing.
    ///
    /// # Errors
    /// As of [`Self::create`], as far as they show before anything is done.
    pub fn plan(&self, id: &ContainerId, bundle: &Bundle, options: &CreateOptions) -> Result<Plan> {
        self.prepare(id, bundle, options, false, Purpose::Plan).map(|(plan, _)| plan)
    }

    /// Creates a container; its process waits for [`Container::start`].
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] if the name is taken, [`ErrorKind::Unsupported`] or [`ErrorKind::InvalidSpec`] if this
    /// host cannot do what the bundle says, [`ErrorKind::Setup`] if a step fails. Everything is undone then.
    pub fn create(&self, id: &ContainerId, bundle: &Bundle, options: &CreateOptions) -> Result<Container> {
        self.launch(id, bundle, options, false)
    }

    /// Creates a container whose program starts at once, without a gate in between.
    ///
    /// # Errors
    /// As of [`Self::create`]; a program that cannot be executed is one as well.
    pub fn run(&self, id: &ContainerId, bundle: &Bundle, options: &CreateOptions) -> Result<Container> {
        self.launch(id, bundle, options, true)
    }

    fn launch(
        &self,
        id: &ContainerId,
        bundle: &Bundle,
        options: &CreateOptions,
        at_once: bool,
    ) -> Result<Container> {
        if !options.unsealed {
            exe::require_sealed()?;
        }
        options.check_announced()?;
        let (plan, handles) = self.prepare(id, bundle, options, at_once, Purpose::Create)?;
        for warning in plan.warnings() {
            tracing::warn!("{}: {}", warning.pointer, warning.message);
        }
        tracing::debug!("plan of {id}:\n{plan}");
        #[cfg(feature = "fault-injection")]
        let plan = plan.injected(&options.injections);
        let launch =
            Launch { root: &self.root, id, config: bundle.config(), plan: &plan, handles, restoration: None };
        let (stored, process) = launch::create(launch, bundle, options.no_new_keyring)?;
        Ok(Container::new(&self.root, id, stored, process))
    }

    fn prepare(
        &self,
        id: &ContainerId,
        bundle: &Bundle,
        options: &CreateOptions,
        at_once: bool,
        purpose: Purpose,
    ) -> Result<(Plan, Handles)> {
        let (facts, handles) = facts::probe(bundle.config(), purpose, options.systemd_cgroup)?;
        let options = options.for_plan(self.root.join(id.as_str()), bundle.path().into(), at_once);
        let request = Request { id: id.as_str(), config: bundle.config(), options: &options, facts: &facts };
        let plan = planner::plan(&request).map_err(|error| match error.kind() {
            ErrorKind::InvalidSpec { .. } | ErrorKind::Unsupported { .. } => {
                error.context(bundle.path().join("config.json").display())
            }
            _ => error,
        })?;
        Ok((plan, handles))
    }

    /// Finds a container by name ([`ErrorKind::NotFound`] if there is none).
    pub fn load(&self, id: &ContainerId) -> Result<Container> {
        Container::load(&self.root, id)
    }

    /// All containers, sorted by name. One whose state cannot be read is left out with a warning.
    pub fn list(&self) -> Result<Vec<Container>> {
        Container::list(&self.root)
    }
}
