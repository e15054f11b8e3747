//! The features document (runtime-spec, `features.md` and `features-linux.md`), with keys in runc's order.

use serde::ser::{Serialize, SerializeMap, Serializer};

pub(super) type List = &'static [&'static str];

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Features {
    pub(super) oci_version_min: &'static str,
    pub(super) oci_version_max: &'static str,
    pub(super) hooks: List,
    pub(super) mount_options: Vec<String>,
    pub(super) linux: Linux,
    #[serde(serialize_with = "as_map")]
    pub(super) annotations: Vec<(&'static str, &'static str)>,
    pub(super) potentially_unsafe_config_annotations: List,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Linux {
    pub(super) namespaces: Vec<&'static str>,
    pub(super) capabilities: List,
    pub(super) cgroup: Cgroup,
    pub(super) seccomp: Seccomp,
    pub(super) apparmor: Enabled,
    pub(super) selinux: Enabled,
    pub(super) intel_rdt: IntelRdt,
    pub(super) memory_policy: MemoryPolicy,
    pub(super) mount_extensions: MountExtensions,
    pub(super) net_devices: Enabled,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cgroup {
    pub(super) v1: bool,
    pub(super) v2: bool,
    pub(super) systemd: bool,
    pub(super) systemd_user: bool,
    pub(super) rdma: bool,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seccomp {
    pub(super) enabled: bool,
    pub(super) actions: List,
    pub(super) operators: List,
    pub(super) archs: List,
    pub(super) known_flags: List,
    pub(super) supported_flags: List,
}

#[derive(serde::Serialize)]
pub(super) struct IntelRdt {
    pub(super) enabled: bool,
    pub(super) schemata: bool,
    pub(super) monitoring: bool,
}

#[derive(serde::Serialize)]
pub(super) struct MemoryPolicy {
    pub(super) modes: List,
    pub(super) flags: List,
}

#[derive(serde::Serialize)]
pub(super) struct MountExtensions {
    pub(super) idmap: Enabled,
}

#[derive(Clone, Copy, serde::Serialize)]
pub(super) struct Enabled {
    pub(super) enabled: bool,
}

fn as_map<S: Serializer>(
    pairs: &[(impl Serialize, impl Serialize)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (key, value) in pairs {
        map.serialize_entry(key, value)?;
    }
    map.end()
}
