//! New file systems of `/mounts` that `Init` makes.

use libcontainer_init::Step;
use libcontainer_init::attr::MountAttr;
use libcontainer_init::step::Filesystem;

use super::build::Build;
use super::mounts::{now, pointer, propagation, propagation_again};
use super::{long_options, namespaces, selinux};
use crate::Result;
use crate::spec::{Mount, MountKind};

/// An option of a file system.
pub(super) type Datum = (String, Option<String>);

/// Everything that the file system of `mount` is told: its source, its options, the label.
pub(super) fn options(build: &Build<'_>, mount: &Mount) -> Vec<Datum> {
    let MountKind::Filesystem { fstype, source, data, .. } = &mount.kind else { return Vec::new() };
    let mut options = vec![("source".to_owned(), Some(source.clone()))];
    options.extend(data.iter().cloned());
    options.extend(selinux::option(build, fstype));
    options
}

/// What `fsopen` and `fsconfig` are told.
pub(super) fn instance(build: &mut Build<'_>, fstype: &str, options: &[Datum]) -> Filesystem {
    let options = options.iter().map(|(key, value)| (key.as_str(), value.as_deref()));
    let config = build.pool.config(options);
    Filesystem { fstype: build.pool.text(fstype), config, attributes: 0, target_mode: false }
}

/// Whether the mode of the root is that of the target: a tmpfs without a mode of its own.
pub(super) fn takes_target_mode(fstype: &str, options: &[Datum]) -> bool {
    fstype == "tmpfs" && options.iter().all(|(key, _)| key != "mode")
}

/// Whether a file system may belong to the network namespace of who mounts it, as sysfs and NFS do. Of these it is known
/// that they do not.
pub(super) fn may_show_network(fstype: &str) -> bool {
    !matches!(fstype, "proc" | "tmpfs" | "ramfs" | "devpts" | "mqueue" | "cgroup" | "cgroup2" | "overlay")
}

pub(super) fn plan(build: &mut Build<'_>, mount: &Mount) -> Result<()> {
    let MountKind::Filesystem { fstype, .. } = &mount.kind else { return Ok(()) };
    if may_show_network(fstype) {
        namespaces::join_network(build);
    }
    let strict = mount.is_at_kernel_folder();
    let options = match long_options::fit(fstype, options(build, mount), mount.index)? {
        long_options::Fitted::Values(options) => options,
        long_options::Fitted::Text { source, options } => {
            text(build, mount, fstype, (&source, &options));
            return Ok(());
        }
    };
    let target_mode = takes_target_mode(fstype, &options) && !strict;
    let fs = Filesystem { attributes: now(build, mount), target_mode, ..instance(build, fstype, &options) };
    let target = build.pool.text(mount.target());
    build.init_for(Step::Mount { fs, attr: propagation(mount), target, strict }, pointer(mount));
    if let Some((attr, _)) = propagation_again(build, mount) {
        build.init_for(Step::Attributes { target, attr, recursive: false }, pointer(mount));
    }
    selinux::queues(build, mount, fstype);
    Ok(())
}

fn text(build: &mut Build<'_>, mount: &Mount, fstype: &str, (source, options): (&str, &str)) {
    let fstype = build.pool.text(fstype);
    let source = build.pool.text(source);
    let options = build.pool.text(options);
    let target = build.pool.text(&mount.destination);
    let flags = long_options::flags(now(build, mount));
    build.init_for(Step::MountText { fstype, source, options, flags, target }, pointer(mount));
    let attr: MountAttr = propagation(mount);
    if !attr.is_empty() {
        build.init_for(Step::Attributes { target, attr, recursive: false }, pointer(mount));
    }
}
