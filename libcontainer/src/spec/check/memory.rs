//! `/linux/memoryPolicy`: what set_mempolicy(2) would refuse with a bare EINVAL.

use super::numbers::{LAST_NODE, numbers};
use crate::spec::config::MemoryPolicy;
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

/// Whether a mode takes memory nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nodes {
    Needed,
    Allowed,
    Refused,
}

/// By number.
pub(in crate::spec) const MODES: [&str; 7] = [
    "MPOL_DEFAULT",
    "MPOL_PREFERRED",
    "MPOL_BIND",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
];

/// By bit, from [`FIRST_FLAG`] on.
pub(in crate::spec) const FLAGS: [&str; 3] =
    ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"];

const FIRST_FLAG: u32 = 13;
const NUMA_BALANCING: u32 = 1 << FIRST_FLAG;
const RELATIVE_NODES: u32 = 2 << FIRST_FLAG;
const STATIC_NODES: u32 = 4 << FIRST_FLAG;

fn nodes_of(mode: &str) -> Nodes {
    match mode {
        "MPOL_DEFAULT" | "MPOL_LOCAL" => Nodes::Refused,
        "MPOL_PREFERRED" => Nodes::Allowed,
        _ => Nodes::Needed,
    }
}

pub(super) fn policy(raw: &raw::MemoryPolicy) -> Checked<MemoryPolicy> {
    let known = MODES.into_iter().zip(0u32..).find(|(name, _)| *name == raw.mode);
    let (name, mode) = known.ok_or_else(|| {
        let message = format!("{:?} is not a mode; use one of {}", raw.mode, MODES.join(", "));
        Problem::invalid("/linux/memoryPolicy/mode", message)
    })?;
    let nodes = numbers(&raw.nodes, LAST_NODE, format_args!("/linux/memoryPolicy/nodes"))?;
    match (nodes_of(name), &nodes) {
        (Nodes::Refused, Some(_)) => {
            let message = format!("{name} takes no nodes; remove them");
            return Err(Problem::invalid("/linux/memoryPolicy/nodes", message));
        }
        (Nodes::Needed, None) => {
            let message = format!("{name} needs nodes; give for example \"0\"");
            return Err(Problem::invalid("/linux/memoryPolicy/nodes", message));
        }
        _ => {}
    }
    let flags = flags(&raw.flags, name, nodes.is_some())?;
    Ok(MemoryPolicy { name, mode: mode | flags, nodes: nodes.unwrap_or_default() })
}

fn flags(names: &[String], mode: &str, has_nodes: bool) -> Checked<u32> {
    let mut flags = 0;
    for (index, name) in names.iter().enumerate() {
        let pointer = format_args!("/linux/memoryPolicy/flags/{index}");
        let place = FLAGS.iter().position(|known| known == name).ok_or_else(|| {
            let message = format!("{name:?} is not a flag; use one of {}", FLAGS.join(", "));
            Problem::invalid(pointer, message)
        })?;
        let flag = NUMA_BALANCING << place;
        if flag == NUMA_BALANCING && !matches!(mode, "MPOL_BIND" | "MPOL_PREFERRED_MANY") {
            return Err(Problem::invalid(pointer, format!("{mode} does not go with {name}; use MPOL_BIND")));
        }
        if flag != NUMA_BALANCING && !has_nodes {
            return Err(Problem::invalid(
                pointer,
                format!("{name} says how nodes are meant, and there are none"),
            ));
        }
        flags |= flag;
        if flags & (RELATIVE_NODES | STATIC_NODES) == RELATIVE_NODES | STATIC_NODES {
            let message = "MPOL_F_RELATIVE_NODES and MPOL_F_STATIC_NODES exclude each other; keep one";
            return Err(Problem::invalid(pointer, message));
        }
    }
    Ok(flags)
}
