//! The root file system: trees lent by the host, then everything that `Init` does up to and with the new root.

use libcontainer_init::attr::MountAttr;
use libcontainer_init::{Step, slot};

use super::build::Build;
use super::entry::{HostStep, Source, Tree};
use super::request::Options;
use super::{devices, hooks, host_mounts, mounts, namespaces, notify, selinux, taken};
use crate::cgroup::Placement;
use crate::error::describe_errno;
use crate::facts::PathFact;
use crate::spec::{Config, Membership, PropagationKind, SysctlOwner, attr};
use crate::{Error, ErrorKind, Result};

/// The `MS_*` value of a kind of propagation.
pub(super) fn flag(kind: PropagationKind) -> u64 {
    match kind {
        PropagationKind::Shared => libc::MS_SHARED,
        PropagationKind::Slave => libc::MS_SLAVE,
        PropagationKind::Private => libc::MS_PRIVATE,
        PropagationKind::Unbindable => libc::MS_UNBINDABLE,
    }
}

/// How the container's whole mount namespace hangs on the host's: a slave unless the configuration says otherwise,
/// so that unmounting here never unmounts there. A tree that is attached nowhere has no peers.
pub(super) fn namespace_propagation(config: &Config) -> u64 {
    match config.rootfs_propagation.map(|propagation| propagation.kind) {
        _ if host_mounts::applies(config) => libc::MS_PRIVATE,
        Some(PropagationKind::Shared) => libc::MS_SHARED,
        Some(PropagationKind::Private | PropagationKind::Unbindable) => libc::MS_PRIVATE,
        Some(PropagationKind::Slave) | None => libc::MS_SLAVE,
    }
}

/// Everything that the host opens and lends before the clone.
pub(super) fn lend(build: &mut Build<'_>, placement: &Placement) -> Result<()> {
    let config = build.request.config;
    let options = build.request.options;
    check_root(build)?;
    host_mounts::check(build)?;
    namespaces::lend_all(build);
    if needs_proc(build) {
        build.host(HostStep::LendProc);
    }
    if may_clear_flags(build) {
        build.host(HostStep::LockMounts);
    }
    // Mounts made inside must not appear on the host, so the root is never a peer of the host's tree while it is
    // being set up, whatever it becomes in the end. Nor do mounts of the host appear inside, unless that is asked for.
    let is_slave = namespace_propagation(config) == libc::MS_SLAVE && config.rootfs_propagation.is_some();
    let kind = if is_slave { libc::MS_SLAVE } else { libc::MS_PRIVATE };
    let root = Tree {
        source: Source::Root,
        path: config.root.path.clone(),
        recursive: true,
        idmap: None,
        all: MountAttr { propagation: kind, ..MountAttr::default() },
        top: MountAttr::default(),
        slot: slot::ROOT,
    };
    build.provide(root, Some("/root/path".into()));
    mounts::lend(build, placement)?;
    notify::lend(build);
    devices::lend(build)?;
    if let Some(path) = &options.console_socket {
        build.host_for(HostStep::ConnectConsole { path: path.clone() }, "/process/terminal");
    }
    if !options.at_once {
        build.host(HostStep::Gate);
    }
    Ok(())
}

pub(super) fn check_root(build: &Build<'_>) -> Result<()> {
    let problem = match build.request.facts.root {
        PathFact::Folder => return Ok(()),
        PathFact::File => "is not a directory".to_owned(),
        PathFact::Missing { errno } => describe_errno(errno),
    };
    let path = build.request.config.root.path.display();
    let message = format!("/root/path: {path}: {problem} (the root file system must be a folder)");
    Err(Error::new(ErrorKind::InvalidSpec { pointer: "/root/path".into() }, message))
}

/// Whether the container could clear flags that its mounts have from the host. Of trees that `Init` takes itself the
/// kernel has locked them.
fn may_clear_flags(build: &Build<'_>) -> bool {
    build.request.config.namespaces.user.membership != Membership::Host && !taken::applies(build)
}

/// The host's procfs is needed to write sysctls, LSM labels and the OOM score.
fn needs_proc(build: &Build<'_>) -> bool {
    let config = build.request.config;
    !config.sysctl.is_empty() || program_needs_proc(config)
}

/// Likewise, for the program's sake alone.
pub(super) fn program_needs_proc(config: &Config) -> bool {
    let has_user = config.namespaces.user.membership != Membership::Host;
    let process = config.process.as_ref();
    process.is_some_and(|process| process.oom_score_adj.is_some() && !has_user)
        || process
            .is_some_and(|process| process.apparmor_profile.is_some() || process.selinux_label.is_some())
}

/// `Init`'s steps from its first namespace to the finished root.
pub(super) fn plan(build: &mut Build<'_>, placement: &Placement) -> Result<()> {
    let config = build.request.config;
    let options = build.request.options;
    // Nodes, folders and files are made with exactly the modes they ask for.
    build.init(Step::Umask { mask: 0 });
    build.init(Step::ResetAffinity);
    build.init(Step::NewSession);
    if !options.no_new_keyring {
        keyring(build);
    }
    if config.namespaces.network.membership == Membership::New && build.network.is_none() {
        build.init_for(Step::LoopbackUp, "/linux/namespaces");
    }
    if !host_mounts::applies(config) {
        attach_root(build)?;
    }
    mounts::plan(build, placement)?;
    namespaces::join_network(build);
    notify::attach(build);
    devices::plan(build);
    hooks::before_pivot(build);
    build.init_for(change_root(config, options), "/root/path");
    null_streams(build);
    names(build);
    sysctls(build)?;
    hide(build);
    finish_root(build);
    Ok(())
}

/// The streams of a terminal are the container's already; and what is in the host's `/dev` is the host's.
fn null_streams(build: &mut Build<'_>) {
    let config = build.request.config;
    let terminal = config.process.as_ref().is_some_and(|process| process.terminal);
    if !terminal && !config.has_foreign_dev() {
        build.init(Step::NullStreams);
    }
}

fn change_root(config: &Config, options: &Options) -> Step {
    match options.no_pivot {
        _ if host_mounts::applies(config) => Step::ChangeRoot,
        true => Step::MoveRoot,
        false => Step::Pivot,
    }
}

/// A session keyring that the container's processes share with each other alone.
pub(super) fn keyring(build: &mut Build<'_>) {
    selinux::keyrings(build);
    let name = build.pool.text(format!("_ses.{}", build.request.id));
    build.init(Step::Keyring { name });
}

fn attach_root(build: &mut Build<'_>) -> Result<()> {
    let config = build.request.config;
    let at = build.pool.text(config.root.path.as_os_str().as_encoded_bytes());
    let propagation = namespace_propagation(config);
    let detach_parent = (propagation == libc::MS_SHARED).then_some(at);
    build.init_for(Step::Propagate { propagation, detach_parent }, "/linux/rootfsPropagation");
    taken::plan(build)?;
    build.init_for(Step::AttachRoot { at }, "/root/path");
    Ok(())
}

fn names(build: &mut Build<'_>) {
    let config = build.request.config;
    if let Some(name) = &config.hostname {
        let name = build.pool.text(name);
        build.init_for(Step::Hostname { name }, "/hostname");
    }
    if let Some(name) = &config.domainname {
        let name = build.pool.text(name);
        build.init_for(Step::Domainname { name }, "/domainname");
    }
}

fn sysctls(build: &mut Build<'_>) -> Result<()> {
    for sysctl in &build.request.config.sysctl {
        let pointer = format!("/linux/sysctl/{}", escape(&sysctl.key));
        if sysctl.owner == SysctlOwner::Network && build.request.facts.joins_own_network {
            let message = "the network namespace to be joined is the caller's own, which must not be changed";
            let message = format!("{pointer}: {message}");
            return Err(Error::new(ErrorKind::InvalidSpec { pointer }, message));
        }
        if sysctl.owner == SysctlOwner::User {
            build.warn(
                &pointer,
                "written by the container's root: the kernel may refuse values above the host's",
            );
        }
        build.write_proc(&format!("sys/{}", sysctl.path), &sysctl.value, pointer);
    }
    Ok(())
}

/// A reference token of a JSON pointer (RFC 6901).
pub(super) fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

fn hide(build: &mut Build<'_>) {
    let config = build.request.config;
    for (index, path) in config.readonly_paths.iter().enumerate() {
        let path = build.pool.text(path);
        build.init_for(Step::ReadOnly { path }, format!("/linux/readonlyPaths/{index}"));
    }
    let label = selinux::option(build, "tmpfs");
    let folder = build.pool.config(label.iter().map(|(key, value)| (key.as_str(), value.as_deref())));
    for (index, path) in config.masked_paths.iter().enumerate() {
        let path = build.pool.text(path);
        build.init_for(Step::Mask { path, folder }, format!("/linux/maskedPaths/{index}"));
    }
}

fn finish_root(build: &mut Build<'_>) {
    let config = build.request.config;
    let target = build.pool.text("/");
    if let Some(propagation) = config.rootfs_propagation {
        let attr = MountAttr { propagation: flag(propagation.kind), ..MountAttr::default() };
        let step = Step::Attributes { target, attr, recursive: propagation.recursive };
        build.init_for(step, "/linux/rootfsPropagation");
    }
    if config.root.readonly {
        make_cwd(build);
        let attr = MountAttr { set: attr::RDONLY, ..MountAttr::default() };
        build.init_for(Step::Attributes { target, attr, recursive: false }, "/root/readonly");
    }
}

/// The working folder is made while that is possible, in an image that does not have it.
fn make_cwd(build: &mut Build<'_>) {
    let process = build.request.config.process.as_ref();
    if let Some(cwd) = process.map(|process| &process.cwd).filter(|cwd| *cwd != "/") {
        let path = build.pool.text(cwd);
        build.init_for(Step::MakeCwd { path }, "/process/cwd");
    }
}
