//! A bundle's configuration after validation: what the planner reads. Everything here has been checked, so
//! that the planner never has to say that a value is malformed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oci_spec::runtime::{LinuxResources, LinuxSeccomp};

use super::hooks::Hooks;
pub use super::scheduling::*;

/// A checked configuration. Field docs name the JSON pointer they come from.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `/ociVersion`
    pub version: String,
    /// `/root`
    pub root: Root,
    /// `/process`; may be absent at `create`.
    pub process: Option<Process>,
    /// `/hostname`
    pub hostname: Option<String>,
    /// `/domainname`
    pub domainname: Option<String>,
    /// `/mounts`, in order.
    pub mounts: Vec<Mount>,
    /// `/linux/namespaces`
    pub namespaces: Namespaces,
    /// `/linux/uidMappings`
    pub uid_maps: Vec<IdMap>,
    /// `/linux/gidMappings`
    pub gid_maps: Vec<IdMap>,
    /// `/linux/sysctl`, sorted by key.
    pub sysctl: Vec<Sysctl>,
    /// `/linux/devices`, in order.
    pub devices: Vec<Device>,
    /// `/linux/netDevices`, sorted by name on the host.
    pub net_devices: Vec<NetDevice>,
    /// `/linux/intelRdt`
    pub intel_rdt: Option<IntelRdt>,
    /// `/linux/maskedPaths`
    pub masked_paths: Vec<String>,
    /// `/linux/readonlyPaths`
    pub readonly_paths: Vec<String>,
    /// `/linux/rootfsPropagation`
    pub rootfs_propagation: Option<Propagation>,
    /// `/linux/mountLabel`
    pub mount_label: Option<String>,
    /// `/linux/cgroupsPath`
    pub cgroups_path: Option<String>,
    /// `/linux/resources`; the cgroup module turns it into limits.
    pub resources: Option<LinuxResources>,
    /// `/linux/seccomp`; the seccomp module compiles it.
    pub seccomp: Option<LinuxSeccomp>,
    /// `/linux/personality`, the number of personality(2).
    pub personality: Option<u32>,
    /// `/linux/memoryPolicy`
    pub memory_policy: Option<MemoryPolicy>,
    /// `/linux/timeOffsets`; only with a new time namespace.
    pub time_offsets: Vec<TimeOffset>,
    /// `/hooks`
    pub hooks: Hooks,
    /// `/annotations`
    pub annotations: BTreeMap<String, String>,
    /// What was left out although the configuration asks for it, to be told to the user.
    pub warnings: Vec<Warning>,
}

/// Something that the user should know and that does not prevent the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// JSON pointer of the value.
    pub pointer: String,
    /// One sentence.
    pub message: String,
}

/// `/root`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Root {
    /// Absolute: a relative `root.path` is resolved against the bundle.
    pub path: PathBuf,
    /// `/root/readonly`
    pub readonly: bool,
}

/// `/process`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// `/process/terminal`
    pub terminal: bool,
    /// `/process/consoleSize`: rows (height), columns (width).
    pub console_size: Option<(u16, u16)>,
    /// `/process/user/uid`
    pub uid: u32,
    /// `/process/user/gid`
    pub gid: u32,
    /// `/process/user/umask`; 0o022 if absent.
    pub umask: u32,
    /// `/process/user/additionalGids`; `None` if absent, which still clears the caller's groups.
    pub additional_gids: Vec<u32>,
    /// `/process/args`: at least one, none with NUL.
    pub args: Vec<String>,
    /// `/process/env`: each `NAME=value`, no duplicate names (the last one won), order kept.
    pub env: Vec<String>,
    /// `/process/cwd`: absolute.
    pub cwd: String,
    /// `/process/capabilities`, as sets of bits; all empty if the block is absent.
    pub capabilities: Capabilities,
    /// `/process/rlimits`, no duplicates.
    pub rlimits: Vec<Rlimit>,
    /// `/process/noNewPrivileges`
    pub no_new_privileges: bool,
    /// `/process/oomScoreAdj`, -1000 to 1000.
    pub oom_score_adj: Option<i32>,
    /// `/process/apparmorProfile`; empty is absent.
    pub apparmor_profile: Option<String>,
    /// `/process/selinuxLabel`; empty is absent.
    pub selinux_label: Option<String>,
    /// `/process/scheduler`
    pub scheduler: Option<Scheduler>,
    /// `/process/ioPriority`
    pub io_priority: Option<IoPriority>,
    /// `/process/execCPUAffinity`, kept for `exec`.
    pub exec_affinity: ExecAffinity,
}

/// Capability sets; bit N is capability number N of `linux/capability.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Capabilities {
    pub bounding: u64,
    pub effective: u64,
    pub inheritable: u64,
    pub permitted: u64,
    pub ambient: u64,
}

/// One of `/process/rlimits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// `RLIMIT_*` number of this architecture.
    pub resource: u32,
    /// The `RLIMIT_NOFILE`-like name.
    pub name: &'static str,
    /// Soft limit; `u64::MAX` is unlimited.
    pub soft: u64,
    /// Hard limit; `u64::MAX` is unlimited.
    pub hard: u64,
}

/// Where a container stands towards one kind of namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Membership {
    /// Stays in the caller's.
    #[default]
    Host,
    /// Gets a new one.
    New,
    /// Joins the one behind an absolute path.
    Join(PathBuf),
}

/// One kind of namespace in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// New, joined, or the host's.
    pub membership: Membership,
    /// Its index in `/linux/namespaces`, for messages; 0 if the host's.
    pub index: usize,
}

/// `/linux/namespaces`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Namespaces {
    pub user: Namespace,
    pub pid: Namespace,
    pub mount: Namespace,
    pub network: Namespace,
    pub ipc: Namespace,
    pub uts: Namespace,
    pub cgroup: Namespace,
    pub time: Namespace,
}

/// One line of a uid or gid map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdMap {
    /// First id inside.
    pub container: u32,
    /// First id outside.
    pub host: u32,
    /// How many, at least 1.
    pub size: u32,
}

/// One kernel parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sysctl {
    /// As the configuration spells it, for messages and the JSON pointer.
    pub key: String,
    /// Below `/proc/sys`, with slashes: `net/ipv4/ip_forward`. No empty, `.` or `..` component.
    pub path: String,
    /// What to write.
    pub value: String,
    /// Which namespace owns it.
    pub owner: SysctlOwner,
}

/// The namespace that a kernel parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SysctlOwner {
    Ipc,
    Network,
    Uts,
    User,
}

/// A device node to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Absolute path in the container.
    pub path: String,
    /// Character (also `u`), block, or FIFO.
    pub kind: DeviceKind,
    /// Major number, 0 for a FIFO.
    pub major: u32,
    /// Minor number, 0 for a FIFO.
    pub minor: u32,
    /// Permission bits; 0o666 if absent.
    pub mode: u32,
    /// Owner in the container.
    pub uid: u32,
    /// Group in the container.
    pub gid: u32,
}

/// A network device to be moved into the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetDevice {
    /// Its name on the host.
    pub host: String,
    /// Its name in the container, if another one: `net%d` stands for the first number that is free.
    pub name: Option<String>,
}

/// `/linux/intelRdt`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntelRdt {
    /// `closID`; `/` is the default class.
    pub class: Option<String>,
    /// Lines for the class's schemata, `l3CacheSchema` and `memBwSchema` first.
    pub schemata: Vec<String>,
    /// Whether the container is monitored on its own.
    pub enable_monitoring: bool,
}

/// What a device node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DeviceKind {
    Char,
    Block,
    Fifo,
}

/// How mounts below a mount point travel between namespaces (mount_namespaces(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Propagation {
    /// Which of the four kinds.
    pub kind: PropagationKind,
    /// Whether the mounts below change as well (`r` forms).
    pub recursive: bool,
}

/// The four propagation types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum PropagationKind {
    Shared,
    Slave,
    Private,
    Unbindable,
}

/// One of `/mounts`, options sorted into what each of them is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Index in `/mounts`.
    pub index: usize,
    /// Absolute path in the container, `/` put before a relative one; no NUL.
    pub destination: String,
    /// What is mounted.
    pub kind: MountKind,
    /// Attributes of this mount alone.
    pub attributes: Attributes,
    /// Attributes of this mount and all below it (the `r` forms).
    pub recursive: Attributes,
    /// The last propagation option.
    pub propagation: Option<Propagation>,
    /// The ids that it shows instead of those of its file system.
    pub idmap: Option<MountIdmap>,
}

impl Mount {
    /// Whether it goes on `/proc` or `/sys`, however the destination says so: the text alone decides, as if there
    /// were no links.
    #[must_use]
    pub fn is_at_kernel_folder(&self) -> bool {
        matches!(self.lexical_destination().as_slice(), ["proc" | "sys"])
    }

    /// The destination; of the kernel's folders without detours, since they must be reached without any link.
    #[must_use]
    pub fn target(&self) -> String {
        match self.lexical_destination().as_slice() {
            [folder @ ("proc" | "sys")] => format!("/{folder}"),
            _ => self.destination.clone(),
        }
    }

    /// The components of the destination without `..`, as if there were no links.
    #[must_use]
    pub fn lexical_destination(&self) -> Vec<&str> {
        lexical(&self.destination)
    }
}

/// The components of an absolute path without `..`, as if there were no links.
pub(crate) fn lexical(path: &str) -> Vec<&str> {
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

/// An idmapped mount (mount_setattr(2), "ID-mapped mounts").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountIdmap {
    /// Ids of the file system (`container`) to ids of the host (`host`); those of the container's user namespace if
    /// there are none here.
    pub maps: Option<IdMaps>,
    /// Whether the mounts below are mapped too (`ridmap`).
    pub recursive: bool,
}

/// Both maps of a user namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdMaps {
    /// Of users.
    pub uids: Vec<IdMap>,
    /// Of groups.
    pub gids: Vec<IdMap>,
}

/// What a mount shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// A file or folder of the host.
    Bind {
        /// Absolute: a relative source is resolved against the bundle.
        source: PathBuf,
        /// `rbind`.
        recursive: bool,
    },
    /// A new or existing file system instance.
    Filesystem {
        /// `tmpfs`, `proc`, …
        fstype: String,
        /// The `source` key of the file system; the type's name if absent.
        source: String,
        /// Options for the file system, in order: `mode=755` is `("mode", Some("755"))`.
        data: Vec<(String, Option<String>)>,
        /// Whether it begins with a copy of what the image has at the destination (`tmpcopyup`).
        copy_up: bool,
    },
    /// What is mounted at the destination already, with other attributes or options (`remount`).
    Remount {
        /// Options for the file system.
        data: Vec<(String, Option<String>)>,
    },
    /// The container's view of the cgroup tree (`type: cgroup` or `cgroup2`).
    Cgroup,
}

/// Mount attributes as `mount_setattr(2)` takes them (`MOUNT_ATTR_*`). `set` wins nothing over `clear`:
/// the later option of a pair removed the earlier one. An atime choice in `set` has `MOUNT_ATTR__ATIME` in `clear`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Bits to set.
    pub set: u64,
    /// Bits to clear.
    pub clear: u64,
}

/// `MOUNT_ATTR_*` of linux/mount.h.
#[allow(missing_docs)]
pub mod attr {
    pub const RDONLY: u64 = 0x1;
    pub const NOSUID: u64 = 0x2;
    pub const NODEV: u64 = 0x4;
    pub const NOEXEC: u64 = 0x8;
    /// Mask of the three atime choices; `relatime` is 0 below it.
    pub const ATIME: u64 = 0x70;
    pub const RELATIME: u64 = 0x0;
    pub const NOATIME: u64 = 0x10;
    pub const STRICTATIME: u64 = 0x20;
    pub const NODIRATIME: u64 = 0x80;
    pub const IDMAP: u64 = 0x10_0000;
    pub const NOSYMFOLLOW: u64 = 0x20_0000;
}
