//! Containers in the host's mount namespace.
//!
//! Nothing may be mounted there: it would show on the host, and stay when a container fails. So the root is built as a
//! detached tree, as it is lent, and the first process changes its root to it without attaching it anywhere. When the last
//! descriptor of it is closed, the kernel takes the tree apart but leaves its mounts connected to each other, so the
//! container's processes go on walking it, and with the last of them it is gone.

use libcontainer_init::Step;
use libcontainer_init::attr::MountAttr;

use super::build::Build;
use super::filesystems;
use super::long_options::{Fitted, fit};
use crate::spec::{Config, Membership, Mount, MountKind, Propagation, PropagationKind};
use crate::{Error, ErrorKind, Result};

/// Since then a mount can be attached to a tree that is attached nowhere itself.
const SINCE: (u32, u32) = (6, 15);

const NAMESPACES: &str = "/linux/namespaces";

/// What is not as in a mount namespace of the container's own, though the container can be made.
const DIFFERENCE: &str = "in the host's mount namespace /proc/mounts lists none of the container's mounts, nothing can \
                          be mounted inside, and set-user-ID bits and file capabilities have no effect";

/// Whether the container is one.
pub(super) fn applies(config: &Config) -> bool {
    config.namespaces.mount.membership == Membership::Host
}

/// Refuses what cannot be had, and says what is not as elsewhere.
pub(super) fn check(build: &mut Build<'_>) -> Result<()> {
    let config = build.request.config;
    if !applies(config) {
        return Ok(());
    }
    if config.namespaces.user.membership != Membership::Host {
        let why = "a user namespace needs a mount namespace that it owns (add {\"type\": \"mount\"})";
        return Err(refusal(NAMESPACES, why));
    }
    check_kernel(build.request.facts.kernel)?;
    if config.rootfs_propagation.is_some_and(has_peers) {
        return Err(refusal("/linux/rootfsPropagation", NO_PEERS));
    }
    config.mounts.iter().try_for_each(|mount| check_mount(build, mount))?;
    build.warn(NAMESPACES, DIFFERENCE);
    Ok(())
}

const NO_PEERS: &str = "a container in the host's mount namespace has private mounts only, for they are attached nowhere \
                        (make it private, or add {\"type\": \"mount\"} to /linux/namespaces)";

fn check_kernel(kernel: Option<(u32, u32)>) -> Result<()> {
    if kernel.is_some_and(|kernel| kernel >= SINCE) {
        return Ok(());
    }
    let running =
        kernel.map_or_else(String::new, |(major, minor)| format!("; this is Linux {major}.{minor}"));
    let why = format!(
        "a container in the host's mount namespace needs Linux 6.15, which can build its root without mounting anything \
         on the host{running} (add {{\"type\": \"mount\"}}, or use a newer kernel)"
    );
    Err(refusal(NAMESPACES, &why))
}

fn has_peers(propagation: Propagation) -> bool {
    matches!(propagation.kind, PropagationKind::Shared | PropagationKind::Slave)
}

fn check_mount(build: &Build<'_>, mount: &Mount) -> Result<()> {
    let pointer = format!("/mounts/{}/options", mount.index);
    if mount.propagation.is_some_and(has_peers) {
        return Err(refusal(&pointer, NO_PEERS));
    }
    let MountKind::Filesystem { fstype, .. } = &mount.kind else { return Ok(()) };
    match fit(fstype, filesystems::options(build, mount), mount.index)? {
        Fitted::Values(_) => Ok(()),
        Fitted::Text { .. } => {
            let why = "a file system of a container in the host's mount namespace takes values of at most 255 bytes \
                       (shorten them, or add {\"type\": \"mount\"} to /linux/namespaces)";
            Err(refusal(&pointer, why))
        }
    }
}

fn refusal(pointer: &str, why: &str) -> Error {
    Error::new(ErrorKind::Unsupported { pointer: pointer.into() }, format!("{pointer}: {why}"))
}

/// Changes what is mounted at a place in the root. In a tree that is attached nowhere the kernel changes its top alone,
/// so any other mount is covered with a copy that is changed before it is attached.
pub(super) fn change(build: &mut Build<'_>, place: &str, attr: MountAttr, recursive: bool, pointer: String) {
    let target = build.pool.text(place);
    let is_top = place.split('/').all(|part| matches!(part, "" | "."));
    let step = match applies(build.request.config) && !is_top {
        true => Step::Cover { target, attr, recursive },
        false => Step::Attributes { target, attr, recursive },
    };
    build.init_for(step, pointer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_refused_by_its_version() {
        for new in [(6, 15), (6, 18), (7, 0)] {
            check_kernel(Some(new)).unwrap();
        }
        for (old, named) in
            [(Some((6, 14)), "; this is Linux 6.14 "), (Some((5, 99)), "Linux 5.99"), (None, "6.15")]
        {
            let error = check_kernel(old).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Unsupported { pointer: NAMESPACES.into() });
            assert!(error.to_string().contains(named), "{error}");
        }
    }
}
