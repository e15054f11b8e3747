//! Device nodes and links.

use std::path::PathBuf;

use libcontainer_init::attr::MountAttr;
use libcontainer_init::{Step, slot};

use super::build::Build;
use super::entry::{Source, Tree};
use super::mounts;
use crate::facts::PathFact;
use crate::spec::{Config, Device, DeviceKind, Membership, MountKind};
use crate::{Error, ErrorKind, Result};

/// The nodes that every container has (runtime-spec, "Default Devices"); `/dev/console` belongs to the terminal.
const DEFAULTS: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/random", 1, 8),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/zero", 1, 5),
    ("/dev/urandom", 1, 9),
];

/// The links that every container has (runtime-spec, "Dev symbolic links"), and the two that every runtime adds.
const LINKS: [(&str, &str); 6] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/core", "/proc/kcore"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// A device to be made, and where the configuration asks for it.
struct Wanted {
    device: Device,
    pointer: Option<String>,
}

/// The configuration's devices, and the defaults that it does not define itself. A `/dev` that is bound from the
/// host has its nodes, and must not get ours.
fn wanted(config: &Config) -> Vec<Wanted> {
    let defaults = DEFAULTS.iter().filter(|_| !has_foreign_dev(config)).map(|&(path, major, minor)| Wanted {
        device: Device {
            path: path.into(),
            kind: DeviceKind::Char,
            major,
            minor,
            mode: 0o666,
            uid: 0,
            gid: 0,
        },
        pointer: None,
    });
    let defaults = defaults.filter(|wanted| config.devices.iter().all(|own| own.path != wanted.device.path));
    let own = config.devices.iter().enumerate().map(|(index, device)| Wanted {
        device: device.clone(),
        pointer: Some(format!("/linux/devices/{index}")),
    });
    defaults.chain(own).collect()
}

fn has_foreign_dev(config: &Config) -> bool {
    config
        .mounts
        .iter()
        .any(|mount| mount.destination == "/dev" && matches!(mount.kind, MountKind::Bind { .. }))
}

/// In a user namespace no node can be made: the host's is bound instead.
fn are_bound(config: &Config) -> bool {
    config.namespaces.user.membership != Membership::Host
}

/// The paths of the host's devices that must be opened as facts.
pub(crate) fn to_bind(config: &Config) -> Vec<PathBuf> {
    if !are_bound(config) {
        return Vec::new();
    }
    let nodes = wanted(config).into_iter().filter(|wanted| wanted.device.kind != DeviceKind::Fifo);
    nodes.map(|wanted| PathBuf::from(wanted.device.path)).collect()
}

pub(super) fn lend(build: &mut Build<'_>) -> Result<()> {
    for path in to_bind(build.request.config) {
        if build.request.facts.devices.get(&path) != Some(&PathFact::File) {
            return Err(Error::new(
                ErrorKind::Unsupported { pointer: "/linux/devices".into() },
                format!(
                    "/linux/devices: {} does not exist on this host, and a user namespace cannot make it \
                     (create it on the host, or drop the device)",
                    path.display()
                ),
            ));
        }
        let tree = Tree {
            source: Source::Device(path.clone()),
            path,
            recursive: false,
            all: MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() },
            top: MountAttr::default(),
            slot: slot::ROOT,
        };
        build.lend(tree, None);
    }
    Ok(())
}

pub(super) fn plan(build: &mut Build<'_>) {
    let config = build.request.config;
    for wanted in wanted(config) {
        let path = build.pool.text(&wanted.device.path);
        let step = if are_bound(config) && wanted.device.kind != DeviceKind::Fifo {
            Step::Attach { tree: build.borrow(), target: path, file: true, strict: false }
        } else {
            node(&wanted.device, path)
        };
        match wanted.pointer {
            Some(pointer) => build.init_for(step, pointer),
            None => build.init(step),
        }
    }
    if !has_foreign_dev(config) {
        for (path, target) in LINKS {
            let (path, target) = (build.pool.text(path), build.pool.text(target));
            build.init(Step::Link { path, target });
        }
    }
    if let Some(process) = config.process.as_ref().filter(|process| process.terminal) {
        let (rows, columns) = process.console_size.unwrap_or_default();
        build.init_for(Step::Terminal { uid: process.uid, rows, columns }, "/process/terminal");
    }
    mounts::finish(build);
}

fn node(device: &Device, path: libcontainer_init::Text) -> Step {
    let kind = match device.kind {
        DeviceKind::Char => libc::S_IFCHR,
        DeviceKind::Block => libc::S_IFBLK,
        DeviceKind::Fifo => libc::S_IFIFO,
    };
    Step::Node {
        path,
        mode: kind | device.mode,
        device: (device.major, device.minor),
        uid: device.uid,
        gid: device.gid,
    }
}
