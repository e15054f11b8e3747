use std::path::PathBuf;

use super::text;
use crate::spec::config::{Membership, Namespace, Namespaces};
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

pub(super) fn namespaces(list: &[raw::Namespace]) -> Checked<Namespaces> {
    let mut namespaces = Namespaces::default();
    for (index, raw) in list.iter().enumerate() {
        let place = slot(&mut namespaces, &raw.kind).ok_or_else(|| unknown(index, &raw.kind))?;
        if place.membership != Membership::Host {
            let message = format!("a second {} namespace; a container has one of each type", raw.kind);
            return Err(Problem::invalid(format_args!("/linux/namespaces/{index}"), message));
        }
        *place = Namespace { membership: membership(&raw.path, index)?, index };
    }
    Ok(namespaces)
}

fn slot<'a>(namespaces: &'a mut Namespaces, kind: &str) -> Option<&'a mut Namespace> {
    Some(match kind {
        "user" => &mut namespaces.user,
        "pid" => &mut namespaces.pid,
        "mount" => &mut namespaces.mount,
        "network" => &mut namespaces.network,
        "ipc" => &mut namespaces.ipc,
        "uts" => &mut namespaces.uts,
        "cgroup" => &mut namespaces.cgroup,
        "time" => &mut namespaces.time,
        _ => return None,
    })
}

fn unknown(index: usize, kind: &str) -> Problem {
    let message =
        format!("{kind:?} is not a namespace; use user, pid, mount, network, ipc, uts, cgroup or time");
    Problem::invalid(format_args!("/linux/namespaces/{index}/type"), message)
}

fn membership(path: &str, index: usize) -> Checked<Membership> {
    if path.is_empty() {
        return Ok(Membership::New);
    }
    text::absolute_path(path, format_args!("/linux/namespaces/{index}/path"))?;
    Ok(Membership::Join(PathBuf::from(path)))
}
