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

type Slot = fn(&mut Namespaces) -> &mut Namespace;

/// The types, and where each one's choice is kept.
pub(in crate::spec) const NAMESPACES: [(&str, Slot); 8] = [
    ("cgroup", |all| &mut all.cgroup),
    ("ipc", |all| &mut all.ipc),
    ("mount", |all| &mut all.mount),
    ("network", |all| &mut all.network),
    ("pid", |all| &mut all.pid),
    ("time", |all| &mut all.time),
    ("user", |all| &mut all.user),
    ("uts", |all| &mut all.uts),
];

fn slot<'a>(namespaces: &'a mut Namespaces, kind: &str) -> Option<&'a mut Namespace> {
    NAMESPACES.iter().find(|(name, _)| *name == kind).map(|(_, slot)| slot(namespaces))
}

fn unknown(index: usize, kind: &str) -> Problem {
    let known = NAMESPACES.map(|(name, _)| name).join(", ");
    let message = format!("{kind:?} is not a namespace; use one of {known}");
    Problem::invalid(format_args!("/linux/namespaces/{index}/type"), message)
}

fn membership(path: &str, index: usize) -> Checked<Membership> {
    if path.is_empty() {
        return Ok(Membership::New);
    }
    text::absolute_path(path, format_args!("/linux/namespaces/{index}/path"))?;
    Ok(Membership::Join(PathBuf::from(path)))
}
