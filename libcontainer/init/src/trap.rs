//! A filter that ends the process on any system call that an allocator or a lock would make. Tests load it as the
//! first step of a child.

use crate::step::Instruction;

const LOAD_NUMBER: Instruction = Instruction { code: 0x20, jt: 0, jf: 0, k: 0 };
const ALLOW: Instruction = Instruction { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };
const KILL: Instruction = Instruction { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_KILL_PROCESS };

/// Jumps `jt` instructions ahead if the number is `number`.
const fn caught(number: libc::c_long, jt: u8) -> Instruction {
    Instruction { code: 0x15, jt, jf: 0, k: number as u32 }
}

/// brk, mmap, munmap, mremap, madvise, futex.
pub(crate) static FILTER: [Instruction; 9] = [
    LOAD_NUMBER,
    caught(libc::SYS_brk, 6),
    caught(libc::SYS_mmap, 5),
    caught(libc::SYS_munmap, 4),
    caught(libc::SYS_mremap, 3),
    caught(libc::SYS_madvise, 2),
    caught(libc::SYS_futex, 1),
    ALLOW,
    KILL,
];
