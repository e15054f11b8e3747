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
const MODES: [(&str, Nodes); 7] = [
    ("MPOL_DEFAULT", Nodes::Refused),
    ("MPOL_PREFERRED", Nodes::Allowed),
    ("MPOL_BIND", Nodes::Needed),
    ("MPOL_INTERLEAVE", Nodes::Needed),
    ("MPOL_LOCAL", Nodes::Refused),
    ("MPOL_PREFERRED_MANY", Nodes::Needed),
    ("MPOL_WEIGHTED_INTERLEAVE", Nodes::Needed),
];

const NUMA_BALANCING: u32 = 1 << 13;
const RELATIVE_NODES: u32 = 1 << 14;
const STATIC_NODES: u32 = 1 << 15;

pub(super) fn policy(raw: &raw::MemoryPolicy) -> Checked<MemoryPolicy> {
    let known = MODES.iter().zip(0u32..).find(|((name, _), _)| *name == raw.mode);
    let ((name, takes), mode) = known.ok_or_else(|| {
        let names = MODES.map(|(name, _)| name).join(", ");
        let message = format!("{:?} is not a mode; use one of {names}", raw.mode);
        Problem::invalid("/linux/memoryPolicy/mode", message)
    })?;
    let nodes = numbers(&raw.nodes, LAST_NODE, format_args!("/linux/memoryPolicy/nodes"))?;
    match (takes, &nodes) {
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
        let flag = match name.as_str() {
            "MPOL_F_NUMA_BALANCING" => NUMA_BALANCING,
            "MPOL_F_RELATIVE_NODES" => RELATIVE_NODES,
            "MPOL_F_STATIC_NODES" => STATIC_NODES,
            other => {
                let message = format!(
                    "{other:?} is not a flag; use MPOL_F_NUMA_BALANCING, MPOL_F_RELATIVE_NODES or MPOL_F_STATIC_NODES"
                );
                return Err(Problem::invalid(pointer, message));
            }
        };
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
