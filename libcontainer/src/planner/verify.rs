//! The rules of [`Rule`], checked by walking a plan with an abstract state. Every plan is checked when it is made:
//! it costs a microsecond, and a plan that breaks a rule is never executed.

use libcontainer_init::step::Filesystem;
use libcontainer_init::{Slot, Step, slot};

use super::entry::{Action, Actor, Entry, HostStep};
use super::rule::{Rule, Violation};
use super::{Plan, Purpose, filesystems};
use crate::cgroup::Devices;
use crate::spec::HookKind;

mod hooks;
mod host;
mod program;

/// Checks every rule; returns every violation, in order.
#[must_use]
pub fn verify(plan: &Plan) -> Vec<Violation> {
    let mut world = World::new(plan);
    for (index, entry) in plan.entries.iter().enumerate() {
        world.index = index;
        world.actors(entry);
        world.meanwhile(entry);
        world.mounts(entry);
        match &entry.action {
            Action::Host(step) => world.host(step),
            Action::Child(step) => world.child(entry.actor, step),
        }
        world.previous = Some(entry.actor);
    }
    world.index = plan.entries.len();
    world.require(world.executed, Rule::LastIsExec);
    world.violations
}

const CLONE_NEWTIME: u32 = 0x80;

fn with_network(plan: &Plan) -> Vec<usize> {
    let entries = plan.entries.iter().enumerate();
    let may_show = entries.filter(|(_, entry)| match entry.action {
        Action::Child(Step::Mount { fs: Filesystem { fstype, .. }, .. } | Step::MountText { fstype, .. }) => {
            filesystems::may_show_network(&plan.pool.show(fstype))
        }
        Action::Child(Step::ProcWrite { path, .. }) => plan.pool.show(path).starts_with("sys/"),
        _ => false,
    });
    may_show.map(|(index, _)| index).collect()
}

/// Whether the entry shows a plan whose trees are all copied together: with locked flags, by `Init`, or for a root that
/// is attached nowhere.
fn makes_at_once(entry: &Entry) -> bool {
    matches!(
        entry.action,
        Action::Host(HostStep::LockMounts) | Action::Child(Step::TakeTree { .. } | Step::ChangeRoot)
    )
}

/// The place in `/mounts` of what the entry makes a mount for.
fn made_for(entry: &Entry) -> Option<usize> {
    let makes = matches!(
        entry.action,
        Action::Host(HostStep::LendTree(_)) | Action::Child(Step::Mount { .. } | Step::MountText { .. })
    );
    let pointer = entry.pointer.as_deref().filter(|_| makes)?;
    pointer.strip_prefix("/mounts/")?.parse().ok()
}

/// What has happened up to an entry.
#[derive(Default)]
struct World {
    violations: Vec<Violation>,
    index: usize,
    previous: Option<Actor>,
    /// Whether the entry may be done while a child is at its own.
    has_child_at_work: bool,
    /// Whether the child may be making file systems.
    is_mounting: bool,
    /// By number.
    slots: Vec<bool>,
    has_filter: bool,
    /// A container without a process is set up and never executes anything.
    has_program: bool,
    /// Whether a program is executed in a container that others have made.
    is_exec: bool,
    claimed: bool,
    recorded: bool,
    has_enter: bool,
    has_init: bool,
    /// Whether `Enter` has cloned `Init`.
    cloned: bool,
    adopted: bool,
    /// How many user namespaces there are for idmapped mounts.
    id_namespaces: usize,
    /// Whether `Enter` has made a time namespace, which only `Init` will be in.
    clock_made: bool,
    clock_set: bool,
    new_user: bool,
    is_mapped: bool,
    /// `CLONE_NEW*` of the container's own namespaces, made or joined.
    namespaces: u32,
    is_root: bool,
    has_cgroup: bool,
    has_cgroup_to_join: bool,
    in_cgroup: bool,
    /// Whether the entry before made a process.
    just_cloned: bool,
    closed_fds: bool,
    hidden: bool,
    /// Whether the host makes the container's network namespace.
    network_is_made: bool,
    network_begun: bool,
    /// Entries that mount or change what may belong to a network namespace.
    shows_network: Vec<usize>,
    /// Whether the order in which mounts are made is seen by nobody, or not ours to choose.
    mounts_at_once: bool,
    /// The place in `/mounts` of what was made last.
    last_mount: usize,
    propagated: bool,
    root_attached: bool,
    pivoted: bool,
    user_changed: bool,
    found: bool,
    gated: bool,
    signals_reset: bool,
    capabilities_set: bool,
    no_new_privileges: bool,
    filtered: bool,
    /// Whether the entry before loaded a filter that has a listener.
    has_listener: bool,
    executed: bool,
    /// The kind of the hook before.
    last_hook: Option<HookKind>,
}

impl World {
    fn new(plan: &Plan) -> Self {
        let has = |wanted: fn(&HostStep) -> bool| {
            plan.entries.iter().any(|entry| matches!(&entry.action, Action::Host(step) if wanted(step)))
        };
        Self {
            slots: vec![false; plan.slots],
            has_filter: !plan.filter.is_empty(),
            has_program: !plan.argv.is_empty(),
            network_is_made: has(|step| {
                matches!(step, HostStep::BeginNetwork | HostStep::SendNetwork { .. })
            }),
            shows_network: with_network(plan),
            mounts_at_once: plan.entries.iter().any(makes_at_once),
            has_cgroup_to_join: has(|step| matches!(step, HostStep::JoinCgroup)),
            // A caller that may make none leaves the container in its own.
            in_cgroup: !has(|step| {
                matches!(step, HostStep::CreateCgroup { .. } | HostStep::OpenCgroup { .. })
            }),
            // What a program is executed in was made and recorded by others.
            is_exec: plan.purpose == Purpose::Exec,
            claimed: plan.purpose == Purpose::Exec,
            recorded: plan.purpose == Purpose::Exec,
            ..Self::default()
        }
    }

    fn require(&mut self, holds: bool, rule: Rule) {
        if !holds {
            self.violations.push(Violation { index: self.index, rule });
        }
    }

    fn actors(&mut self, entry: &Entry) {
        let exists = match entry.actor {
            Actor::Host => true,
            Actor::Enter => self.has_enter && !self.cloned,
            Actor::Init => self.has_init && (!self.has_enter || self.adopted),
        };
        self.require(exists, Rule::ActorExists);
        let fits = matches!(
            (entry.actor, &entry.action),
            (Actor::Host, Action::Host(_)) | (Actor::Enter | Actor::Init, Action::Child(_))
        );
        self.require(fits, Rule::ActorFits);
        let closes = matches!(entry.action, Action::Child(Step::CloseFds));
        self.require(closes == self.just_cloned, Rule::ClosedFirst);
        self.just_cloned = matches!(entry.action, Action::Host(HostStep::Clone { .. }));
        let is_hook = matches!(entry.action, Action::Host(HostStep::RunHook { .. }));
        self.require(!self.executed || is_hook, Rule::NothingAfterExec);
        let waits = self.gated || self.last_hook == Some(HookKind::StartContainer);
        let is_listener = matches!(entry.action, Action::Host(HostStep::SendListener(_)));
        let has_host = !waits || self.executed || is_listener;
        self.require(has_host || entry.actor != Actor::Host, Rule::NoHostAfterGate);
        self.require(is_listener == self.has_listener, Rule::ListenerSent);
        self.has_listener = false;
    }

    /// What the host does while the child is at work must not depend on what the child has yet to do.
    fn meanwhile(&mut self, entry: &Entry) {
        self.is_mounting = match entry.action {
            Action::Child(Step::Mount { .. } | Step::MountText { .. }) => true,
            Action::Host(_) => self.is_mounting && entry.meanwhile,
            Action::Child(_) => self.is_mounting,
        };
        let lends = matches!(entry.action, Action::Host(HostStep::LendTree(_)));
        let needs_nothing = (lends && !self.is_mounting)
            || matches!(
                entry.action,
                Action::Host(
                    HostStep::Devices(Devices::Program(_))
                        | HostStep::Record { running: true }
                        | HostStep::EnterCgroup { .. }
                        | HostStep::JoinCgroup
                        | HostStep::StartUnit(_)
                        | HostStep::DelegateCgroup { .. }
                        | HostStep::JoinRdtGroups(_)
                        | HostStep::Limit(_)
                        | HostStep::IdMaps { .. }
                        | HostStep::OomScore { .. }
                        | HostStep::SendNetwork { .. }
                )
            );
        self.require(!entry.meanwhile || (needs_nothing && self.has_child_at_work), Rule::Meanwhile);
        self.has_child_at_work = entry.meanwhile || entry.actor != Actor::Host;
    }

    fn mounts(&mut self, entry: &Entry) {
        if let Some(index) = made_for(entry).filter(|_| !self.mounts_at_once) {
            self.require(self.last_mount <= index, Rule::MountsInOrder);
            self.last_mount = index;
        }
    }

    fn has(&mut self, slot: Slot) {
        let filled = self.slots.get(usize::from(slot.0)) == Some(&true);
        self.require(filled, Rule::SlotFilled);
    }

    /// By the host.
    fn fill(&mut self, slot: Slot) {
        self.fill_once(slot);
        self.require(!self.has_enter && !self.has_init, Rule::SlotFilledEarly);
    }

    fn fill_once(&mut self, slot: Slot) {
        let is_fresh = match self.slots.get_mut(usize::from(slot.0)) {
            Some(filled) => !std::mem::replace(filled, true),
            None => false,
        };
        self.require(is_fresh, Rule::SlotFilledOnce);
    }

    fn owns(&self, flag: i32) -> bool {
        self.namespaces & flag as u32 != 0
    }

    /// What needs a container's network must not find the host's.
    fn network(&mut self, step: &Step) {
        let needs = matches!(step, Step::Hook(_) | Step::Pivot | Step::MoveRoot | Step::ChangeRoot)
            || self.shows_network.contains(&self.index);
        if needs {
            self.in_network();
        }
    }

    fn in_network(&mut self) {
        self.require(!self.network_is_made || self.owns(libc::CLONE_NEWNET), Rule::NetworkFirst);
    }

    fn child(&mut self, actor: Actor, step: &Step) {
        self.network(step);
        self.closed_fds |= matches!(step, Step::CloseFds);
        self.hidden |= matches!(step, Step::Hide);
        let may_be_seen = actor == Actor::Enter || matches!(step, Step::CloseFds);
        self.require(self.hidden || may_be_seen, Rule::HiddenEarly);
        match *step {
            Step::Join { slot, kind } => {
                self.require(self.closed_fds && self.hidden, Rule::ClosedBeforeJoin);
                self.has(slot);
                self.namespaces |= kind;
            }
            Step::JoinProcess { slot, kinds } => {
                self.require(self.closed_fds && self.hidden, Rule::ClosedBeforeJoin);
                // From inside, the way to the cgroup is barred.
                self.require(self.in_cgroup, Rule::PlacedFirst);
                self.has(slot);
                self.namespaces |= kinds;
            }
            Step::OpenRoot => self.open_root(),
            Step::CloneInit { flags } => {
                self.require(self.clock_set || !self.clock_made, Rule::ClocksFirst);
                self.require(!self.has_init, Rule::BornOnce);
                self.cloned = true;
                self.has_init = true;
                self.born(flags);
            }
            Step::BecomeRoot => {
                self.require(self.is_mapped || !self.new_user, Rule::MapsFirst);
                self.is_root = true;
            }
            Step::Unshare { flags } => {
                self.clock_made |= actor == Actor::Enter && flags & CLONE_NEWTIME != 0;
                self.unshare(flags);
            }
            Step::Hostname { .. } | Step::Domainname { .. } => {
                self.require(self.owns(libc::CLONE_NEWUTS), Rule::OwnNames);
            }
            Step::LoopbackUp => self.require(self.owns(libc::CLONE_NEWNET), Rule::OwnNetwork),
            Step::ProcWrite { .. } => self.has(slot::PROC),
            _ => self.file_system(step),
        }
    }

    /// The root of a container that others have built.
    fn open_root(&mut self) {
        self.require(self.owns(libc::CLONE_NEWNS) && !self.root_attached, Rule::RootOfContainer);
        self.root_attached = true;
        self.pivoted = true;
        if let Some(filled) = self.slots.get_mut(usize::from(slot::ROOT.0)) {
            *filled = true;
        }
    }

    /// A root that is built, or was built, without being attached.
    fn change_root(&mut self) {
        self.has(slot::ROOT);
        let is_hosts = self.is_exec || !self.owns(libc::CLONE_NEWNS);
        self.require(is_hosts && !self.root_attached && !self.pivoted, Rule::RootDetached);
        self.pivoted = true;
    }

    /// Whether there is a root to work on: attached, or where nothing may be attached, lent.
    fn has_root(&self) -> bool {
        let is_lent = self.slots.get(usize::from(slot::ROOT.0)) == Some(&true);
        self.root_attached || (is_lent && !self.owns(libc::CLONE_NEWNS))
    }

    fn unshare(&mut self, flags: u32) {
        let is_placed = self.in_cgroup && !self.has_cgroup_to_join;
        self.require(flags & libc::CLONE_NEWCGROUP as u32 == 0 || is_placed, Rule::PlacedFirst);
        // Nobody looks up an id in a time namespace or by making a user namespace.
        let has_ids = flags & !(CLONE_NEWTIME | libc::CLONE_NEWUSER as u32) != 0;
        self.require(self.is_root || !has_ids || !self.owns(libc::CLONE_NEWUSER), Rule::RootFirst);
        self.born(flags);
    }

    fn file_system(&mut self, step: &Step) {
        match *step {
            Step::Propagate { .. } => {
                self.require(self.owns(libc::CLONE_NEWNS), Rule::OwnMounts);
                self.propagated = true;
            }
            Step::TakeTree { slot, .. } => {
                self.require(self.propagated, Rule::PropagationFirst);
                self.fill_once(slot);
            }
            Step::SetTree { tree, .. } => self.has(tree),
            Step::AttachRoot { .. } => {
                self.require(self.owns(libc::CLONE_NEWNS), Rule::OwnMounts);
                self.require(self.propagated, Rule::PropagationFirst);
                self.has(slot::ROOT);
                self.root_attached = true;
            }
            Step::MountText { .. } => {
                self.require(self.owns(libc::CLONE_NEWNS), Rule::OwnMounts);
                self.build();
            }
            Step::Mount { .. } | Step::Reconfigure { .. } | Step::Cover { .. } => self.build(),
            Step::Node { .. } | Step::Link { .. } | Step::Label { .. } => self.build(),
            Step::Attach { tree, .. } => {
                self.build();
                self.has(tree);
            }
            Step::Hook(hook) if hook.confined => self.hook(HookKind::StartContainer),
            Step::Hook(_) => self.hook(HookKind::CreateContainer),
            Step::Terminal { console, .. } => {
                match console {
                    true => self.build(),
                    false => self.require(self.has_root() || self.pivoted, Rule::RootAttached),
                }
                self.has(slot::CONSOLE);
            }
            Step::Streams => slot::STREAMS.into_iter().for_each(|slot| self.has(slot)),
            Step::Attributes { .. } => self.require(self.has_root(), Rule::RootAttached),
            Step::Pivot | Step::MoveRoot => {
                self.require(self.root_attached, Rule::RootAttached);
                self.pivoted = true;
            }
            Step::ChangeRoot => self.change_root(),
            Step::Mask { .. } | Step::ReadOnly { .. } => self.require(self.pivoted, Rule::HiddenLast),
            _ => self.program(step),
        }
    }

    fn build(&mut self) {
        self.require(self.has_root() && !self.pivoted, Rule::RootIsBuilt);
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
