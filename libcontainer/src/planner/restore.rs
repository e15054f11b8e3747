//! `restore`: CRIU makes the container's processes, with their namespaces and mounts, from the images of a checkpoint.
//!
//! So the host's entries are those of `create`, and there are no others: criu is started in place of a child, and what
//! it clones is born where criu has been put. It restores in three parts, for what has to be done in between.

use std::path::{Path, PathBuf};

use super::build::Build;
use super::entry::{HostStep, Target};
use super::request::Request;
use super::{
    Plan, Purpose, cgroups, devices, finished, hooks, mounts, namespaces, notify, process, resctrl, rootfs,
};
use crate::cgroup::{Devices, Placement};
use crate::facts::PathFact;
use crate::spec::{Config, Membership, Mount, MountKind};
use crate::{Error, ErrorKind, Result};

/// Where the root is a mount point for criu, in the state folder.
pub(crate) const ROOT: &str = "criu-root";

pub(super) fn plan(request: &Request<'_>, images: &Path) -> Result<Plan> {
    supported(request.config)?;
    let mut build = Build::new(request);
    let options = request.options;
    build.host(HostStep::Claim { dir: options.state.clone() });
    let cgroup = cgroups::plan(&mut build)?;
    let (placement, restriction) = (cgroup.placement.clone(), cgroup.devices.clone());
    let groups = resctrl::plan(&mut build)?;
    rootfs::check_root(&build)?;
    namespaces::lend_all(&mut build);
    let targets = targets(&mut build, &placement)?;
    if let Some(path) = &options.console_socket {
        build.host_for(HostStep::ConnectConsole { path: path.clone() }, "/process/terminal");
    }
    build.host(HostStep::StartCriu { root: options.state.join(ROOT), targets });
    cgroups::take_in_criu(&mut build, cgroup);
    if restriction != Devices::Unrestricted {
        build.host_for(HostStep::Devices(restriction), "/linux/resources/devices");
    }
    resctrl::join(&mut build, groups);
    build.host(HostStep::RestoreNamespaces { images: images.to_path_buf() });
    hooks::of_runtime(&mut build);
    build.host(HostStep::RestoreProcesses);
    build.host(HostStep::Record { running: true });
    if let Some(path) = &options.pidfd_socket {
        build.host(HostStep::SendPidfd { path: path.clone() });
    }
    if let Some(path) = &options.pid_file {
        build.host(HostStep::PidFile { path: path.clone() });
    }
    build.host(HostStep::ResumeProcesses);
    hooks::after_program(&mut build);
    let poststop = request.config.hooks.poststop.clone();
    Ok(Plan { poststop, ..finished(build, Purpose::Restore, process::Prepared::default()) })
}

/// What criu cannot restore must not be lost without a word; a dump of it would be of no use.
pub(crate) fn supported(config: &Config) -> Result<()> {
    let namespaces = &config.namespaces;
    let (pointer, why) = if namespaces.mount.membership != Membership::New {
        ("/linux/namespaces", "CRIU needs a mount namespace of the container's own")
    } else if let Membership::Join(_) = namespaces.cgroup.membership {
        ("/linux/namespaces", "CRIU cannot join a cgroup namespace")
    } else if !config.net_devices.is_empty() {
        ("/linux/netDevices", "CRIU cannot dump network devices that were moved into the container")
    } else {
        return Ok(());
    };
    let message = format!("{pointer}: {why}, so the container cannot be checkpointed or restored");
    Err(Error::new(ErrorKind::Unsupported { pointer: pointer.to_owned() }, message))
}

/// Everything that is mounted in the container, in order.
fn targets(build: &mut Build<'_>, placement: &Placement) -> Result<Vec<Target>> {
    let config = build.request.config;
    let mut targets = Vec::new();
    for mount in &config.mounts {
        let target = Target {
            destination: mount.target(),
            index: Some(mount.index),
            file: false,
            made: is_in_image(config, mount),
            source: None,
        };
        match &mount.kind {
            MountKind::Bind { source, .. } => {
                mounts::check_source(build, mount, source)?;
                let file = build.request.facts.sources.get(&mount.index) == Some(&PathFact::File);
                targets.push(Target { file, source: Some(source.clone()), ..target });
            }
            MountKind::Filesystem { .. } => targets.push(target),
            MountKind::Cgroup => {
                targets.push(target);
                targets.extend(bound_cgroups(build, mount, placement));
            }
            MountKind::Remount { .. } => {}
        }
    }
    targets.extend(notify_folder(build));
    targets.extend(devices(build)?);
    if !config.masked_paths.is_empty() {
        targets.push(outside("/dev/null".into(), "/dev/null".into()));
    }
    Ok(targets)
}

/// Something that is in a file system which criu restores.
fn outside(destination: String, source: PathBuf) -> Target {
    Target { destination, index: None, file: true, made: false, source: Some(source) }
}

/// Without a cgroup namespace, a container with v1 sees its own cgroups as binds.
fn bound_cgroups(build: &Build<'_>, mount: &Mount, placement: &Placement) -> Vec<Target> {
    let names = mounts::bound_cgroups(build, mount);
    names.into_iter().zip(placement.dirs()).map(|(name, dir)| outside(name, dir)).collect()
}

fn devices(build: &Build<'_>) -> Result<Vec<Target>> {
    let request = build.request;
    let nodes = request.config.devices_to_bind(request.facts.nested_user);
    let bound = |node: &crate::spec::Node| {
        let path = PathBuf::from(&node.device.path);
        devices::check(request.facts, &path, node)?;
        Ok(outside(node.device.path.clone(), path))
    };
    nodes.iter().map(bound).collect()
}

fn notify_folder(build: &mut Build<'_>) -> Option<Target> {
    let path = notify::make(build)?;
    Some(Target { made: true, file: false, ..outside(notify::TARGET.into(), path) })
}

/// Whether the place of `mount` is a part of the image, or of a bind on such a place, and not of a file system that criu
/// restores with all that is in it.
fn is_in_image(config: &Config, mount: &Mount) -> bool {
    let destination = mount.lexical_destination();
    let earlier = config.mounts.iter().take(mount.index).rev();
    let is_cover = |cover: &&Mount| {
        !matches!(cover.kind, MountKind::Remount { .. })
            && destination.starts_with(&cover.lexical_destination())
    };
    let cover = earlier.into_iter().find(is_cover);
    cover.is_none_or(|cover| matches!(cover.kind, MountKind::Bind { .. }) && is_in_image(config, cover))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    fn config(namespaces: &str, mounts: &str) -> Config {
        let text = format!(
            r#"{{"ociVersion": "1.2.0", "root": {{"path": "rootfs"}}, "mounts": [{mounts}],
                "linux": {{"namespaces": [{namespaces}]}}}}"#
        );
        spec::parse(text.as_bytes(), Path::new("/bundle")).unwrap()
    }

    #[test]
    fn what_criu_cannot_restore_is_refused_by_name() {
        assert!(supported(&config(r#"{"type": "mount"}"#, "")).is_ok());
        let joined = r#"{"type": "mount"}, {"type": "cgroup", "path": "/proc/1/ns/cgroup"}"#;
        for (namespaces, why) in [("", "mount namespace"), (joined, "join a cgroup namespace")] {
            let error = supported(&config(namespaces, "")).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(error.kind(), &ErrorKind::Unsupported { pointer: "/linux/namespaces".into() });
        }
    }

    #[test]
    fn only_places_in_the_image_or_in_binds_are_made() {
        let bind = |destination: &str| {
            format!(
                r#"{{"destination": "{destination}", "type": "bind", "source": "/", "options": ["bind"]}}"#
            )
        };
        let tmpfs = r#"{"destination": "/run", "type": "tmpfs", "source": "tmpfs"}"#.to_owned();
        let mounts = [bind("/a"), bind("/a/b"), tmpfs, bind("/run/c"), bind("/run/c/d"), bind("/runs")];
        let config = config(r#"{"type": "mount"}"#, &mounts.join(","));
        let made = config.mounts.iter().map(|mount| is_in_image(&config, mount));
        assert_eq!(made.collect::<Vec<_>>(), [true, true, true, false, false, true]);
    }
}
