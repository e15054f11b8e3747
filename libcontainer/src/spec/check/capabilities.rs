use crate::spec::config::{Capabilities, Warning};
use crate::spec::raw;

/// By number (linux/capability.h).
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Unknown names are left out with one warning: a client may know a newer kernel than we do.
pub(super) fn capabilities(raw: &raw::Capabilities, warnings: &mut Vec<Warning>) -> Capabilities {
    let mut unknown = Vec::new();
    let capabilities = Capabilities {
        bounding: set(&raw.bounding, &mut unknown),
        effective: set(&raw.effective, &mut unknown),
        inheritable: set(&raw.inheritable, &mut unknown),
        permitted: set(&raw.permitted, &mut unknown),
        ambient: set(&raw.ambient, &mut unknown),
    };
    if !unknown.is_empty() {
        warnings.push(Warning {
            pointer: "/process/capabilities".to_owned(),
            message: format!("unknown capabilities are left out: {}", unknown.join(", ")),
        });
    }
    capabilities
}

fn set<'a>(names: &'a [String], unknown: &mut Vec<&'a str>) -> u64 {
    let mut bits = 0;
    for name in names {
        match number(name) {
            Some(number) => bits |= 1 << number,
            None if unknown.contains(&name.as_str()) => {}
            None => unknown.push(name),
        }
    }
    bits
}

fn number(name: &str) -> Option<usize> {
    let short = name.strip_prefix("CAP_")?;
    NAMES.iter().position(|known| *known == short)
}
