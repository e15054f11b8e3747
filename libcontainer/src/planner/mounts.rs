//! `/mounts`: binds are detached trees that the host prepares, file systems are made by `Init` in its own namespaces.

use std::path::{Path, PathBuf};

use libcontainer_init::attr::MountAttr;
use libcontainer_init::step::Filesystem;
use libcontainer_init::{Step, slot};

use super::build::{Build, Place};
use super::entry::{Source, Tree};
use super::rootfs::{flag, namespace_propagation};
use super::{filesystems, host_made, host_mounts, mount_ids, selinux};
use crate::cgroup::{Hierarchy, Layout, Placement};
use crate::error::describe_errno;
use crate::facts::PathFact;
use crate::spec::{
    Attributes, Config, Membership, Mount, MountKind, Namespaces, Propagation, PropagationKind, attr,
};
use crate::{Error, ErrorKind, Result};

/// Where every host has them. They are shown as they are to a container that has none of its own.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Lends the trees of `/mounts` that need not wait for what is mounted before them.
pub(super) fn lend(build: &mut Build<'_>, placement: &Placement) -> Result<()> {
    let config = build.request.config;
    selinux::check_mounts(build)?;
    let early = early(build);
    for mount in config.mounts.iter().take(early) {
        for tree in trees(build, placement, mount)? {
            build.lend(tree, Some(pointer(mount)));
        }
    }
    mount_ids::prepare(build);
    Ok(())
}

/// How many of `/mounts` are lent before the clone, if they are lent at all.
///
/// Since Linux 6.8 mountinfo(5) lists mounts in the order in which they were made, which must be that of the
/// configuration: it is what tells a mount from what covers it. So the host makes its trees when the container's own
/// file systems before them are there. Trees whose flags are locked, and those that `Init` takes, are copied all at
/// once, and what is attached nowhere is not listed.
fn early(build: &Build<'_>) -> usize {
    let config = build.request.config;
    let at_once = config.namespaces.user.membership != Membership::Host || host_mounts::applies(config);
    match config.mounts.iter().position(|mount| makes(build, mount)) {
        Some(first) if !at_once => first,
        _ => config.mounts.len(),
    }
}

/// Whether `Init` makes a file system for `mount`.
fn makes(build: &Build<'_>, mount: &Mount) -> bool {
    match mount.kind {
        MountKind::Filesystem { .. } => !host_made::is(build, mount),
        MountKind::Cgroup => !is_one_tree(build),
        MountKind::Bind { .. } | MountKind::Remount { .. } => false,
    }
}

/// What the host lends for `mount`, in the order in which it is attached.
fn trees(build: &mut Build<'_>, placement: &Placement, mount: &Mount) -> Result<Vec<Tree>> {
    let made = |build: &Build<'_>, path: PathBuf| Tree {
        source: Source::Made(path.clone()),
        path,
        ..bind(build, mount)
    };
    Ok(match &mount.kind {
        MountKind::Bind { source, recursive } => {
            check_source(build, mount, source)?;
            let idmap = mount_ids::of(build, mount);
            let path = source.clone();
            vec![Tree { path, recursive: *recursive, idmap, ..bind(build, mount) }]
        }
        // Without a cgroup namespace a v1 hierarchy would show the host's whole tree, and a user namespace may
        // not mount the unified one.
        MountKind::Cgroup if !is_lent(build) => Vec::new(),
        MountKind::Cgroup if build.request.facts.cgroup_denied => {
            vec![Tree { recursive: true, ..made(build, CGROUPS.into()) }]
        }
        MountKind::Cgroup => placement.dirs().into_iter().map(|dir| made(build, dir)).collect(),
        MountKind::Filesystem { .. } => host_made::tree(build, mount)?.into_iter().collect(),
        MountKind::Remount { .. } => Vec::new(),
    })
}

pub(super) fn check_source(build: &Build<'_>, mount: &Mount, source: &Path) -> Result<()> {
    let Some(PathFact::Missing { errno }) = build.request.facts.sources.get(&mount.index) else {
        return Ok(());
    };
    let pointer = format!("/mounts/{}/source", mount.index);
    let message = format!("{pointer}: {}: {}", source.display(), describe_errno(*errno));
    Err(Error::new(ErrorKind::InvalidSpec { pointer }, message))
}

pub(super) fn pointer(mount: &Mount) -> String {
    format!("/mounts/{}", mount.index)
}

/// A tree with the attributes of `mount`. It starts as what the namespace is to the host, and a shared mount on top
/// of that has peers of its own.
pub(super) fn bind(build: &Build<'_>, mount: &Mount) -> Tree {
    let namespace = namespace_propagation(build.request.config);
    let base = if namespace == libc::MS_SHARED { 0 } else { namespace };
    let asked = mount.propagation.map(|propagation| (flag(propagation.kind), propagation.recursive));
    let mut all = MountAttr { propagation: base, ..attributes(mount.recursive) };
    let mut top = attributes(mount.attributes);
    match asked {
        Some((flag, true)) if flag != libc::MS_SHARED => all.propagation = flag,
        Some((flag, _)) => top.propagation = flag,
        None => {}
    }
    Tree {
        source: Source::Mount(mount.index),
        path: PathBuf::new(),
        recursive: false,
        idmap: None,
        all,
        top,
        slot: slot::ROOT,
    }
}

pub(super) fn attributes(attributes: Attributes) -> MountAttr {
    MountAttr { set: attributes.set, clear: attributes.clear, ..MountAttr::default() }
}

/// The mounts, in order. Read-only file systems that the runtime itself still writes to become read-only last.
pub(super) fn plan(build: &mut Build<'_>, placement: &Placement) -> Result<()> {
    let config = build.request.config;
    let early = early(build);
    for mount in &config.mounts {
        let trees = if mount.index < early { Vec::new() } else { trees(build, placement, mount)? };
        let mut trees = trees.into_iter();
        match &mount.kind {
            MountKind::Bind { .. } => {
                let file = build.request.facts.sources.get(&mount.index) == Some(&PathFact::File);
                attach(build, mount, trees.next(), file);
            }
            MountKind::Filesystem { .. } if host_made::is(build, mount) => {
                attach(build, mount, trees.next(), false);
            }
            MountKind::Filesystem { .. } => filesystems::plan(build, mount)?,
            MountKind::Remount { data } => remount(build, mount, data),
            MountKind::Cgroup => cgroup(build, mount, trees),
        }
    }
    Ok(())
}

/// Puts the tree that is lent for `mount` on its place.
fn attach(build: &mut Build<'_>, mount: &Mount, tree: Option<Tree>, file: bool) {
    let target = build.pool.text(mount.target());
    let place = Place { target, file, strict: mount.is_at_kernel_folder() };
    let tree = build.attach(tree, place, Some(pointer(mount)));
    if let Some((attr, recursive)) = propagation_again(build, mount) {
        build.init_for(Step::SetTree { tree, attr, recursive }, pointer(mount));
    }
}

/// The propagation that `mount` asks for, and whether the mounts below have it too, if it may have to be set once more:
/// what is attached below a shared mount becomes a shared one.
pub(super) fn propagation_again(build: &Build<'_>, mount: &Mount) -> Option<(MountAttr, bool)> {
    let asked = mount.propagation.filter(|propagation| !is_shared(*propagation))?;
    let attr = MountAttr { propagation: flag(asked.kind), ..MountAttr::default() };
    (mount.index >= build.below_shared).then_some((attr, asked.recursive))
}

/// The first of `/mounts` that may be attached below a shared mount, or a number that none of them has.
pub(super) fn below_shared(config: &Config) -> usize {
    if namespace_propagation(config) == libc::MS_SHARED {
        return 0;
    }
    let shared = config.mounts.iter().find(|mount| mount.propagation.is_some_and(is_shared));
    shared.map_or(usize::MAX, |mount| mount.index.saturating_add(1))
}

fn is_shared(propagation: Propagation) -> bool {
    propagation.kind == PropagationKind::Shared
}

/// Changes what is named and leaves the rest as it is, as mount(8) does: other flags of what is mounted there may be
/// locked, or what makes it safe.
fn remount(build: &mut Build<'_>, mount: &Mount, data: &[(String, Option<String>)]) {
    if !data.is_empty() {
        let target = build.pool.text(&mount.destination);
        let data = data.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
        let config = build.pool.config(data);
        build.init_for(Step::Reconfigure { config, target }, pointer(mount));
    }
    let asked = mount.propagation.map_or((0, false), |asked| (flag(asked.kind), asked.recursive));
    let propagation = |recursive| if asked.1 == recursive { asked.0 } else { 0 };
    for (recursive, chosen) in [(true, mount.recursive), (false, mount.attributes)] {
        let attr = MountAttr { propagation: propagation(recursive), ..attributes(chosen) };
        if !attr.is_empty() {
            host_mounts::change(build, &mount.destination, attr, recursive, pointer(mount));
        }
    }
}

fn is_read_only(mount: &Mount) -> bool {
    (mount.attributes.set | mount.recursive.set) & attr::RDONLY != 0
}

/// `/dev` is read-only only after its nodes are made, and a new tmpfs after the places of what is mounted in it.
fn is_late(config: &Config, mount: &Mount) -> bool {
    let MountKind::Filesystem { fstype, .. } = &mount.kind else { return false };
    is_read_only(mount) && (mount.destination == "/dev" || fstype == "tmpfs" && has_places(config, mount))
}

/// Whether something is mounted in `mount` later, and nothing in its place, which would be what becomes read-only.
fn has_places(config: &Config, mount: &Mount) -> bool {
    let later = config.mounts.iter().skip(mount.index.saturating_add(1));
    let inside: Vec<&str> =
        later.filter_map(|later| later.destination.strip_prefix(&mount.destination)).collect();
    inside.iter().any(|rest| rest.starts_with('/')) && inside.iter().all(|rest| !matches!(*rest, "" | "/"))
}

/// Attributes that a new mount has from the start.
pub(super) fn now(build: &Build<'_>, mount: &Mount) -> u64 {
    let all = (mount.attributes.set | mount.recursive.set) & !(mount.attributes.clear & !attr::ATIME);
    if is_late(build.request.config, mount) { all & !attr::RDONLY } else { all }
}

pub(super) fn propagation(mount: &Mount) -> MountAttr {
    let propagation = mount.propagation.map_or(0, |propagation| flag(propagation.kind));
    MountAttr { propagation, ..MountAttr::default() }
}

/// What was too early while nodes and places were being made.
pub(super) fn finish(build: &mut Build<'_>) {
    let config = build.request.config;
    for mount in config.mounts.iter().filter(|mount| is_late(config, mount)) {
        let attr = MountAttr { set: attr::RDONLY, ..MountAttr::default() };
        host_mounts::change(build, &mount.destination, attr, false, pointer(mount));
    }
}

fn cgroup(build: &mut Build<'_>, mount: &Mount, trees: impl Iterator<Item = Tree>) {
    let mut trees = trees;
    let layout = &build.request.facts.cgroup;
    let has_namespace = !is_lent(build);
    if is_one_tree(build) {
        return lent_dir(build, mount, trees.next(), &mount.destination);
    }
    if layout.v1.is_empty() {
        return filesystem(build, mount, &mount.destination, "cgroup2", &[], now(build, mount));
    }
    let writable = now(build, mount) & !attr::RDONLY;
    let label = selinux::option(build, "tmpfs");
    let label = label.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
    let options: Vec<_> = [("mode", Some("755"))].into_iter().chain(label).collect();
    filesystem(build, mount, &mount.destination, "tmpfs", &options, writable);
    let hierarchies = layout.v1.iter().map(Some).chain(std::iter::repeat(None));
    for (hierarchy, place) in hierarchies.zip(cgroup_places(layout, &mount.destination)) {
        match hierarchy {
            _ if !has_namespace => lent_dir(build, mount, trees.next(), &place),
            Some(hierarchy) => hierarchy_mount(build, mount, hierarchy, &place),
            None => filesystem(build, mount, &place, "cgroup2", &[], now(build, mount)),
        }
    }
    links(build, mount);
    if now(build, mount) & attr::RDONLY != 0 {
        let attr = MountAttr { set: attr::RDONLY, ..MountAttr::default() };
        host_mounts::change(build, &mount.destination, attr, false, pointer(mount));
    }
}

/// Where a container without a cgroup namespace finds its own cgroups, in the order of its placement; nothing if it
/// finds them in a mount that criu can restore.
pub(super) fn bound_cgroups(build: &Build<'_>, mount: &Mount) -> Vec<String> {
    let facts = build.request.facts;
    if !is_lent(build) || facts.cgroup_denied {
        return Vec::new();
    }
    cgroup_places(&facts.cgroup, &mount.destination)
}

/// The places of all hierarchies of `layout` below `destination`, which is that of the only one on v2.
pub(crate) fn cgroup_places(layout: &Layout, destination: &str) -> Vec<String> {
    if layout.v1.is_empty() {
        return vec![destination.to_owned()];
    }
    let v1 = layout.v1.iter().map(|hierarchy| format!("{destination}/{}", name(hierarchy)));
    v1.chain(layout.v2.iter().map(|_| format!("{destination}/unified"))).collect()
}

fn hierarchy_mount(build: &mut Build<'_>, mount: &Mount, hierarchy: &Hierarchy, place: &str) {
    let named = hierarchy.named.as_deref();
    let mut data: Vec<(&str, Option<&str>)> =
        hierarchy.controllers.iter().map(|controller| (controller.as_str(), None)).collect();
    if named.is_some() {
        data.extend([("none", None), ("name", named)]);
    }
    filesystem(build, mount, place, "cgroup", &data, now(build, mount));
}

/// Controllers that share a hierarchy are found by their own names too.
fn links(build: &mut Build<'_>, mount: &Mount) {
    for hierarchy in &build.request.facts.cgroup.v1 {
        let name = name(hierarchy);
        for controller in hierarchy.controllers.iter().filter(|controller| **controller != name) {
            let path = build.pool.text(format!("{}/{controller}", mount.destination));
            let target = build.pool.text(&name);
            build.init_for(Step::Link { path, target }, pointer(mount));
        }
    }
}

fn lent_dir(build: &mut Build<'_>, mount: &Mount, tree: Option<Tree>, place: &str) {
    let target = build.pool.text(place);
    build.attach(tree, Place { target, file: false, strict: false }, Some(pointer(mount)));
}

fn filesystem(
    build: &mut Build<'_>,
    mount: &Mount,
    place: &str,
    fstype: &str,
    data: &[(&str, Option<&str>)],
    attributes: u64,
) {
    let source = [("source", Some(fstype))];
    let fs = Filesystem {
        fstype: build.pool.text(fstype),
        config: build.pool.config(source.into_iter().chain(data.iter().copied())),
        attributes,
        target_mode: false,
    };
    let target = build.pool.text(place);
    build.init_for(Step::Mount { fs, attr: propagation(mount), target, strict: false }, pointer(mount));
}

/// What the hierarchy is called in `/sys/fs/cgroup`: the last part of its mount point on the host.
fn name(hierarchy: &Hierarchy) -> String {
    let name = hierarchy.mount.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| hierarchy.controllers.join(","))
}

fn is_lent(build: &Build<'_>) -> bool {
    let facts = build.request.facts;
    lends_cgroups(&build.request.config.namespaces, &facts.cgroup, facts.nested_user)
}

/// Whether what is lent is one tree, not one of each hierarchy in a file system of `Init`'s.
fn is_one_tree(build: &Build<'_>) -> bool {
    let facts = build.request.facts;
    is_lent(build) && (facts.cgroup.v1.is_empty() || facts.cgroup_denied)
}

/// Whether the container's own cgroups are bound instead of mounting their hierarchies.
pub(crate) fn lends_cgroups(namespaces: &Namespaces, layout: &Layout, nested_user: bool) -> bool {
    namespaces.cgroup.membership == Membership::Host
        && (!layout.v1.is_empty() || nested_user || namespaces.user.membership != Membership::Host)
}
