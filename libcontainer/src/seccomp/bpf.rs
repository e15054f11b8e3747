//! Classic BPF as seccomp knows it, and an assembler for it.

use super::error::{SeccompError, SeccompReason};

pub use libcontainer_init::step::Instruction;

/// The longest program that the kernel takes.
pub(super) const MAX_INSTRUCTIONS: usize = 4096;

/// The furthest that a conditional jump can skip.
const REACH: usize = u8::MAX as usize;

/// `BPF_LD | BPF_W | BPF_ABS`
pub(super) const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_AND | BPF_K`
pub(super) const AND: u16 = 0x54;
/// `BPF_JMP | BPF_JA`
pub(super) const JUMP: u16 = 0x05;
/// `BPF_JMP | BPF_JEQ | BPF_K`
pub(super) const JUMP_EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGT | BPF_K`
pub(super) const JUMP_GREATER: u16 = 0x25;
/// `BPF_JMP | BPF_JGE | BPF_K`
pub(super) const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
/// `BPF_JMP | BPF_JSET | BPF_K`
pub(super) const JUMP_SET: u16 = 0x45;
/// `BPF_RET | BPF_K`
pub(super) const RETURN: u16 = 0x06;

/// Offset of the number in `struct seccomp_data`.
pub(super) const NUMBER: u32 = 0;
/// Offset of the `AUDIT_ARCH_*`.
pub(super) const ARCHITECTURE: u32 = 4;
/// Offset of the first argument.
pub(super) const ARGUMENTS: u32 = 16;

/// Where a program goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Nowhere: the filter returns this value.
    Return(u32),
    /// At an instruction that is already there.
    At(Label),
}

/// An instruction by its distance from the end of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// Builds a program from its end to its beginning. BPF only jumps forwards, so every target is known
/// when a jump to it is added, and a jump that is too far gets a longer one right where it is needed.
#[derive(Default)]
pub(super) struct Assembler {
    reversed: Vec<Instruction>,
    returns: Vec<(u32, Label)>,
}

impl Assembler {
    /// Adds an instruction that goes on at `next`.
    pub(super) fn plain(&mut self, code: u16, k: u32, next: Target) -> Target {
        self.within(next, 0);
        Target::At(self.push(Instruction { code, jt: 0, jf: 0, k }))
    }

    /// Adds a conditional jump.
    pub(super) fn branch(&mut self, code: u16, k: u32, yes: Target, no: Target) -> Target {
        if yes == no {
            return yes;
        }
        // Bringing `no` near may put one more instruction before `yes`.
        let yes = self.within(yes, REACH - 1);
        let no = self.within(no, REACH);
        let (jt, jf) = (self.distance(yes) as u8, self.distance(no) as u8);
        Target::At(self.push(Instruction { code, jt, jf, k }))
    }

    /// The finished program, which begins at `entry`.
    pub(super) fn finish(mut self, entry: Target) -> Result<Vec<Instruction>, SeccompError> {
        self.within(entry, 0);
        if self.reversed.len() > MAX_INSTRUCTIONS {
            return Err(SeccompReason::TooLong(self.reversed.len()).at(""));
        }
        self.reversed.reverse();
        Ok(self.reversed)
    }

    /// An instruction that continues at `target`, at most `reach` before the next one to be added.
    fn within(&mut self, target: Target, reach: usize) -> Label {
        match target {
            Target::Return(value) => {
                let known = self.returns.iter().find(|(known, _)| *known == value).map(|(_, label)| *label);
                known.filter(|label| self.distance(*label) <= reach).unwrap_or_else(|| self.add_return(value))
            }
            Target::At(label) if self.distance(label) > reach => self.jump(label),
            Target::At(label) => label,
        }
    }

    fn add_return(&mut self, value: u32) -> Label {
        let label = self.push(Instruction { code: RETURN, jt: 0, jf: 0, k: value });
        self.returns.retain(|(known, _)| *known != value);
        self.returns.push((value, label));
        label
    }

    fn jump(&mut self, target: Label) -> Label {
        let distance = self.distance(target) as u32;
        self.push(Instruction { code: JUMP, jt: 0, jf: 0, k: distance })
    }

    /// How many instructions lie between the next one to be added and `label`.
    fn distance(&self, label: Label) -> usize {
        self.reversed.len() - 1 - label.0
    }

    fn push(&mut self, instruction: Instruction) -> Label {
        self.reversed.push(instruction);
        Label(self.reversed.len() - 1)
    }
}
