use std::collections::{BTreeMap, HashMap};

use super::text;
use crate::spec::config::{Membership, Namespaces, Sysctl, SysctlOwner};
use crate::spec::problem::{Checked, Problem, Token};

pub(super) fn sysctl(
    parameters: BTreeMap<String, String>,
    namespaces: &Namespaces,
    domainname: &str,
) -> Checked<Vec<Sysctl>> {
    text::entries(parameters.len(), "/linux/sysctl")?;
    let mut checked: Vec<Sysctl> = Vec::with_capacity(parameters.len());
    for (key, value) in parameters {
        let parameter = parameter(key, value, namespaces)?;
        agrees_with_domainname(&parameter, domainname)?;
        checked.push(parameter);
    }
    spelled_once(&checked)?;
    Ok(checked)
}

fn parameter(key: String, value: String, namespaces: &Namespaces) -> Checked<Sysctl> {
    text::path(&key, format_args!("/linux/sysctl/{}", Token(&key)))?;
    text::c_string(&value, format_args!("/linux/sysctl/{}", Token(&key)))?;
    let path = path(&key);
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        let message =
            format!("{key:?} does not name a kernel parameter; write it as net.ipv4.ip_forward is written");
        return Err(Problem::invalid(pointer(&key), message));
    }
    let owner = owner(&path).map_err(|why| Problem::invalid(pointer(&key), format!("{key} {why}")))?;
    let (membership, name) = namespace_of(owner, namespaces);
    if *membership == Membership::Host {
        let message =
            format!("{key} would change the host; add {{\"type\": \"{name}\"}} to /linux/namespaces");
        return Err(Problem::invalid(pointer(&key), message));
    }
    Ok(Sysctl { key, path, value, owner })
}

fn pointer(key: &str) -> String {
    format!("/linux/sysctl/{}", Token(key))
}

/// sysctl(8): the first separator decides which of the two is one; the other is part of a name (`eth0.1`).
fn path(key: &str) -> String {
    if key.find(['.', '/']).is_some_and(|at| key.as_bytes().get(at) == Some(&b'/')) {
        return key.to_owned();
    }
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    key.chars().map(swap).collect()
}

/// The namespace that a parameter belongs to, or why it cannot be set.
fn owner(path: &str) -> Result<SysctlOwner, &'static str> {
    if let Some(name) = path.strip_prefix("kernel/") {
        return match name {
            "hostname" => Err("cannot be set here; use /hostname instead"),
            "domainname" => Ok(SysctlOwner::Uts),
            "sem" => Ok(SysctlOwner::Ipc),
            name if name.starts_with("msg") || name.starts_with("shm") => Ok(SysctlOwner::Ipc),
            _ => Err(NOT_NAMESPACED),
        };
    }
    let owners =
        [("fs/mqueue/", SysctlOwner::Ipc), ("net/", SysctlOwner::Network), ("user/", SysctlOwner::User)];
    let owner = owners.iter().find(|(prefix, _)| path.starts_with(prefix));
    owner.map(|(_, owner)| *owner).ok_or(NOT_NAMESPACED)
}

const NOT_NAMESPACED: &str =
    "belongs to no namespace, so that setting it would change the host; set it there";

fn namespace_of(owner: SysctlOwner, namespaces: &Namespaces) -> (&Membership, &'static str) {
    match owner {
        SysctlOwner::Ipc => (&namespaces.ipc.membership, "ipc"),
        SysctlOwner::Network => (&namespaces.network.membership, "network"),
        SysctlOwner::Uts => (&namespaces.uts.membership, "uts"),
        SysctlOwner::User => (&namespaces.user.membership, "user"),
    }
}

fn agrees_with_domainname(parameter: &Sysctl, domainname: &str) -> Checked {
    let Sysctl { key, value, owner, .. } = parameter;
    if *owner != SysctlOwner::Uts || domainname.is_empty() || value == domainname {
        return Ok(());
    }
    let message = format!("{value:?} contradicts /domainname, which is {domainname:?}; keep one of them");
    Err(Problem::invalid(pointer(key), message))
}

/// Both spellings of one parameter would be written in an order that nobody chose.
fn spelled_once(parameters: &[Sysctl]) -> Checked {
    let mut keys: HashMap<&str, &str> = HashMap::with_capacity(parameters.len());
    for parameter in parameters {
        if let Some(other) = keys.insert(&parameter.path, &parameter.key) {
            let message = format!("the same parameter as {other}; keep one of them");
            return Err(Problem::invalid(pointer(&parameter.key), message));
        }
    }
    Ok(())
}
