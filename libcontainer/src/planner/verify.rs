//! What must hold of every plan, checked by walking it with an abstract state. Tests run it on every plan they make.

use std::fmt;

use libcontainer_init::{Slot, Step, slot};

use super::Plan;
use super::entry::{Action, Actor, Entry, HostStep};
use crate::spec::HookKind;

mod hooks;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Index of the entry that breaks it.
    pub index: usize,
    /// The rule.
    pub rule: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.index, self.rule)
    }
}

/// What has happened up to an entry.
#[derive(Default)]
struct World {
    slots: Vec<Slot>,
    claimed: bool,
    has_enter: bool,
    has_init: bool,
    cloned: bool,
    adopted: bool,
    user_namespace: bool,
    is_mapped: bool,
    has_cgroup_to_join: bool,
    in_cgroup: bool,
    closed_fds: bool,
    mount_namespace: bool,
    propagated: bool,
    root_attached: bool,
    pivoted: bool,
    user_changed: bool,
    found: bool,
    capabilities_set: bool,
    no_new_privileges: bool,
    filtered: bool,
    executed: bool,
    /// The kind of the hook before.
    last_hook: Option<HookKind>,
}

/// Checks every rule; returns every violation.
#[must_use]
pub fn verify(plan: &Plan) -> Vec<Violation> {
    let has_cgroup_to_join =
        plan.entries.iter().any(|entry| matches!(entry.action, Action::Host(HostStep::JoinCgroup)));
    let mut world = World { has_cgroup_to_join, ..World::default() };
    let mut violations = Vec::new();
    for (index, entry) in plan.entries.iter().enumerate() {
        let broken = world.actors(entry).into_iter().chain(world.take(plan, entry));
        violations.extend(broken.map(|rule| Violation { index, rule }));
    }
    if !world.executed {
        violations.push(Violation { index: plan.entries.len(), rule: "the program is executed" });
    }
    violations
}

/// `rule` unless it holds.
fn require(holds: bool, rule: &'static str) -> Option<&'static str> {
    if holds { None } else { Some(rule) }
}

impl World {
    fn actors(&self, entry: &Entry) -> Vec<&'static str> {
        let ready = match entry.actor {
            Actor::Host => true,
            Actor::Enter => self.has_enter && !self.cloned,
            Actor::Init => self.has_init && (!self.has_enter || self.adopted),
        };
        let matches = matches!(
            (entry.actor, &entry.action),
            (Actor::Host, Action::Host(_)) | (Actor::Enter | Actor::Init, Action::Child(_))
        );
        [
            require(ready, "an actor exists before its first entry"),
            // The process that becomes such a hook goes on with the steps up to exec, and can wait for nobody.
            require(
                entry.actor != Actor::Host
                    || self.executed
                    || self.last_hook != Some(HookKind::StartContainer),
                "the host has no turn between a startContainer hook and exec",
            ),
            require(matches, "the host does host steps and children do child steps"),
            require(
                !self.executed || matches!(entry.action, Action::Host(HostStep::Hook { .. })),
                "nothing but hooks follows exec",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn take(&mut self, plan: &Plan, entry: &Entry) -> Vec<&'static str> {
        let broken = match &entry.action {
            Action::Host(step) => self.host(step),
            Action::Child(step) => self.child(plan, step),
        };
        broken.into_iter().flatten().collect()
    }

    fn has(&self, slot: Slot) -> Option<&'static str> {
        require(self.slots.contains(&slot), "a slot is filled before it is used")
    }

    fn fill(&mut self, slot: Slot) -> Option<&'static str> {
        let fresh = !self.slots.contains(&slot);
        self.slots.push(slot);
        require(fresh && !self.has_enter && !self.has_init, "a slot is filled once, and before the clone")
    }

    fn host(&mut self, step: &HostStep) -> Vec<Option<&'static str>> {
        let claimed = require(self.claimed, "the name is taken before the host is changed");
        match step {
            HostStep::Claim { .. } => {
                self.claimed = true;
                vec![require(step.undo().is_some(), "what is created can be undone")]
            }
            HostStep::LendProc => vec![self.fill(slot::PROC)],
            HostStep::LendTree(tree) => vec![self.fill(tree.slot)],
            HostStep::LendNamespace { slot, .. } => vec![self.fill(*slot)],
            HostStep::Gate => vec![claimed, self.fill(slot::GATE)],
            HostStep::ConnectConsole { .. } => vec![self.fill(slot::CONSOLE)],
            HostStep::CreateCgroup { .. } | HostStep::PidFile { .. } => {
                vec![claimed, require(step.undo().is_some(), "what is created can be undone")]
            }
            HostStep::Clone { actor, flags, into_cgroup } => {
                self.born(*flags);
                self.in_cgroup = *into_cgroup;
                match actor {
                    Actor::Enter => self.has_enter = true,
                    _ => self.has_init = true,
                }
                vec![claimed, require(step.undo().is_some(), "what is created can be undone")]
            }
            HostStep::Adopt => {
                self.adopted = true;
                vec![require(self.cloned, "only a clone can be adopted")]
            }
            HostStep::JoinCgroup => {
                self.in_cgroup = true;
                self.has_cgroup_to_join = false;
                vec![require(self.has_init, "a process exists before it is placed")]
            }
            HostStep::IdMaps { .. } => {
                self.is_mapped = true;
                vec![require(self.user_namespace, "maps belong to a new user namespace")]
            }
            HostStep::Hook { kind, .. } => self.hook(*kind),
            _ => Vec::new(),
        }
    }

    fn born(&mut self, flags: u32) {
        self.user_namespace |= flags & libc::CLONE_NEWUSER as u32 != 0;
    }

    fn child(&mut self, plan: &Plan, step: &Step) -> Vec<Option<&'static str>> {
        match *step {
            Step::CloseFds => {
                self.closed_fds = true;
                Vec::new()
            }
            Step::Join { slot, kind } => {
                self.mount_namespace |= kind == libc::CLONE_NEWNS as u32;
                vec![self.has(slot)]
            }
            Step::CloneInit { flags } => {
                self.cloned = true;
                self.has_init = true;
                self.born(flags);
                Vec::new()
            }
            Step::BecomeRoot => {
                let mapped = self.is_mapped || !self.user_namespace;
                vec![require(mapped, "the maps are written before becoming root")]
            }
            Step::Unshare { flags } => {
                self.mount_namespace |= flags & libc::CLONE_NEWNS as u32 != 0;
                let placed =
                    flags & libc::CLONE_NEWCGROUP as u32 == 0 || (self.in_cgroup && !self.has_cgroup_to_join);
                vec![
                    require(placed, "the process is placed before it makes a cgroup namespace"),
                    require(self.closed_fds, "inherited descriptors are closed first"),
                ]
            }
            Step::Propagate { .. } => {
                self.propagated = true;
                vec![self.may_mount()]
            }
            Step::AttachRoot { .. } => {
                self.root_attached = true;
                vec![
                    self.may_mount(),
                    self.has(slot::ROOT),
                    require(self.propagated, "propagation is set before the first mount"),
                ]
            }
            Step::Mount { .. } | Step::Node { .. } | Step::Link { .. } => vec![self.may_build()],
            Step::Attach { tree, .. } => vec![self.may_build(), self.has(tree)],
            Step::Terminal { .. } => vec![self.may_build(), self.has(slot::CONSOLE)],
            Step::Pivot | Step::MoveRoot => {
                self.pivoted = true;
                vec![require(self.root_attached, "the root is attached before it becomes the root")]
            }
            Step::Mask { .. } | Step::ReadOnly { .. } => {
                vec![require(
                    self.pivoted,
                    "paths are hidden after the pivot, when nothing can be put over them",
                )]
            }
            Step::Hook(hook) => {
                let kind = if hook.confined { HookKind::StartContainer } else { HookKind::CreateContainer };
                self.hook(kind)
            }
            Step::ProcWrite { .. } => vec![self.has(slot::PROC)],
            _ => self.program(plan, step),
        }
    }

    fn may_mount(&self) -> Option<&'static str> {
        require(self.mount_namespace, "nothing is mounted before the mount namespace")
    }

    fn may_build(&self) -> Option<&'static str> {
        require(
            self.root_attached && !self.pivoted,
            "the root is built after it is attached and before the pivot",
        )
    }

    fn program(&mut self, plan: &Plan, step: &Step) -> Vec<Option<&'static str>> {
        match *step {
            Step::Bounding { .. } | Step::Groups { .. } => {
                vec![require(!self.user_changed, "bounding set and groups come before the change of user")]
            }
            Step::User { .. } => {
                self.user_changed = true;
                vec![require(self.pivoted, "the user changes after the pivot")]
            }
            Step::Rlimit { .. } => {
                vec![require(!self.capabilities_set, "limits are set while capabilities are there")]
            }
            Step::Find { .. } => {
                self.found = true;
                vec![require(self.user_changed, "the program is looked for as the user")]
            }
            Step::WaitForStart => vec![self.has(slot::GATE)],
            Step::Capabilities { .. } => {
                self.capabilities_set = true;
                vec![require(self.user_changed, "the final sets follow the change of user")]
            }
            Step::NoNewPrivileges => {
                self.no_new_privileges = true;
                vec![require(!self.filtered, "no_new_privs is set before the filter")]
            }
            Step::Seccomp { .. } => {
                self.filtered = true;
                vec![
                    require(
                        self.no_new_privileges == self.capabilities_set,
                        "the filter is loaded with no_new_privs after, or without it before, the capabilities go",
                    ),
                    require(!plan.filter.is_empty(), "a filter that is loaded has instructions"),
                ]
            }
            Step::Exec => {
                self.executed = true;
                vec![
                    require(self.found || plan.argv.is_empty(), "the program is found before it is executed"),
                    require(self.capabilities_set || plan.argv.is_empty(), "capabilities go before exec"),
                    require(plan.filter.is_empty() || self.filtered, "a filter is loaded before exec"),
                ]
            }
            _ => Vec::new(),
        }
    }
}
