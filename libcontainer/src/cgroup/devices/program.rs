//! Device rules as a BPF program of type `CGROUP_DEVICE`, for the unified hierarchy.
//!
//! The program keeps the accesses that are not decided yet in a register and walks the rules from
//! the last to the first: an allowing rule clears its accesses, a denying rule that finds one of
//! its own ends with a refusal, and when none is left the access is allowed.

use super::{ANY, Effective, Kind, Rule};

/// One BPF instruction, as the kernel lays it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation code.
    pub code: u8,
    /// Destination and source register, four bits each.
    pub registers: u8,
    /// Jump or memory offset.
    pub offset: i16,
    /// Immediate operand.
    pub immediate: i32,
}

/// Offset of a jump to the next rule until the rule's length is known.
const NEXT_RULE: i16 = -1;

const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const UNDECIDED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

pub(super) const LOAD_WORD: u8 = 0x61;
pub(super) const MOVE: u8 = 0xb4;
pub(super) const MOVE_REGISTER: u8 = 0xbc;
pub(super) const AND: u8 = 0x54;
pub(super) const SHIFT_RIGHT: u8 = 0x74;
pub(super) const JUMP_IF_EQUAL: u8 = 0x16;
pub(super) const JUMP_UNLESS_EQUAL: u8 = 0x56;
pub(super) const EXIT: u8 = 0x95;

/// Compiles rules to a program.
pub(super) fn compile(effective: &Effective<'_>) -> Vec<Instruction> {
    let mut program = prologue().to_vec();
    for rule in effective.rules.iter().rev() {
        let mut block = tests(rule);
        block.extend(verdict(rule));
        resolve_jumps(&mut block);
        program.extend(block);
    }
    program.extend(end(effective.allow));
    program
}

/// Takes `struct bpf_cgroup_dev_ctx { access << 16 | type, major, minor }` apart.
fn prologue() -> [Instruction; 6] {
    [
        load(KIND, 0),
        register(MOVE_REGISTER, UNDECIDED, KIND),
        immediate(AND, KIND, 0xffff),
        immediate(SHIFT_RIGHT, UNDECIDED, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
    ]
}

fn tests(rule: &Rule) -> Vec<Instruction> {
    let kind = match rule.kind {
        Kind::All => None,
        Kind::Block => Some(1),
        Kind::Char => Some(2),
    };
    [(KIND, kind), (MAJOR, rule.major), (MINOR, rule.minor)]
        .into_iter()
        .filter_map(|(operand, wanted)| Some(jump(JUMP_UNLESS_EQUAL, operand, wanted?.cast_signed())))
        .collect()
}

fn verdict(rule: &Rule) -> Vec<Instruction> {
    let access = i32::from(rule.access);
    let mut code = match (rule.allow, rule.access) {
        (_, ANY) => Vec::new(),
        (true, _) => vec![immediate(AND, UNDECIDED, !access), jump(JUMP_UNLESS_EQUAL, UNDECIDED, 0)],
        (false, _) => vec![
            register(MOVE_REGISTER, RESULT, UNDECIDED),
            immediate(AND, RESULT, access),
            jump(JUMP_IF_EQUAL, RESULT, 0),
        ],
    };
    code.extend(end(rule.allow));
    code
}

fn end(allow: bool) -> [Instruction; 2] {
    [immediate(MOVE, RESULT, i32::from(allow)), immediate(EXIT, 0, 0)]
}

fn resolve_jumps(block: &mut [Instruction]) {
    for (behind, instruction) in block.iter_mut().rev().enumerate() {
        if instruction.offset == NEXT_RULE {
            // A rule is at most eight instructions long.
            instruction.offset = i16::try_from(behind).unwrap_or(i16::MAX);
        }
    }
}

fn load(to: u8, offset: i16) -> Instruction {
    Instruction { code: LOAD_WORD, registers: registers(to, CONTEXT), offset, immediate: 0 }
}

fn immediate(code: u8, on: u8, immediate: i32) -> Instruction {
    Instruction { code, registers: registers(on, 0), offset: 0, immediate }
}

fn register(code: u8, to: u8, from: u8) -> Instruction {
    Instruction { code, registers: registers(to, from), offset: 0, immediate: 0 }
}

fn jump(code: u8, on: u8, immediate: i32) -> Instruction {
    Instruction { code, registers: registers(on, 0), offset: NEXT_RULE, immediate }
}

/// The kernel's bit fields change their order with the byte order.
fn registers(destination: u8, source: u8) -> u8 {
    if cfg!(target_endian = "little") { source << 4 | destination } else { destination << 4 | source }
}
