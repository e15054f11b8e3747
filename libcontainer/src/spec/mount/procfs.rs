//! What may be mounted on `/proc`. Whoever replaces it decides where the runtime's writes to it end
//! (CVE-2019-16884, CVE-2019-19921). This rule reads the text alone; links are met when the mount is made.

use crate::spec::config::MountKind;
use crate::spec::problem::{Checked, Problem};

/// Files that lxcfs and the like emulate; nothing is written to them during the set-up.
const EMULATED: [&str; 10] = [
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
    "sys/kernel/ns_last_pid",
    "sys/crypto/fips_enabled",
];

pub(super) fn allowed(destination: &str, kind: &MountKind, index: usize) -> Checked {
    let resolved = resolve(destination);
    let mut parts = resolved.iter();
    if parts.next() != Some(&"proc") {
        return Ok(());
    }
    let pointer = format_args!("/mounts/{index}/destination");
    let inside: Vec<&str> = parts.copied().collect();
    if inside.is_empty() {
        return match kind {
            // That the source is a procfs is checked where it is opened.
            MountKind::Bind { .. } => Ok(()),
            MountKind::Filesystem { fstype, .. } if fstype == "proc" => Ok(()),
            _ => Err(Problem::invalid(
                pointer,
                "/proc must be a procfs; mount type \"proc\" there, or bind the host's /proc",
            )),
        };
    }
    if EMULATED.contains(&inside.join("/").as_str()) {
        return Ok(());
    }
    let message =
        format!("{destination} is inside /proc, where only a few files may be replaced; mount elsewhere");
    Err(Problem::invalid(pointer, message))
}

/// The components without `..`, as if there were no links.
fn resolve(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        match part {
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts
}
