//! The names of operations, so that a failure crosses the socket as a number and is printed as a word.

macro_rules! operations {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// What the child was doing when it failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        #[allow(missing_docs)]
        pub enum Op { $($variant),+ }

        const NAMES: &[&str] = &[$($name),+];

        const ALL: &[Op] = &[$(Op::$variant),+];
    };
}

operations! {
    Accept = "accept4", Access = "faccessat2", Capset = "capset", Chdir = "chdir", Chroot = "chroot",
    Clone = "clone3", Close = "close", CloseRange = "close_range", Decode = "decode", Dup = "dup3",
    Exec = "execve", Fchdir = "fchdir", Fchown = "fchown", Find = "find", Fsconfig = "fsconfig",
    Fsmount = "fsmount", Fsopen = "fsopen", Fspick = "fspick", Fstatfs = "fstatfs", Getcwd = "getcwd",
    HookCode = "hook code", HookContainer = "container", HookSignal = "hook signal", HookTimeout = "hook timeout",
    Ioctl = "ioctl", Keyctl = "keyctl", MemfdCreate = "memfd_create", Mkdir = "mkdirat", Mknod = "mknodat",
    Mount = "mount", MountSetattr = "mount_setattr", MoveMount = "move_mount", Open = "openat2",
    OpenTree = "open_tree", Personality = "personality", Pipe = "pipe2", PivotRoot = "pivot_root", Poll = "ppoll",
    Prctl = "prctl", Prlimit = "prlimit64", Read = "read", Readlink = "readlinkat", Receive = "recvfrom",
    SchedSetaffinity = "sched_setaffinity", Seccomp = "seccomp", Seek = "lseek", Send = "sendmsg",
    SetLabel = "fsetxattr", SetMempolicy = "set_mempolicy", Setdomainname = "setdomainname", Setgid = "setresgid",
    Setgroups = "setgroups", Sethostname = "sethostname", Setns = "setns", Setpgid = "setpgid", Setsid = "setsid",
    Setuid = "setresuid", Sigaction = "rt_sigaction", Sigmask = "rt_sigprocmask", Socket = "socket",
    Statx = "statx", Symlink = "symlinkat", Timer = "timerfd", Umask = "umask", Umount = "umount2", Unshare = "unshare",
    Verify = "verify", Wait = "waitid", Write = "write",
}

/// The name of operation number `op`, as [`crate::Record::op`] carries it.
#[must_use]
pub fn name(op: u32) -> &'static str {
    match NAMES.get(op as usize) {
        Some(name) => name,
        None => "unknown operation",
    }
}

/// The operation with number `op`.
#[must_use]
pub fn from_number(op: u32) -> Option<Op> {
    ALL.get(op as usize).copied()
}
