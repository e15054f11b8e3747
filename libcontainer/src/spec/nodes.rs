//! The device nodes of a container: those that every container has, and the configuration's.

use super::{Config, Device, DeviceKind, Membership, MountKind};

/// The nodes that every container has (runtime-spec, "Default Devices"); `/dev/console` belongs to the terminal.
const DEFAULTS: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/random", 1, 8),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/zero", 1, 5),
    ("/dev/urandom", 1, 9),
];

/// A device to be made, and where the configuration asks for it.
pub(crate) struct Node {
    pub(crate) device: Device,
    pub(crate) pointer: Option<String>,
}

impl Config {
    /// The defaults that the configuration does not define itself, and its own devices. A `/dev` that is bound from
    /// the host has its nodes, and must not get ours.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        if self.has_foreign_dev() {
            return Vec::new();
        }
        let is_own = |path: &str| self.devices.iter().any(|own| own.path == path);
        let defaults = DEFAULTS.iter().filter(|(path, ..)| !is_own(path));
        let defaults = defaults.map(|&(path, major, minor)| Node {
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
        let own = self.devices.iter().enumerate().map(|(index, device)| Node {
            device: device.clone(),
            pointer: Some(format!("/linux/devices/{index}")),
        });
        defaults.chain(own).collect()
    }

    /// Whether `/dev` comes from the host.
    pub(crate) fn has_foreign_dev(&self) -> bool {
        let is_bind = |kind: &MountKind| matches!(kind, MountKind::Bind { .. });
        self.mounts.iter().any(|mount| mount.destination == "/dev" && is_bind(&mount.kind))
    }

    /// In a user namespace no node can be made, in that of a `nested` caller neither: the host's is bound instead.
    pub(crate) fn binds_devices(&self, nested: bool) -> bool {
        nested || self.namespaces.user.membership != Membership::Host
    }

    /// The devices of the host that must be opened as facts.
    pub(crate) fn devices_to_bind(&self, nested: bool) -> Vec<Node> {
        if !self.binds_devices(nested) {
            return Vec::new();
        }
        self.nodes().into_iter().filter(|node| node.device.kind != DeviceKind::Fifo).collect()
    }
}
