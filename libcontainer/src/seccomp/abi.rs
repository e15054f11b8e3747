//! The ways to make a system call that each kind of machine has.

use oci_spec::runtime::Arch;

use super::tables;

/// A numbering of system calls and the width of their arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abi {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
    Riscv64,
}

/// Set in the number of a system call made by x32 code, which otherwise looks like x86_64.
pub(super) const X32_BIT: u32 = 0x4000_0000;

impl Abi {
    pub(super) fn of(arch: Arch) -> Option<Self> {
        match arch {
            Arch::ScmpArchX86_64 => Some(Self::X86_64),
            Arch::ScmpArchX86 => Some(Self::X86),
            Arch::ScmpArchX32 => Some(Self::X32),
            Arch::ScmpArchAarch64 => Some(Self::Aarch64),
            Arch::ScmpArchArm => Some(Self::Arm),
            Arch::ScmpArchRiscv64 => Some(Self::Riscv64),
            _ => None,
        }
    }

    pub(super) fn arch(self) -> Arch {
        match self {
            Self::X86_64 => Arch::ScmpArchX86_64,
            Self::X86 => Arch::ScmpArchX86,
            Self::X32 => Arch::ScmpArchX32,
            Self::Aarch64 => Arch::ScmpArchAarch64,
            Self::Arm => Arch::ScmpArchArm,
            Self::Riscv64 => Arch::ScmpArchRiscv64,
        }
    }

    /// A number that is surely newer than every call, and yet one of this ABI.
    pub(super) fn highest_number(self) -> u32 {
        if self == Self::X32 { u32::MAX - 1 } else { X32_BIT - 1 }
    }

    /// The `AUDIT_ARCH_*` that the kernel hands to a filter.
    pub(super) fn audit_arch(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => 0xc000_003e,
            Self::X86 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
            Self::Arm => 0x4000_0028,
            Self::Riscv64 => 0xc000_00f3,
        }
    }

    /// Whether all 64 bits of an argument count.
    pub(super) fn has_wide_arguments(self) -> bool {
        matches!(self, Self::X86_64 | Self::Aarch64 | Self::Riscv64)
    }

    /// Whether a call is numbered apart from those that new calls are added to, and so says nothing
    /// about the age of a profile that names it.
    pub(super) fn is_apart(self, number: u32) -> bool {
        match self {
            Self::Arm => number >= 0xf_0000,
            Self::X32 => number >= X32_BIT + 512,
            _ => false,
        }
    }

    /// The other ABIs that a kernel of this ABI can run.
    pub(super) fn guests(self) -> &'static [Self] {
        match self {
            Self::X86_64 => &[Self::X32, Self::X86],
            Self::Aarch64 => &[Self::Arm],
            _ => &[],
        }
    }
}

/// The architecture that this library was compiled for, where it has a table of system calls.
#[must_use]
pub fn native_arch() -> Option<Arch> {
    match std::env::consts::ARCH {
        "x86_64" => Some(Arch::ScmpArchX86_64),
        "aarch64" => Some(Arch::ScmpArchAarch64),
        "riscv64" => Some(Arch::ScmpArchRiscv64),
        _ => None,
    }
}

/// The number of the system call `name` on `arch`.
#[must_use]
pub fn syscall_number(arch: Arch, name: &str) -> Option<i32> {
    let number = tables::find(name)?.number(Abi::of(arch)?)?;
    i32::try_from(number).ok()
}
