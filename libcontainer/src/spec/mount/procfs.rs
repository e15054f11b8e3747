//! What may be mounted on `/proc`. Whoever replaces it decides where the runtime's writes to it end
//! (CVE-2019-16884, CVE-2019-19921). This rule reads the text alone; links are met when the mount is made.

use crate::spec::config::{MountKind, lexical};
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
    let resolved = lexical(destination);
    let mut parts = resolved.iter();
    if parts.next() != Some(&"proc") {
        return Ok(());
    }
    let pointer = format_args!("/mounts/{index}/destination");
    let inside: Vec<&str> = parts.copied().collect();
    if inside.is_empty() {
        return match kind {
            // That the source is a procfs is checked where it is opened.
            MountKind::Bind { .. } | MountKind::Remount { .. } => Ok(()),
            MountKind::Filesystem { fstype, .. } if fstype == "proc" => Ok(()),
            _ => Err(Problem::invalid(
                pointer,
                "/proc must be a procfs; mount type \"proc\" there, or bind the host's /proc",
            )),
        };
    }
    if matches!(kind, MountKind::Remount { .. }) || EMULATED.contains(&inside.join("/").as_str()) {
        return Ok(());
    }
    let message =
        format!("{destination} is inside /proc, where only a few files may be replaced; mount elsewhere");
    Err(Problem::invalid(pointer, message))
}
