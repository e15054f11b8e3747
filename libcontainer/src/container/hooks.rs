//! Hooks that belong to commands after `create`: what they need is in the record.

use rustix::fd::BorrowedFd;
use serde::{Deserialize, Serialize};

use super::Status;
use super::record::Stored;
use crate::hook::HookFailure;
use crate::launch::hooks::run;
use crate::planner::HookState;
use crate::spec::{Hook, HookKind, Hooks};

/// The hooks of `start` and `delete`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LaterHooks {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) poststart: Vec<Hook>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) poststop: Vec<Hook>,
}

impl LaterHooks {
    pub(crate) fn of(hooks: &Hooks) -> Self {
        Self { poststart: hooks.poststart.clone(), poststop: hooks.poststop.clone() }
    }
}

impl Stored {
    /// Runs a hook in the runtime's namespaces.
    pub(crate) fn run_hook(
        &self,
        (kind, number, hook): (HookKind, usize, &Hook),
        container: Option<BorrowedFd<'_>>,
        init: Option<i32>,
    ) -> Result<(), HookFailure> {
        let status = match kind {
            HookKind::Poststart => Status::Running,
            HookKind::Poststop => Status::Stopped,
            _ => Status::Created,
        };
        let state =
            HookState { status, pid: init, ..HookState::new(&self.id, &self.bundle, &self.annotations) };
        run((kind, number, hook), &state, &self.bundle, container)
    }

    /// The hooks of a started container, up to the first that fails.
    pub(super) fn run_poststart(&self) -> Result<(), HookFailure> {
        let init = self.init.map(|init| init.pid);
        let mut hooks = self.hooks.poststart.iter().enumerate();
        hooks.try_for_each(|(number, hook)| self.run_hook((HookKind::Poststart, number, hook), None, init))
    }

    /// The hooks of a container of which nothing is left but its name. One that fails is a warning.
    pub(crate) fn run_poststop(&self) {
        for (number, hook) in self.hooks.poststop.iter().enumerate() {
            if let Err(failure) = self.run_hook((HookKind::Poststop, number, hook), None, None) {
                let path = &failure.path;
                tracing::warn!("container {}: poststop hook #{number} {path}: {failure}", self.id);
            }
        }
    }
}
