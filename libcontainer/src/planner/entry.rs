//! A plan's entries: who does what, because of which value of the configuration.

use std::path::PathBuf;

use libcontainer_init::step::Filesystem;
use libcontainer_init::{Slot, Step, attr::MountAttr};

use crate::cgroup;
use crate::cgroup::systemd::{Property, Unit};
use crate::resctrl::Group;
use crate::seccomp::Listener;
use crate::spec::{Hook, HookKind, IdMap, IdMaps, IoPriority, NetDevice, Scheduler, TimeOffset};

/// One line of a plan.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who does it.
    pub actor: Actor,
    /// What is done.
    pub action: Action,
    /// JSON pointer of the configuration value behind it, if there is one.
    pub pointer: Option<String>,
    /// Whether the host does it while the child is still at the entries before it, of which it needs nothing. The child
    /// goes no further until it is done.
    pub meanwhile: bool,
}

/// A process that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The calling process.
    Host,
    /// A process between the two, for membership that must precede the last clone.
    Enter,
    /// The container's first process.
    Init,
}

/// What an entry does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Something that the calling process does.
    Host(HostStep),
    /// Something that a child does.
    Child(Step),
}

/// Where a tree that is lent to the child comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The handle that was opened when the facts were found: the root file system.
    Root,
    /// Likewise: the source of `/mounts/N`.
    Mount(usize),
    /// Likewise: a device of the host.
    Device(PathBuf),
    /// A folder that an earlier entry made, or one that every host has.
    Made(PathBuf),
    /// A file system that the host makes.
    New(Box<NewFilesystem>),
}

/// A file system that the host makes instead of `Init`, which may neither map its ids nor fill it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFilesystem {
    /// Which. Its attributes are set last, when it is filled.
    pub fs: Filesystem,
    /// What its root and contents are taken from.
    pub template: Option<Template>,
}

/// The folder of the image that a new file system covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The lent tree that holds it; the root file system if `None`.
    pub tree: Option<Slot>,
    /// Its path below that.
    pub path: String,
    /// Whether the root gets its mode.
    pub mode: bool,
    /// Whether the root gets its owner.
    pub owner: bool,
    /// Whether everything in it is copied.
    pub contents: bool,
}

/// The user namespace whose maps a mount is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdNamespace {
    /// One that [`HostStep::IdNamespace`] made, by its number.
    Made(usize),
    /// The one that the container joins.
    Joined,
}

/// The mapping of a mount's ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idmap {
    /// Whose maps.
    pub namespace: IdNamespace,
    /// Whether the mounts below get them too.
    pub recursive: bool,
}

/// A detached copy of a tree of the host, with the attributes it is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Where it comes from.
    pub source: Source,
    /// Its path, for people.
    pub path: PathBuf,
    /// Whether mounts below come along.
    pub recursive: bool,
    /// Which ids it shows, if not those of its file system.
    pub idmap: Option<Idmap>,
    /// For it and all below it.
    pub all: MountAttr,
    /// For it alone, afterwards.
    pub top: MountAttr,
    /// Where it is put.
    pub slot: Slot,
}

/// Who writes an id map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapWriter {
    /// This process.
    Direct,
    /// This process, after it has denied setgroups(2) to the namespace: else one could leave groups that deny access.
    AfterDeny,
    /// A program with the privilege, `newuidmap` or `newgidmap`.
    Helper(PathBuf),
}

/// The scope that systemd makes of a container.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeUnit {
    /// Its names.
    pub unit: Unit,
    /// What it is to be like.
    pub properties: Vec<Property>,
    /// Where its cgroups are.
    pub placement: cgroup::Placement,
    /// Which controllers are needed there; most of them systemd has enabled.
    pub controllers: cgroup::Controllers,
}

/// A place in a container that is restored, on which something is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its path in the container.
    pub destination: String,
    /// The place in `/mounts`, if it is from there.
    pub index: Option<usize>,
    /// Whether a file, not a folder, is made there where there is nothing.
    pub file: bool,
    /// Whether it is made where it is missing. It is not if it belongs to a file system that is restored.
    pub made: bool,
    /// What of the host is mounted there; absent if it is no bind.
    pub source: Option<PathBuf>,
}

/// What the calling process does.
#[derive(Clone, Debug)]
pub enum HostStep {
    /// Takes the name: makes the state folder and its first record.
    Claim {
        /// The folder.
        dir: PathBuf,
    },
    /// Writes the record: the container is created, or runs.
    Record {
        /// Whether it runs already.
        running: bool,
    },
    /// Lends a procfs without anything mounted on top of it.
    LendProc,
    /// Makes a user namespace that only holds maps, for idmapped mounts.
    IdNamespace {
        /// By which trees refer to it.
        number: usize,
        /// Its maps.
        maps: IdMaps,
    },
    /// Copies the sources of mounts with their flags locked, which a user namespace's root could otherwise clear.
    LockMounts,
    /// Lends a tree.
    LendTree(Tree),
    /// Lends the namespace that was opened when the facts were found.
    LendNamespace {
        /// Its path, for people.
        path: PathBuf,
        /// Its `CLONE_NEW*`, which finds the handle.
        kind: u32,
        /// Where it is put.
        slot: Slot,
    },
    /// Begins to make a network namespace with `lo` up, which is done beside all that follows.
    BeginNetwork,
    /// Waits for that namespace, which the child gets with the next `Go`.
    SendNetwork {
        /// Where it is put.
        slot: Slot,
    },
    /// Makes the folder for the socket of sd_notify(3), in the state folder.
    NotifyFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Makes the socket on which a created container waits.
    Gate,
    /// Connects to the socket that receives the terminal.
    ConnectConsole {
        /// Its path.
        path: PathBuf,
    },
    /// Makes the cgroup.
    CreateCgroup {
        /// Where.
        placement: cgroup::Placement,
        /// Which controllers it gets in the unified hierarchy.
        controllers: cgroup::Controllers,
    },
    /// Lends the first process of the container that a program is executed in.
    LendContainer,
    /// Lends the root of that process, to which its mount namespace does not lead: that is the host's.
    LendRoot,
    /// Lends what the program gets as its standard streams.
    LendStreams,
    /// Opens the cgroups of that container, or cgroups below them.
    OpenCgroup {
        /// One in each v1 hierarchy, and one in the unified hierarchy.
        dirs: Vec<PathBuf>,
    },
    /// Moves `Enter` into these, for what it clones to be born there.
    EnterCgroup {
        /// Also into the one that it could have been born in.
        all: bool,
    },
    /// Gives the cgroup to a user, who may then make cgroups in it.
    DelegateCgroup {
        /// The user on the host.
        uid: u32,
    },
    /// Sets one limit.
    Limit(cgroup::Write),
    /// Has systemd make the scope and move the new process into it.
    StartUnit(Box<ScopeUnit>),
    /// Restricts devices.
    Devices(cgroup::Devices),
    /// Moves the new process into the cgroup (v1, where it cannot be born there).
    JoinCgroup,
    /// Makes a resource group (resctrl).
    CreateRdtGroup(Group),
    /// Moves the new process into resource groups.
    JoinRdtGroups(Vec<PathBuf>),
    /// Clones a child.
    Clone {
        /// `Enter` or `Init`.
        actor: Actor,
        /// `CLONE_NEW*`.
        flags: u32,
        /// Whether it is born in the cgroup.
        into_cgroup: bool,
    },
    /// Starts CRIU in a mount namespace of its own, in which the container's root is a mount point.
    StartCriu {
        /// Where.
        root: PathBuf,
        /// What is mounted in it.
        targets: Vec<Target>,
    },
    /// Has CRIU make the first process and its namespaces.
    RestoreNamespaces {
        /// The folder of the checkpoint.
        images: PathBuf,
    },
    /// Has CRIU restore everything.
    RestoreProcesses,
    /// Has CRIU let the restored processes run.
    ResumeProcesses,
    /// Takes over the process that `Enter` cloned.
    Adopt,
    /// Sets the clocks of the time namespace that `Enter` has made and nobody is in yet.
    TimeOffsets(Vec<TimeOffset>),
    /// Writes the id maps of the child's user namespace.
    IdMaps {
        /// Users.
        uids: Vec<IdMap>,
        /// Groups.
        gids: Vec<IdMap>,
        /// Who writes the users'.
        uid_writer: MapWriter,
        /// Who writes the groups'.
        gid_writer: MapWriter,
    },
    /// Sets when the child gets a CPU. Its own capabilities would not do in a user namespace.
    Schedule(Scheduler),
    /// Sets when the child gets at disks.
    IoPriority(IoPriority),
    /// Sets the child's badness for the OOM killer, where it may not do that itself.
    OomScore {
        /// -1000 to 1000.
        value: i32,
    },
    /// Moves a network device into the container's network namespace.
    MoveNetDevice(NetDevice),
    /// Runs a hook in the runtime's namespaces.
    RunHook {
        /// Its kind.
        kind: HookKind,
        /// Its place among those of its kind, from 0.
        number: usize,
        /// The hook.
        hook: Hook,
    },
    /// Writes the pid file.
    PidFile {
        /// Its path.
        path: PathBuf,
    },
    /// Sends a pidfd of the container.
    SendPidfd {
        /// Path of the socket.
        path: PathBuf,
    },
    /// Sends the listener of the filter to the agent that decides calls. Behind the gate `start` does it.
    SendListener(Listener),
    /// Fails, so that a test can fail at any place of a plan.
    #[cfg(feature = "fault-injection")]
    Fail {
        /// The errno.
        errno: i32,
        /// The step in whose place it is, for people.
        instead_of: String,
    },
    /// Ends the calling process as SIGKILL would.
    #[cfg(feature = "fault-injection")]
    Die,
    /// Kills the child.
    #[cfg(feature = "fault-injection")]
    KillChild,
}

impl HostStep {
    /// How the step is undone if a later one fails.
    #[must_use]
    pub fn undo(&self) -> Option<&'static str> {
        match self {
            Self::Claim { .. } => Some("remove"),
            Self::CreateCgroup { .. } | Self::CreateRdtGroup(_) => Some("remove"),
            Self::Clone { .. } | Self::Adopt => Some("kill"),
            Self::StartCriu { .. } | Self::RestoreNamespaces { .. } => Some("kill"),
            Self::StartUnit(_) => Some("stop"),
            Self::PidFile { .. } => Some("remove"),
            Self::MoveNetDevice(_) => Some("move back"),
            _ => None,
        }
    }
}

impl Entry {
    /// How the entry is undone if a later one fails. What a child makes ends with it.
    #[must_use]
    pub fn undo(&self) -> Option<&'static str> {
        match &self.action {
            Action::Host(step) => step.undo(),
            Action::Child(Step::CloneInit { .. }) => Some("kill"),
            Action::Child(_) => None,
        }
    }
}
