//! Namespaces: which process joins or makes which, and when.
//!
//! A pid or time namespace holds only for children, and a joined user namespace must own the namespaces made
//! after it: such membership needs `Enter`, a process that joins first and then clones the container. Otherwise
//! the host clones it directly.

use std::path::PathBuf;

use libcontainer_init::Step;

use super::build::Build;
use super::entry::{Actor, HostStep};
use super::{cgroups, idmap, resctrl};
use crate::Result;
use crate::spec::{Membership, Namespace, Namespaces};

/// One kind of namespace.
#[derive(Clone, Copy)]
struct Kind {
    flag: i32,
    /// Whether only children become members.
    children_only: bool,
}

fn kinds(namespaces: &Namespaces) -> [(Kind, &Namespace); 8] {
    let kind = |flag, children_only| Kind { flag, children_only };
    [
        (kind(libc::CLONE_NEWUSER, true), &namespaces.user),
        (kind(libc::CLONE_NEWPID, true), &namespaces.pid),
        (kind(CLONE_NEWTIME, true), &namespaces.time),
        (kind(libc::CLONE_NEWNS, false), &namespaces.mount),
        (kind(libc::CLONE_NEWUTS, false), &namespaces.uts),
        (kind(libc::CLONE_NEWIPC, false), &namespaces.ipc),
        (kind(libc::CLONE_NEWNET, false), &namespaces.network),
        (kind(libc::CLONE_NEWCGROUP, false), &namespaces.cgroup),
    ]
}

/// libc has it as a c_int too, but not on every target.
const CLONE_NEWTIME: i32 = 0x80;

const NEWTIME: u32 = CLONE_NEWTIME as u32;
const NEWUSER: u32 = libc::CLONE_NEWUSER as u32;

/// Clones, joins and unshares, up to the point where the container's first process has all its namespaces.
pub(super) fn enter(build: &mut Build<'_>, cgroup: cgroups::Planned, groups: Vec<PathBuf>) -> Result<()> {
    let namespaces = &build.request.config.namespaces;
    let into_cgroup = cgroup.is_birthplace();
    let has_user = namespaces.user.membership != Membership::Host;
    let joins = lent(build, Join::by_enter);
    let through_enter = through_enter(build, &joins);
    if !through_enter {
        let flags = flags(namespaces, true);
        build.clone(Actor::Init, flags, into_cgroup);
    } else {
        clone_through_enter(build, joins, into_cgroup);
    }
    let born = build.entries.len();
    cgroups::take_in(build, cgroup);
    resctrl::join(build, groups);
    idmap::plan(build)?;
    if let Some(value) = oom_score(build).filter(|_| has_user) {
        build.host_for(HostStep::OomScore { value }, "/process/oomScoreAdj");
    }
    // A process that was cloned by `Enter` does nothing before the host's turn.
    if !through_enter {
        build.meanwhile_from(born);
    }
    build.init(Step::Hide);
    if has_user {
        build.init_for(Step::BecomeRoot, "/linux/uidMappings");
    }
    join_and_unshare(build);
    Ok(())
}

/// Whether another process must come first.
fn through_enter(build: &Build<'_>, joins: &[Join]) -> bool {
    !joins.is_empty() || !build.request.config.time_offsets.is_empty()
}

/// A process joins first and then clones the container. What the joined user namespace does not own comes before it,
/// for it is out of reach from inside.
fn clone_through_enter(build: &mut Build<'_>, joins: Vec<Join>, into_cgroup: bool) {
    let config = build.request.config;
    let born = flags(&config.namespaces, true);
    // Clocks can be set only while nobody is in the time namespace: not by a clone into it. The user namespace that
    // is to own it must be there before; nobody can be born in one that a joined namespace does not know.
    let made = if config.time_offsets.is_empty() { 0 } else { born & (NEWUSER | NEWTIME) };
    let entered = if joins.is_empty() { made & NEWUSER } else { 0 };
    build.clone(Actor::Enter, entered, into_cgroup);
    if !joins.is_empty() {
        // From here on processes of others may see it, and what it clones.
        build.enter(Step::Hide, None);
    }
    let (after, before): (Vec<Join>, Vec<Join>) =
        joins.into_iter().partition(|join| join.kind == NEWUSER || join.owned_by_user);
    for join in before.iter().chain(&after) {
        build.enter(join.step(), Some(join.pointer.clone()));
    }
    if made != 0 {
        build.enter(Step::Unshare { flags: made & !entered }, Some("/linux/timeOffsets".into()));
        build.host_for(HostStep::TimeOffsets(config.time_offsets.clone()), "/linux/timeOffsets");
    }
    build.enter(Step::CloneInit { flags: born & !made }, Some("/linux/namespaces".into()));
    build.host(HostStep::Adopt);
}

/// The rest of the namespaces, which a process may enter by itself.
fn join_and_unshare(build: &mut Build<'_>) {
    for join in lent(build, |join, user| !join.by_enter(user)) {
        build.init_for(join.step(), join.pointer.clone());
    }
    let by_host = if build.network.is_some() { libc::CLONE_NEWNET as u32 } else { 0 };
    let flags = flags(&build.request.config.namespaces, false) & !by_host;
    if flags != 0 {
        build.init_for(Step::Unshare { flags }, "/linux/namespaces");
    }
}

/// Begins with what takes the kernel longest. The container's user namespace would have to own it, `Enter` has turns of
/// its own, and devices are moved into it before the mounts: there the child makes it.
pub(super) fn begin_network(build: &mut Build<'_>) {
    let config = build.request.config;
    let by_host = config.namespaces.network.membership == Membership::New
        && config.namespaces.user.membership == Membership::Host
        && config.net_devices.is_empty()
        && !through_enter(build, &lent(build, Join::by_enter));
    if by_host {
        build.host_for(HostStep::BeginNetwork, "/linux/namespaces");
        build.network = Some(network_slot(&config.namespaces));
    }
}

/// Joins the network namespace that the host makes, if that is still to be done. The later, the less is waited for it.
pub(super) fn join_network(build: &mut Build<'_>) {
    let Some(slot) = build.network.take() else { return };
    build.host_for(HostStep::SendNetwork { slot }, "/linux/namespaces");
    build.meanwhile();
    build.init_for(Step::Join { slot, kind: libc::CLONE_NEWNET as u32 }, "/linux/namespaces");
}

fn oom_score(build: &Build<'_>) -> Option<i32> {
    build.request.config.process.as_ref().and_then(|process| process.oom_score_adj)
}

/// `CLONE_NEW*` of the new namespaces that a process is born in, or those that it makes itself.
fn flags(namespaces: &Namespaces, children_only: bool) -> u32 {
    let new = kinds(namespaces).into_iter().filter(|(kind, namespace)| {
        kind.children_only == children_only && namespace.membership == Membership::New
    });
    new.fold(0, |flags, (kind, _)| flags | kind.flag as u32)
}

/// A namespace to be joined.
struct Join {
    kind: u32,
    children_only: bool,
    slot: libcontainer_init::Slot,
    pointer: String,
    owned_by_user: bool,
    path: PathBuf,
}

impl Join {
    fn step(&self) -> Step {
        Step::Join { slot: self.slot, kind: self.kind }
    }

    /// Whether it must be joined before the container's first process is cloned: a pid, time or user namespace always;
    /// another one if it is out of reach from the container's user namespace.
    fn by_enter(&self, user: &Membership) -> bool {
        self.children_only
            || match user {
                Membership::Host => false,
                Membership::New => true,
                Membership::Join(_) => !self.owned_by_user,
            }
    }
}

/// The joins that are chosen, with a slot each. The slot follows from the kind, so that lending and joining agree
/// without remembering anything.
fn lent(build: &Build<'_>, chosen: impl Fn(&Join, &Membership) -> bool) -> Vec<Join> {
    let facts = build.request.facts;
    let namespaces = &build.request.config.namespaces;
    let all = kinds(namespaces).into_iter().enumerate();
    let joins = all.filter_map(|(place, (kind, namespace))| match &namespace.membership {
        Membership::Join(path) => Some(Join {
            kind: kind.flag as u32,
            children_only: kind.children_only,
            slot: libcontainer_init::slot::namespace(place as u16),
            pointer: format!("/linux/namespaces/{}/path", namespace.index),
            owned_by_user: facts.owned_by_joined_user.contains(&(kind.flag as u32)),
            path: path.clone(),
        }),
        _ => None,
    });
    joins.filter(|join| chosen(join, &namespaces.user.membership)).collect()
}

/// The slot that it would have if it were joined by its path.
fn network_slot(namespaces: &Namespaces) -> libcontainer_init::Slot {
    let place = kinds(namespaces).iter().position(|(kind, _)| kind.flag == libc::CLONE_NEWNET);
    libcontainer_init::slot::namespace(place.unwrap_or_default() as u16)
}

/// Lends the handles of every namespace that will be joined.
pub(super) fn lend_all(build: &mut Build<'_>) {
    for join in lent(build, |_, _| true) {
        let step = HostStep::LendNamespace { path: join.path.clone(), kind: join.kind, slot: join.slot };
        build.host_for(step, join.pointer);
    }
}
