//! Namespaces: which process joins or makes which, and when.
//!
//! A pid or time namespace holds only for children, and a joined user namespace must own the namespaces made
//! after it: such membership needs `Enter`, a process that joins first and then clones the container. Otherwise
//! the host clones it directly.

use std::path::PathBuf;

use libcontainer_init::Step;

use super::build::Build;
use super::cgroups;
use super::entry::{Actor, HostStep};
use super::resctrl;
use crate::cgroup::{Placement, Write};
use crate::spec::{Membership, Namespace, Namespaces};
use crate::{Error, ErrorKind, Result};

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

/// Clones, joins and unshares, up to the point where the container's first process has all its namespaces.
pub(super) fn enter(
    build: &mut Build<'_>,
    placement: &Placement,
    late: Vec<Write>,
    groups: Vec<PathBuf>,
) -> Result<()> {
    let namespaces = &build.request.config.namespaces;
    if namespaces.mount.membership == Membership::Host {
        return Err(Error::new(
            ErrorKind::Unsupported { pointer: "/linux/namespaces".into() },
            "/linux/namespaces: a container in the host's mount namespace is not supported (add {\"type\": \"mount\"})",
        ));
    }
    let into_cgroup = placement.unified().is_some();
    let born = flags(namespaces, true);
    let has_user = namespaces.user.membership != Membership::Host;
    if needs_enter(namespaces) {
        let joins = lent(build, |kind| kind.children_only);
        build.host(HostStep::Clone { actor: Actor::Enter, flags: 0, into_cgroup });
        let (after_user, before_user): (Vec<Join>, Vec<Join>) =
            joins.into_iter().partition(|join| join.kind == libc::CLONE_NEWUSER as u32 || join.owned_by_user);
        for join in before_user.iter().chain(&after_user) {
            build.enter(join.step(), Some(join.pointer.clone()));
        }
        build.enter(Step::CloneInit { flags: born }, Some("/linux/namespaces".into()));
        build.host(HostStep::Adopt);
    } else {
        build.host_for(HostStep::Clone { actor: Actor::Init, flags: born, into_cgroup }, "/linux/namespaces");
    }
    if !build.request.facts.cgroup.v1.is_empty() {
        build.host_for(HostStep::JoinCgroup, "/linux/cgroupsPath");
    }
    for write in late {
        cgroups::limit(build, write);
    }
    resctrl::join(build, groups);
    if namespaces.user.membership == Membership::New {
        let config = build.request.config;
        let step = HostStep::IdMaps { uids: config.uid_maps.clone(), gids: config.gid_maps.clone() };
        build.host_for(step, "/linux/uidMappings");
    }
    if let Some(value) = oom_score(build).filter(|_| has_user) {
        build.host_for(HostStep::OomScore { value }, "/process/oomScoreAdj");
    }
    build.init(Step::CloseFds);
    if has_user {
        build.init_for(Step::BecomeRoot, "/linux/uidMappings");
    }
    join_and_unshare(build);
    Ok(())
}

/// The rest of the namespaces, which a process may enter by itself.
fn join_and_unshare(build: &mut Build<'_>) {
    for join in lent(build, |kind| !kind.children_only) {
        build.init_for(join.step(), join.pointer.clone());
    }
    let flags = flags(&build.request.config.namespaces, false);
    if flags != 0 {
        build.init_for(Step::Unshare { flags }, "/linux/namespaces");
    }
}

fn oom_score(build: &Build<'_>) -> Option<i32> {
    build.request.config.process.as_ref().and_then(|process| process.oom_score_adj)
}

fn needs_enter(namespaces: &Namespaces) -> bool {
    let joined = |namespace: &Namespace| matches!(namespace.membership, Membership::Join(_));
    kinds(namespaces).iter().any(|(kind, namespace)| kind.children_only && joined(namespace))
}

/// `CLONE_NEW*` of the new namespaces that a process is born in, or those that it makes itself.
fn flags(namespaces: &Namespaces, children_only: bool) -> u32 {
    let new = kinds(namespaces).into_iter().filter(|(kind, namespace)| {
        kind.children_only == children_only && namespace.membership == Membership::New
    });
    new.fold(0, |flags, (kind, _)| flags | kind.flag as u32)
}

struct Join {
    kind: u32,
    slot: libcontainer_init::Slot,
    pointer: String,
    owned_by_user: bool,
    path: PathBuf,
}

impl Join {
    fn step(&self) -> Step {
        Step::Join { slot: self.slot, kind: self.kind }
    }
}

/// The joins of the chosen kinds, with a slot each. The slot follows from the kind, so that lending and joining
/// agree without remembering anything.
fn lent(build: &Build<'_>, chosen: impl Fn(&Kind) -> bool) -> Vec<Join> {
    let facts = build.request.facts;
    let all = kinds(&build.request.config.namespaces).into_iter().enumerate();
    all.filter(|(_, (kind, _))| chosen(kind))
        .filter_map(|(place, (kind, namespace))| match &namespace.membership {
            Membership::Join(path) => Some(Join {
                kind: kind.flag as u32,
                slot: libcontainer_init::slot::namespace(place as u16),
                pointer: format!("/linux/namespaces/{}/path", namespace.index),
                owned_by_user: facts.owned_by_joined_user.contains(&(kind.flag as u32)),
                path: path.clone(),
            }),
            _ => None,
        })
        .collect()
}

/// Lends the handles of every namespace that will be joined.
pub(super) fn lend_all(build: &mut Build<'_>) {
    for join in lent(build, |_| true) {
        let step = HostStep::LendNamespace { path: join.path.clone(), kind: join.kind, slot: join.slot };
        build.host_for(step, join.pointer);
    }
}
