use crate::spec::config::{Capabilities, Warning};
use crate::spec::raw;

/// By number (linux/capability.h).
pub(in crate::spec) const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
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

/// The sets of `own` with the capabilities `names` added, as runc's `exec --cap` adds them: never to the inheritable set,
/// which would hand them on to what the program executes (CVE-2022-24769), and to the ambient one only where there is
/// an inheritable set already.
pub(super) fn added(own: &Capabilities, names: &[String], warnings: &mut Vec<Warning>) -> Capabilities {
    let raw = raw::Capabilities { bounding: names.to_vec(), ..raw::Capabilities::default() };
    let more = capabilities(&raw, warnings).bounding;
    Capabilities {
        bounding: own.bounding | more,
        effective: own.effective | more,
        permitted: own.permitted | more,
        inheritable: own.inheritable,
        ambient: if own.inheritable == 0 { own.ambient } else { own.ambient | more },
    }
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
    CAPABILITIES.iter().position(|known| *known == name)
}
