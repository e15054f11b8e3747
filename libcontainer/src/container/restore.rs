//! `restore`: a container from the images of a checkpoint.

use super::checkpoint::require_root;
use super::criu_options::RestoreOptions;
use super::{Container, Runtime};
use crate::criu::{self, Descriptors};
use crate::facts::{self, Handles, Purpose};
use crate::launch::{self, Launch, Restoration};
use crate::planner::{self, Request};
use crate::{Bundle, ContainerId, Plan, Result};

/// In the work folder.
const LOG: &str = "restore.log";

impl Runtime {
    /// Makes a container of `bundle` whose processes are those of a checkpoint, and run on from there. It needs root, and
    /// CRIU in `PATH`. The standard streams that were pipes are the caller's.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`](crate::ErrorKind::Exists) if the name is taken, [`ErrorKind::Criu`](crate::ErrorKind::Criu)
    /// if criu is missing or fails, otherwise as of [`Self::create`]. Everything is undone then.
    pub fn restore(&self, id: &ContainerId, bundle: &Bundle, options: &RestoreOptions) -> Result<Container> {
        require_root("restore")?;
        let program = criu::Program::find()?;
        let (plan, handles) = self.prepare_restore(id, bundle, options, Purpose::Create)?;
        for warning in plan.warnings() {
            tracing::warn!("{}: {}", warning.pointer, warning.message);
        }
        tracing::debug!("plan of restore {id}:\n{plan}");
        let restoration = restoration(program, bundle, options)?;
        let restoration = Some(restoration);
        let launch =
            Launch { root: self.root(), id, config: bundle.config(), plan: &plan, handles, restoration };
        let (stored, process) = launch::create(launch, bundle, false)?;
        Ok(Container::new(self.root(), id, stored, process))
    }

    /// What [`Self::restore`] would do on this host. Changes nothing.
    ///
    /// # Errors
    /// As of [`Self::restore`], as far as they show before anything is done.
    pub fn plan_restore(&self, id: &ContainerId, bundle: &Bundle, options: &RestoreOptions) -> Result<Plan> {
        self.prepare_restore(id, bundle, options, Purpose::Plan).map(|(plan, _)| plan)
    }

    fn prepare_restore(
        &self,
        id: &ContainerId,
        bundle: &Bundle,
        options: &RestoreOptions,
        purpose: Purpose,
    ) -> Result<(Plan, Handles)> {
        let config = bundle.config();
        let (facts, handles) = facts::probe(config, purpose, options.create.systemd_cgroup)?;
        let state = self.root().join(id.as_str());
        let created = options.create.for_plan(state, bundle.path().into(), true);
        let for_plan = planner::Options { images: Some(options.settings.images.clone()), ..created };
        let request = Request { id: id.as_str(), config, options: &for_plan, facts: &facts };
        let plan = planner::plan(&request)?;
        #[cfg(feature = "fault-injection")]
        let plan = plan.injected(&options.create.injections);
        Ok((plan, handles))
    }
}

fn restoration(program: criu::Program, bundle: &Bundle, options: &RestoreOptions) -> Result<Restoration> {
    let files = options.settings.open(false)?;
    let descriptors = Descriptors::read(&files.images)?;
    criu::require(&program, &[])?;
    let options = criu::Options {
        settings: options.settings.clone(),
        log: LOG,
        configuration: criu::configuration(&bundle.config().annotations),
        inherited: descriptors.pipes(),
        lsm_profile: options.lsm_profile.clone(),
        lsm_mount_context: options.lsm_mount_context.clone(),
        ..criu::Options::default()
    };
    Ok(Restoration { program, files, options })
}
