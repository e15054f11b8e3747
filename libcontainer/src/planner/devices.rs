//! Device nodes and links.

use std::path::{Path, PathBuf};

use libcontainer_init::attr::MountAttr;
use libcontainer_init::{Step, slot};

use super::build::{Build, Place};
use super::entry::{Source, Tree};
use super::mounts;
use crate::facts::{Facts, PathFact};
use crate::spec::{Device, DeviceKind, Node};
use crate::{Error, ErrorKind, Result};

/// The links that every container has (runtime-spec, "Dev symbolic links"), and the two that every runtime adds.
const LINKS: [(&str, &str); 6] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/core", "/proc/kcore"),
    ("/dev/ptmx", "pts/ptmx"),
];

pub(super) fn lend(build: &mut Build<'_>) -> Result<()> {
    for node in build.request.config.devices_to_bind(build.request.facts.nested_user) {
        let path = PathBuf::from(&node.device.path);
        check(build.request.facts, &path, &node)?;
        let tree = Tree {
            source: Source::Device(path.clone()),
            path,
            recursive: false,
            idmap: None,
            all: MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() },
            top: MountAttr::default(),
            slot: slot::ROOT,
        };
        build.lend(tree, None);
    }
    Ok(())
}

/// A device of the host is bound only if it is the one that was asked for.
pub(super) fn check(facts: &Facts, path: &Path, node: &Node) -> Result<()> {
    let Device { kind, major, minor, .. } = node.device;
    let problem = match facts.devices.get(path) {
        Some(PathFact::File) if !facts.other_devices.contains(path) => return Ok(()),
        Some(PathFact::File | PathFact::Folder) => {
            let kind = if kind == DeviceKind::Block { "block" } else { "character" };
            format!("is not {kind} device {major}:{minor} on this host")
        }
        Some(PathFact::Missing { .. }) | None => "does not exist on this host".into(),
    };
    let pointer = node.pointer.clone().unwrap_or_else(|| "/linux/devices".into());
    let message = format!(
        "{pointer}: {} {problem}, and a user namespace cannot make it (create it on the host, or drop the device)",
        path.display()
    );
    Err(Error::new(ErrorKind::Unsupported { pointer }, message))
}

pub(super) fn plan(build: &mut Build<'_>) {
    let config = build.request.config;
    let binds = config.binds_devices(build.request.facts.nested_user);
    for node in config.nodes() {
        let path = build.pool.text(&node.device.path);
        if binds && node.device.kind != DeviceKind::Fifo {
            build.attach(None, Place { target: path, file: true, strict: false }, node.pointer);
            continue;
        }
        let step = make(&node.device, path);
        match node.pointer {
            Some(pointer) => build.init_for(step, pointer),
            None => build.init(step),
        }
    }
    if !config.has_foreign_dev() {
        for (path, target) in LINKS {
            let (path, target) = (build.pool.text(path), build.pool.text(target));
            build.init(Step::Link { path, target });
        }
    }
    if let Some(process) = config.process.as_ref().filter(|process| process.terminal) {
        let (rows, columns) = process.console_size.unwrap_or_default();
        let plain_lines = build.request.options.plain_lines;
        let step = Step::Terminal { console: true, plain_lines, uid: process.uid, rows, columns };
        build.init_for(step, "/process/terminal");
    }
    mounts::finish(build);
}

fn make(device: &Device, path: libcontainer_init::Text) -> Step {
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
