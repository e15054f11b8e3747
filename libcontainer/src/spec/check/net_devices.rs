use std::collections::{BTreeMap, HashMap};

use super::text;
use crate::spec::config::{Membership, Namespaces, NetDevice};
use crate::spec::problem::{Checked, Problem, Token};
use crate::spec::raw;

/// `IFNAMSIZ` counts the NUL at the end.
const MAX_NAME_BYTES: usize = 15;

pub(super) fn net_devices(
    devices: BTreeMap<String, raw::NetDevice>,
    namespaces: &Namespaces,
) -> Checked<Vec<NetDevice>> {
    if !devices.is_empty() && namespaces.network.membership == Membership::Host {
        let message = "network devices can only be moved into a network namespace; \
                       add {\"type\": \"network\"} to /linux/namespaces";
        return Err(Problem::invalid("/linux/netDevices", message));
    }
    text::entries(devices.len(), "/linux/netDevices")?;
    let devices = devices.into_iter().map(|(host, device)| net_device(host, device.name));
    let devices = devices.collect::<Checked<Vec<NetDevice>>>()?;
    named_once(&devices)?;
    Ok(devices)
}

fn net_device(host: String, name: String) -> Checked<NetDevice> {
    if let Some(why) = why_invalid(&host) {
        return Err(Problem::invalid(
            pointer(&host),
            format!("{host:?} is not the name of a network device: {why}"),
        ));
    }
    let is_template = name.contains('%');
    let why = match name.as_str() {
        "" => None,
        name if is_template && name.replacen("%d", "", 1).contains('%') => {
            Some("the kernel knows one %d in it, which it replaces by a number")
        }
        name => why_invalid(name),
    };
    if let Some(why) = why {
        let message = format!("{name:?} cannot be the name of a network device: {why}");
        return Err(Problem::invalid(format_args!("{}/name", pointer(&host)), message));
    }
    Ok(NetDevice { host, name: text::present(name) })
}

fn pointer(host: &str) -> String {
    format!("/linux/netDevices/{}", Token(host))
}

/// What the kernel has against a name.
fn why_invalid(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("it is empty"),
        "." | ".." => Some("it names a folder"),
        name if name.len() > MAX_NAME_BYTES => Some("it is longer than 15 bytes"),
        name if name.contains(['/', ':', '\0']) => Some("it contains a slash, a colon or NUL"),
        name if name.contains(char::is_whitespace) => Some("it contains white space"),
        _ => None,
    }
}

/// The name of a template is found when the device is moved, so it is never taken.
fn named_once(devices: &[NetDevice]) -> Checked {
    let mut names: HashMap<&str, &str> = HashMap::with_capacity(devices.len());
    for NetDevice { host, name } in devices {
        let name = name.as_deref().unwrap_or(host);
        if let Some(other) = names.insert(name, host).filter(|_| !name.contains('%')) {
            let message =
                format!("both {other} and {host} would be {name} in the container; rename one of them");
            return Err(Problem::invalid(pointer(host), message));
        }
    }
    Ok(())
}
