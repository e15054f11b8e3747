//! Every step that a child can take, as plain data.
//!
//! A step is one intention whose failure is one sentence, not one system call. There are no jumps: a choice is either
//! the planner's, made from facts, or inside a step.

use crate::attr::MountAttr;
pub use crate::hook::{Environment, Hook};
use crate::program::{Text, Words};
use crate::slot::Slot;

/// A step with its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its index in the plan. Where the indices of two neighbours have a gap, the host has a turn in between.
    pub index: u32,
    /// What to do.
    pub step: Step,
}

/// One instruction of a seccomp filter, laid out as `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs)]
pub struct Instruction {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

/// A new file system instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// `proc`, `tmpfs`, …
    pub fstype: Text,
    /// A list for `fsconfig`: a key, then an empty string for a flag or `=` and the value.
    pub config: Text,
    /// `MOUNT_ATTR_*` of the mount.
    pub attributes: u64,
    /// Whether its root gets the mode of the place that it covers, 1777 if that has to be made.
    pub target_mode: bool,
}

/// What a child can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Closes every descriptor but the slots', the link's and the ones to be passed on. The first thing that a child
    /// does: it has copies of the host's ends of links, its own and those of others, and whoever waits at a link must
    /// notice that its host was killed.
    CloseFds,
    /// Hides the process and what it holds from ptrace and `/proc/PID` of others.
    Hide,
    /// `setns` to the namespace in a slot; `kind` is its `CLONE_NEW*`.
    Join {
        /// Where the namespace is.
        slot: Slot,
        /// Its `CLONE_NEW*`; the kernel refuses another kind.
        kind: u32,
    },
    /// `setns` to namespaces of a running process, all at once: the kernel checks the caller's rights over each of
    /// them before it enters the first.
    JoinProcess {
        /// The process's pidfd.
        slot: Slot,
        /// `CLONE_NEW*` of those to be joined.
        kinds: u32,
    },
    /// Opens the root of the mount namespace that this process has joined.
    OpenRoot,
    /// New namespaces for this process.
    Unshare {
        /// `CLONE_NEW*`.
        flags: u32,
    },
    /// `Enter` only: clones the container's first process as a child of the host process, and ends.
    CloneInit {
        /// `CLONE_NEW*`.
        flags: u32,
    },
    /// Becomes 0:0 in the user namespace just mapped or joined.
    BecomeRoot,
    /// Leaves the CPU affinity of the caller for that of the cpuset.
    ResetAffinity,
    /// Runs on these CPUs only.
    Affinity {
        /// A bit mask in 64-bit words.
        cpus: Words,
    },
    /// A session of its own.
    NewSession,
    /// A session keyring of its own.
    Keyring {
        /// Its name.
        name: Text,
    },
    /// Brings `lo` up.
    LoopbackUp,
    /// Writes a file of the process's own folder or of `sys` below the host's procfs.
    ProcWrite {
        /// Below the procfs.
        path: Text,
        /// What to write.
        value: Text,
    },
    /// Sets how every mount of this namespace propagates.
    Propagate {
        /// `MS_SLAVE`, ….
        propagation: u64,
        /// Whether the mount that holds the root file system must be made private first: below a shared one the
        /// root could neither be attached unseen nor pivoted to.
        detach_parent: Option<Text>,
    },
    /// Copies a tree of this namespace as it is on the host: for a host that may not mount, and so lends nothing.
    TakeTree {
        /// The path on the host.
        path: Text,
        /// Where the copy is put.
        slot: Slot,
        /// Whether mounts below come along.
        recursive: bool,
    },
    /// Changes a lent or taken tree, on its place or not.
    SetTree {
        /// Where the tree is.
        tree: Slot,
        /// What.
        attr: MountAttr,
        /// Whether the mounts below change too.
        recursive: bool,
    },
    /// Puts the detached root file system (slot ROOT) on its path.
    AttachRoot {
        /// The path on the host.
        at: Text,
    },
    /// Mounts a new file system instance.
    Mount {
        /// Which.
        fs: Filesystem,
        /// Propagation, and attributes for it and all below it.
        attr: MountAttr,
        /// Where, below the root.
        target: Text,
        /// Whether the target must be reached without any symlink (`/proc`, `/sys`).
        strict: bool,
    },
    /// Mounts a new file system whose options are too long for fsconfig(2), which takes 255 bytes a value: mount(2)
    /// takes a page.
    MountText {
        /// `overlay`, …
        fstype: Text,
        /// Its source.
        source: Text,
        /// Its options, separated by commas.
        options: Text,
        /// `MS_*`.
        flags: u64,
        /// Where, below the root.
        target: Text,
    },
    /// Changes options of the file system that is mounted at a place below the root.
    Reconfigure {
        /// As in [`Filesystem`].
        config: Text,
        /// Where.
        target: Text,
    },
    /// Puts a detached tree that the host prepared on its place.
    Attach {
        /// Where the tree is.
        tree: Slot,
        /// Where it goes, below the root.
        target: Text,
        /// Whether a missing target is made as a file.
        file: bool,
        /// As for [`Step::Mount`].
        strict: bool,
    },
    /// Changes the mount at a place below the root.
    Attributes {
        /// Where.
        target: Text,
        /// What.
        attr: MountAttr,
        /// Whether the mounts below change too.
        recursive: bool,
    },
    /// The same in a tree that is attached nowhere, of which the kernel changes the top alone: covers the mount with a
    /// copy of it and all below it, which is changed first.
    Cover {
        /// Where.
        target: Text,
        /// What.
        attr: MountAttr,
        /// Whether the mounts below change too.
        recursive: bool,
    },
    /// Sets SELinux's label of the folder that is mounted at a place below the root.
    Label {
        /// Where.
        target: Text,
        /// The label.
        label: Text,
    },
    /// Makes a device node or FIFO.
    Node {
        /// Where.
        path: Text,
        /// Type and permission bits.
        mode: u32,
        /// Major and minor.
        device: (u32, u32),
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// Makes a symbolic link unless something of that name exists.
    Link {
        /// Where.
        path: Text,
        /// What it says.
        target: Text,
    },
    /// Puts the descriptors in slots STREAMS on 0 to 2.
    Streams,
    /// Makes a terminal in the container's devpts, puts it on 0 to 2, and sends its master side to the socket in slot
    /// CONSOLE.
    Terminal {
        /// Whether it becomes the container's `/dev/console` as well.
        console: bool,
        /// Whether line feeds pass through it as they are, for a reader whose own terminal returns the carriage.
        plain_lines: bool,
        /// The owner of the terminal.
        uid: u32,
        /// Rows, 0 for unknown.
        rows: u16,
        /// Columns, 0 for unknown.
        columns: u16,
    },
    /// Runs a hook to its end.
    Hook(Hook),
    /// `pivot_root` to the root file system, and the old one goes.
    Pivot,
    /// Instead of [`Step::Pivot`], for a root on a ramdisk: moves the mount to `/` and `chroot`s.
    MoveRoot,
    /// Instead of [`Step::Pivot`], for a root that is attached nowhere: `chroot`s into it.
    ChangeRoot,
    /// Sets the host name.
    Hostname {
        /// To this.
        name: Text,
    },
    /// Sets the NIS domain name.
    Domainname {
        /// To this.
        name: Text,
    },
    /// Hides a file behind `/dev/null`, or a folder behind an empty read-only one. A missing path is fine.
    Mask {
        /// Which.
        path: Text,
        /// Options of the file system that is the empty folder, as in [`Filesystem`]. The folder is made once.
        folder: Text,
    },
    /// Makes a path and all below it read-only. A missing path is fine.
    ReadOnly {
        /// Which.
        path: Text,
    },
    /// Sets the file mode creation mask.
    Umask {
        /// The mask.
        mask: u32,
    },
    /// Limits a resource.
    Rlimit {
        /// `RLIMIT_*`.
        resource: u32,
        /// Soft limit.
        soft: u64,
        /// Hard limit.
        hard: u64,
    },
    /// Drops every capability outside `keep` from the bounding set.
    Bounding {
        /// Bit N is capability N.
        keep: u64,
        /// The highest capability that the kernel knows.
        last: u8,
    },
    /// Sets the supplementary groups.
    Groups {
        /// The group ids; none clears the caller's.
        groups: Words,
        /// Whether the caller's are kept where a user namespace denies setting them.
        or_keep: bool,
    },
    /// Sets the execution domain, which decides what `uname` says of the machine.
    Personality {
        /// The argument of personality(2).
        domain: u32,
    },
    /// Sets from which memory nodes the program's pages come.
    MemoryPolicy {
        /// `MPOL_*` with its `MPOL_F_*`.
        mode: u32,
        /// A bit mask in 64-bit words.
        nodes: Words,
    },
    /// Makes the working folder if it is missing, as long as the root is writable.
    MakeCwd {
        /// Where.
        path: Text,
    },
    /// Enters the working folder.
    Cwd {
        /// Where.
        path: Text,
        /// Whether it is made if it is missing.
        make: bool,
    },
    /// Opens the container's null device in place of another one on the standard streams, which would lead out of the
    /// container.
    NullStreams,
    /// Gives the standard streams to the user.
    OwnStreams {
        /// The user id.
        uid: u32,
    },
    /// Takes on user and group.
    User {
        /// The user id.
        uid: u32,
        /// The group id.
        gid: u32,
    },
    /// Makes permitted capabilities effective again that the change of user took: loading a filter and setting the
    /// final sets need them.
    Regain {
        /// Bit N is capability N.
        permitted: u64,
    },
    /// Enters the working folder again, as the user, if root could not; makes sure that it is inside the root.
    CwdAgain {
        /// Where.
        path: Text,
    },
    /// Fills `HOME` from the container's passwd file.
    Home {
        /// Whose.
        uid: u32,
        /// Which place of the environment.
        place: u32,
    },
    /// Looks for the program.
    Find {
        /// Candidates, a list in order of preference.
        candidates: Text,
        /// Whether they come from `PATH`.
        in_path: bool,
    },
    /// Waits until `start` connects to the gate, and answers to it from then on.
    WaitForStart,
    /// Gives signals back as the program expects them: default actions, none blocked.
    Signals,
    /// Sets the capability sets, and drops what keeping them across the change of user needed.
    Capabilities {
        /// Effective.
        effective: u64,
        /// Permitted.
        permitted: u64,
        /// Inheritable.
        inheritable: u64,
        /// Ambient; best effort.
        ambient: u64,
    },
    /// Gives up gaining privileges by exec.
    NoNewPrivileges,
    /// Loads the seccomp filter; if that has a listener, it goes to the host with the end of this turn.
    Seccomp {
        /// `SECCOMP_FILTER_FLAG_*`.
        flags: u32,
    },
    /// Becomes the program.
    Exec,
    /// Fails with this errno, so that a test can fail at any place of a plan.
    #[cfg(feature = "fault-injection")]
    Fail {
        /// The errno.
        errno: i32,
        /// The step in whose place it is, for people.
        instead_of: Text,
    },
    /// Ends without a word, as a process that was killed.
    #[cfg(feature = "fault-injection")]
    Die,
    /// Loads a filter that ends the process on any call that an allocator or a lock would make.
    #[cfg(feature = "fault-injection")]
    Trap,
    /// Makes a call that [`Step::Trap`] must catch, to show that it does.
    #[cfg(feature = "fault-injection")]
    Trip,
}
