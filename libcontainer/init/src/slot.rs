//! Slots: numbered places for descriptors. A step names a slot; which descriptor is behind it is known when the step
//! runs, because the host filled the slot before the clone or an earlier step did.

/// The number of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

/// The container's root file system: first the detached tree, later the mount.
pub const ROOT: Slot = Slot(0);
/// A procfs of the host, free of mounts on top of it.
pub const PROC: Slot = Slot(1);
/// The listening socket on which a created container waits for `start`.
pub const GATE: Slot = Slot(2);
/// The socket that receives the terminal.
pub const CONSOLE: Slot = Slot(3);
/// The cgroup to be born in, for a process that `Enter` clones.
pub const CGROUP: Slot = Slot(4);
/// A detached mount of the host's `/dev/null`, then the first mask made of it.
pub const NULL: Slot = Slot(5);
/// The empty read-only folder that masks folders, once it exists.
pub const EMPTY: Slot = Slot(6);
/// The process whose namespaces are joined, as a pidfd. A container that is made has none.
pub const CONTAINER: Slot = Slot(7);
/// The standard streams of a program that gets others than the caller's. It joins all namespaces by a process, so that
/// none of them needs a slot of its own.
pub const STREAMS: [Slot; 3] = [Slot(8), Slot(9), Slot(10)];
/// A namespace to be joined; there are eight kinds.
#[must_use]
pub const fn namespace(kind: u16) -> Slot {
    Slot(8 + kind)
}

/// The first slot that a planner may give to trees.
pub const FIRST_FREE: u16 = 16;
