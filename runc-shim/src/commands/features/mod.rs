//! `features`: prints what this build can do, as the runtime-spec's features document.

mod document;

use libcontainer::{seccomp, spec::known};

use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::output;
use document::{Cgroup, Enabled, Features, IntelRdt, Linux, List, MemoryPolicy, MountExtensions, Seccomp};

pub(super) const COMMAND: Command = Command {
    name: "features",
    summary: "print what this build supports as JSON",
    usage: "",
    options: &[],
    seals: false,
    run: features,
};

fn features(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let [] = context.words(arguments, 0..=0, super::no_options)?;
    output::print_json(&document(capabilities(last_capability())))?;
    Ok(0)
}

fn document(capabilities: List) -> Features {
    Features {
        oci_version_min: "1.0.0",
        oci_version_max: libcontainer::SPEC_VERSION,
        hooks: known::HOOKS,
        mount_options: known::mount_options(),
        linux: linux(capabilities),
        annotations: annotations(),
        potentially_unsafe_config_annotations: &["org.systemd.property."],
    }
}

fn linux(capabilities: List) -> Linux {
    let yes = Enabled { enabled: true };
    let known::IntelRdt { enabled, schemata, monitoring } = known::INTEL_RDT;
    Linux {
        namespaces: known::namespaces(),
        capabilities,
        cgroup: Cgroup { v1: true, v2: true, systemd: true, systemd_user: true, rdma: true },
        seccomp: Seccomp {
            enabled: true,
            actions: seccomp::ACTIONS,
            operators: seccomp::OPERATORS,
            archs: seccomp::ARCHITECTURES,
            known_flags: seccomp::KNOWN_FLAGS,
            supported_flags: seccomp::SUPPORTED_FLAGS,
        },
        apparmor: yes,
        selinux: yes,
        intel_rdt: IntelRdt { enabled, schemata, monitoring },
        memory_policy: MemoryPolicy { modes: known::MEMORY_POLICY_MODES, flags: known::MEMORY_POLICY_FLAGS },
        mount_extensions: MountExtensions { idmap: Enabled { enabled: known::IDMAPPED_MOUNTS } },
        net_devices: Enabled { enabled: known::NET_DEVICES },
    }
}

fn annotations() -> Vec<(&'static str, &'static str)> {
    let mut annotations = vec![("io.github.runc-shim.version", output::VERSION)];
    annotations.extend(output::COMMIT.map(|commit| ("io.github.runc-shim.commit", commit)));
    annotations
}

/// The capabilities that a kernel has whose highest one is `last`.
fn capabilities(last: usize) -> List {
    let all = known::capabilities();
    all.get(..=last).unwrap_or(all)
}

/// The highest capability of the running kernel; all that we know if it does not say.
fn last_capability() -> usize {
    let text = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap_or_default();
    text.trim().parse().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_independent_reader_understands_the_document() {
        let text = serde_json::to_string(&document(capabilities(40))).unwrap();
        let read: oci_spec::runtime::Features = serde_json::from_str(&text).unwrap();
        assert_eq!(read.oci_version_max(), "1.3.0");
        assert_eq!(read.hooks().as_ref().unwrap().len(), 6);
        let linux = read.linux().as_ref().unwrap();
        assert_eq!(linux.capabilities().as_ref().unwrap().len(), 41);
        assert_eq!(linux.namespaces().as_ref().unwrap().len(), 8);
        assert_eq!(linux.cgroup().as_ref().unwrap().systemd(), &Some(true));
        let idmap = linux.mount_extensions().as_ref().unwrap().idmap().as_ref().unwrap();
        assert_eq!(idmap.enabled(), &Some(known::IDMAPPED_MOUNTS));
        assert!(read.annotations().as_ref().unwrap().contains_key("io.github.runc-shim.version"));
    }

    #[test]
    fn an_older_kernel_has_fewer_capabilities() {
        assert_eq!(capabilities(0), ["CAP_CHOWN"]);
        assert_eq!(capabilities(37).last(), Some(&"CAP_AUDIT_READ"));
        assert_eq!(capabilities(usize::MAX).len(), 41);
    }
}
