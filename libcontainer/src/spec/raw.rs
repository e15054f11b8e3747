//! `config.json` as it is written: the runtime-spec's names, Go's zero values for whatever is absent.
//!
//! Values that are checked one by one are plain strings and wide integers here, so that an unknown word or a number
//! out of range gets a message of ours. `resources` and `seccomp` are oci-spec's types, which others take apart.
//! The whole of `oci_spec::runtime::Spec` is not used: it refuses what Go accepts (an absent `user`, `seccomp: {}`,
//! an unknown capability) and cannot tell an absent `pids.limit` from a limit of 0.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::resources::Resources;
use super::seccomp::Seccomp;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    pub(super) oci_version: String,
    pub(super) root: Option<Root>,
    pub(super) process: Option<Process>,
    pub(super) hostname: String,
    pub(super) domainname: String,
    pub(super) mounts: Vec<Mount>,
    pub(super) hooks: Hooks,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) linux: Linux,
    pub(super) solaris: Asked,
    pub(super) windows: Asked,
    pub(super) vm: Asked,
    pub(super) zos: Asked,
    pub(super) freebsd: Asked,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Root {
    pub(super) path: String,
    pub(super) readonly: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Process {
    pub(super) terminal: bool,
    pub(super) console_size: Option<ConsoleSize>,
    pub(super) user: User,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<String>,
    pub(super) cwd: String,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) rlimits: Vec<Rlimit>,
    pub(super) no_new_privileges: bool,
    pub(super) apparmor_profile: String,
    pub(super) oom_score_adj: Option<i64>,
    pub(super) selinux_label: String,
    pub(super) scheduler: Option<Scheduler>,
    pub(super) io_priority: Option<IoPriority>,
    #[serde(rename = "execCPUAffinity")]
    pub(super) exec_affinity: ExecAffinity,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Scheduler {
    pub(super) policy: String,
    pub(super) nice: i64,
    pub(super) priority: i64,
    pub(super) flags: Vec<String>,
    pub(super) runtime: u64,
    pub(super) deadline: u64,
    pub(super) period: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct IoPriority {
    pub(super) class: String,
    pub(super) priority: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ExecAffinity {
    pub(super) initial: String,
    #[serde(rename = "final")]
    pub(super) last: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ConsoleSize {
    pub(super) height: u64,
    pub(super) width: u64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct User {
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) umask: Option<i64>,
    pub(super) additional_gids: Vec<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Capabilities {
    pub(super) bounding: Vec<String>,
    pub(super) effective: Vec<String>,
    pub(super) inheritable: Vec<String>,
    pub(super) permitted: Vec<String>,
    pub(super) ambient: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Rlimit {
    #[serde(rename = "type")]
    pub(super) name: String,
    pub(super) hard: u64,
    pub(super) soft: u64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Mount {
    pub(super) destination: String,
    #[serde(rename = "type")]
    pub(super) fstype: String,
    pub(super) source: String,
    pub(super) options: Vec<String>,
    pub(super) uid_mappings: Vec<IdMapping>,
    pub(super) gid_mappings: Vec<IdMapping>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Hooks {
    pub(super) prestart: Vec<Hook>,
    pub(super) create_runtime: Vec<Hook>,
    pub(super) create_container: Vec<Hook>,
    pub(super) start_container: Vec<Hook>,
    pub(super) poststart: Vec<Hook>,
    pub(super) poststop: Vec<Hook>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Hook {
    pub(super) path: String,
    pub(super) args: Vec<String>,
    pub(super) env: Option<Vec<String>>,
    pub(super) timeout: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Linux {
    pub(super) namespaces: Vec<Namespace>,
    pub(super) uid_mappings: Vec<IdMapping>,
    pub(super) gid_mappings: Vec<IdMapping>,
    pub(super) devices: Vec<Device>,
    pub(super) cgroups_path: String,
    pub(super) resources: Option<Resources>,
    pub(super) rootfs_propagation: String,
    pub(super) seccomp: Option<Seccomp>,
    pub(super) sysctl: BTreeMap<String, String>,
    pub(super) masked_paths: Vec<String>,
    pub(super) readonly_paths: Vec<String>,
    pub(super) mount_label: String,
    pub(super) intel_rdt: Option<IntelRdt>,
    pub(super) memory_policy: Option<MemoryPolicy>,
    pub(super) personality: Option<Personality>,
    pub(super) net_devices: BTreeMap<String, NetDevice>,
    pub(super) time_offsets: BTreeMap<String, TimeOffset>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct MemoryPolicy {
    pub(super) mode: String,
    pub(super) nodes: String,
    pub(super) flags: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Personality {
    pub(super) domain: String,
    pub(super) flags: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TimeOffset {
    pub(super) secs: i64,
    pub(super) nanosecs: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Namespace {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) path: String,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct IdMapping {
    #[serde(rename = "containerID")]
    pub(super) container: u32,
    #[serde(rename = "hostID")]
    pub(super) host: u32,
    pub(super) size: u32,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Device {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) path: String,
    pub(super) major: i64,
    pub(super) minor: i64,
    pub(super) file_mode: Option<u32>,
    pub(super) uid: i64,
    pub(super) gid: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NetDevice {
    pub(super) name: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct IntelRdt {
    #[serde(rename = "closID")]
    pub(super) clos_id: String,
    pub(super) schemata: Vec<String>,
    pub(super) l3_cache_schema: String,
    pub(super) mem_bw_schema: String,
    pub(super) enable_monitoring: bool,
    /// Until 1.2 of the spec, for what is one file system group for both.
    #[serde(rename = "enableCMT")]
    pub(super) enable_cmt: bool,
    #[serde(rename = "enableMBM")]
    pub(super) enable_mbm: bool,
}

/// Whether a value asks for anything; its content does not matter. `null`, `""`, `[]` and `{}` ask for nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked(pub(super) bool);

impl<'de> Deserialize<'de> for Asked {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(AskedVisitor)
    }
}

struct AskedVisitor;

impl<'de> Visitor<'de> for AskedVisitor {
    type Value = Asked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Asked, E> {
        Ok(Asked(false))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Asked, E> {
        Ok(Asked(true))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Asked, E> {
        Ok(Asked(true))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Asked, E> {
        Ok(Asked(true))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Asked, E> {
        Ok(Asked(true))
    }

    fn visit_str<E>(self, text: &str) -> Result<Asked, E> {
        Ok(Asked(!text.is_empty()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Asked, A::Error> {
        let mut asked = Asked(false);
        while list.next_element::<IgnoredAny>()?.is_some() {
            asked = Asked(true);
        }
        Ok(asked)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Asked, A::Error> {
        let mut asked = Asked(false);
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            asked = Asked(true);
        }
        Ok(asked)
    }
}
