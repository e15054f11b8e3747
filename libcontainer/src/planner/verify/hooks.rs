//! The moments of hooks.

use super::{Rule, World};
use crate::spec::HookKind;

impl World {
    /// Whether a hook of `kind` stands where the runtime-spec calls it.
    pub(super) fn hook(&mut self, kind: HookKind) {
        self.require(self.last_hook.is_none_or(|last| last <= kind), Rule::HooksInOrder);
        self.last_hook = Some(kind);
        // It changes the container's network, or is in it.
        self.in_network();
        let is_in_place = match kind {
            HookKind::Prestart | HookKind::CreateRuntime | HookKind::CreateContainer => {
                self.has_root() && !self.pivoted
            }
            HookKind::StartContainer => {
                self.found && self.recorded && !self.capabilities_set && !self.filtered
            }
            HookKind::Poststart => self.executed,
            HookKind::Poststop => false,
        };
        self.require(is_in_place, Rule::HooksInPlace);
    }
}
