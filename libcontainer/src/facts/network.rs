//! What the network devices of a configuration need to know of the host; asked only if there are any.

use std::collections::{BTreeMap, BTreeSet};

use rustix::fd::{AsFd, OwnedFd};

use crate::spec::{Config, SysctlOwner};
use crate::sys::namespace;
use crate::sys::netlink::Socket;
use crate::{Error, ErrorKind, Result};

/// The devices that the caller's network namespace does not have.
pub(super) fn missing_devices(config: &Config) -> Result<BTreeSet<String>> {
    let mut missing = BTreeSet::new();
    if config.net_devices.is_empty() {
        return Ok(missing);
    }
    let failed = |refused| Error::new(ErrorKind::Os, format!("/linux/netDevices: {refused}"));
    let mut socket = Socket::open().map_err(failed)?;
    for device in &config.net_devices {
        if socket.link(&device.host).map_err(failed)?.is_none() {
            missing.insert(device.host.clone());
        }
    }
    Ok(missing)
}

/// Whether the network namespace to be joined is the caller's own: asked if something is to be changed in it.
pub(super) fn joins_own(config: &Config, namespaces: &BTreeMap<u32, OwnedFd>) -> Result<bool> {
    let Some(joined) = namespaces.get(&(libc::CLONE_NEWNET as u32)) else { return Ok(false) };
    let has_parameters = config.sysctl.iter().any(|sysctl| sysctl.owner == SysctlOwner::Network);
    if config.net_devices.is_empty() && !has_parameters {
        return Ok(false);
    }
    namespace::is_own(joined.as_fd(), "net")
}
