//! The moments of hooks.

use super::{World, require};
use crate::spec::HookKind;

impl World {
    /// Whether a hook of `kind` stands where the runtime-spec calls it.
    pub(super) fn hook(&mut self, kind: HookKind) -> Vec<Option<&'static str>> {
        let in_order = self.last_hook.is_none_or(|last| last <= kind);
        self.last_hook = Some(kind);
        let in_place = match kind {
            HookKind::Prestart | HookKind::CreateRuntime | HookKind::CreateContainer => {
                self.root_attached && !self.pivoted
            }
            HookKind::StartContainer => self.found && !self.capabilities_set && !self.filtered,
            HookKind::Poststart => self.executed,
            HookKind::Poststop => false,
        };
        vec![
            require(in_order, "hooks run in the order of their kinds"),
            require(in_place, "a hook runs at the moment of its kind"),
        ]
    }
}
