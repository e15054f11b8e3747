//! System calls of architectures that have no table here.

/// The names that libseccomp 2.5.4 resolves and [`SYSCALLS`](super::SYSCALLS) does not have: calls of MIPS, PowerPC and
/// s390, and names that calls had before they were released. The differential test compares both lists.
pub(super) const ELSEWHERE: [&str; 17] = [
    "cachectl",
    "multiplexer",
    "rtas",
    "s390_guarded_storage",
    "s390_pci_mmio_read",
    "s390_pci_mmio_write",
    "s390_runtime_instr",
    "s390_sthyi",
    "spu_create",
    "spu_run",
    "subpage_prot",
    "swapcontext",
    "switch_endian",
    "sys_debug_setcontext",
    "syscall",
    "sysmips",
    "timerfd",
];
