//! Network devices: moved when the container's first process is in its network namespace, and before its parameters
//! (`net.ipv4.conf.eth0…`) are written.

use super::build::Build;
use super::entry::HostStep;
use super::rootfs::escape;
use crate::spec::NetDevice;
use crate::{Error, ErrorKind, Result};

pub(super) fn plan(build: &mut Build<'_>) -> Result<()> {
    let facts = build.request.facts;
    // A number that is found for a template must not be the one that another device asks for by name.
    let is_template = |device: &&NetDevice| device.name.as_ref().is_some_and(|name| name.contains("%d"));
    let (templates, named): (Vec<_>, Vec<_>) = build.request.config.net_devices.iter().partition(is_template);
    for device in named.into_iter().chain(templates) {
        let pointer = format!("/linux/netDevices/{}", escape(&device.host));
        if facts.joins_own_network {
            let message = "the network namespace to be joined is the one that the device is in";
            return Err(wrong(pointer, message));
        }
        if facts.missing_net_devices.contains(&device.host) {
            let message = "the host has no network device of that name (see `ip link`)";
            return Err(wrong(pointer, message));
        }
        build.host_for(HostStep::MoveNetDevice(device.clone()), pointer);
    }
    Ok(())
}

fn wrong(pointer: String, message: &str) -> Error {
    let message = format!("{pointer}: {message}");
    Error::new(ErrorKind::InvalidSpec { pointer }, message)
}
