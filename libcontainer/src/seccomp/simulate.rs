//! Runs a program as the kernel would.

use std::fmt;

use oci_spec::runtime::Arch;

use super::abi::{Abi, syscall_number};
use super::action::{ACTION_MASK, ALLOW, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, NOTIFY, TRACE, TRAP};
use super::bpf::{
    AND, ARCHITECTURE, ARGUMENTS, Instruction, JUMP, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL,
    JUMP_SET, LOAD, NUMBER, RETURN,
};
use crate::error::describe_errno;

/// What a filter sees of a system call: the kernel's `struct seccomp_data`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeccompData {
    /// Number.
    pub nr: i32,
    /// `AUDIT_ARCH_*`
    pub arch: u32,
    /// Where the call was made.
    pub instruction_pointer: u64,
    /// Arguments.
    pub args: [u64; 6],
}

impl SeccompData {
    /// The call `name` with `args` on `arch`, if it exists there.
    #[must_use]
    pub fn new(arch: Arch, name: &str, args: [u64; 6]) -> Option<Self> {
        let audit_arch = Abi::of(arch)?.audit_arch();
        Some(Self { nr: syscall_number(arch, name)?, arch: audit_arch, instruction_pointer: 0, args })
    }

    /// The word at `offset`, on a little-endian machine.
    fn word(&self, offset: u32) -> Option<u32> {
        match offset {
            NUMBER => Some(self.nr.cast_unsigned()),
            ARCHITECTURE => Some(self.arch),
            8 => Some(self.instruction_pointer as u32),
            12 => Some((self.instruction_pointer >> 32) as u32),
            _ => {
                let offset = offset.checked_sub(ARGUMENTS).filter(|offset| offset % 4 == 0)?;
                let argument = self.args.get(usize::try_from(offset / 8).ok()?)?;
                Some(if offset % 8 == 0 { *argument as u32 } else { (argument >> 32) as u32 })
            }
        }
    }
}

/// What `filter` returns (`SECCOMP_RET_*`) for a system call. A program that the kernel would not
/// accept, or one with instructions that [`compile`](super::compile) does not use, kills the process.
#[must_use]
pub fn simulate(filter: &[Instruction], data: &SeccompData) -> u32 {
    trace(filter, data).map_or(KILL_PROCESS, |trace| trace.value)
}

/// What a run of a filter comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// `SECCOMP_RET_*`
    pub value: u32,
    /// How many instructions were executed, the last one included.
    pub instructions: u32,
    /// How many of them were comparisons.
    pub comparisons: u32,
}

/// As [`simulate`], and what it cost; `None` for a program that the kernel would not accept.
#[must_use]
pub fn trace(filter: &[Instruction], data: &SeccompData) -> Option<Trace> {
    let mut accumulator = 0;
    let mut position = 0;
    let mut instructions = 0;
    let mut comparisons = 0;
    loop {
        let Instruction { code, jt, jf, k } = *filter.get(position)?;
        instructions += 1;
        comparisons += u32::from(is_comparison(code));
        let holds = match code {
            RETURN => return Some(Trace { value: k, instructions, comparisons }),
            LOAD => {
                accumulator = data.word(k)?;
                false
            }
            AND => {
                accumulator &= k;
                false
            }
            JUMP => {
                position = position.checked_add(usize::try_from(k).ok()?)?;
                false
            }
            JUMP_EQUAL => accumulator == k,
            JUMP_GREATER => accumulator > k,
            JUMP_GREATER_OR_EQUAL => accumulator >= k,
            JUMP_SET => accumulator & k != 0,
            _ => return None,
        };
        position += 1 + usize::from(if holds { jt } else { jf });
    }
}

fn is_comparison(code: u16) -> bool {
    matches!(code, JUMP_EQUAL | JUMP_GREATER | JUMP_GREATER_OR_EQUAL | JUMP_SET)
}

/// A system call with its arguments, zero where they are not known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Name.
    pub name: &'static str,
    /// Arguments.
    pub args: [u64; 6],
}

/// A system call that a filter does not let happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Name of the call.
    pub name: &'static str,
    /// What the filter returns for it.
    pub value: u32,
}

impl Blocked {
    /// Whether a listener decides.
    #[must_use]
    pub fn is_notified(&self) -> bool {
        self.value & ACTION_MASK == NOTIFY
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value } = *self;
        let data = value & !ACTION_MASK;
        match value & ACTION_MASK {
            ERRNO => {
                write!(f, "{name} fails with {}", describe_errno(i32::try_from(data).unwrap_or(i32::MAX)))
            }
            NOTIFY => write!(f, "{name} waits for a listener that nobody has yet"),
            TRACE => write!(f, "{name} is left to a tracer and fails without one"),
            TRAP => write!(f, "{name} raises SIGSYS"),
            KILL_THREAD => write!(f, "{name} kills the thread"),
            _ => write!(f, "{name} kills the process"),
        }
    }
}

/// Those of `calls` that `filter` does not let happen on `native`; calls that do not exist there are
/// passed over.
#[must_use]
pub fn blocked(filter: &[Instruction], native: Arch, calls: &[Call]) -> Vec<Blocked> {
    let blocks = |call: &Call| {
        let value = simulate(filter, &SeccompData::new(native, call.name, call.args)?);
        let happens = matches!(value & ACTION_MASK, ALLOW | LOG);
        (!happens).then_some(Blocked { name: call.name, value })
    };
    calls.iter().filter_map(blocks).collect()
}
