//! Device rules as a BPF program of type `CGROUP_DEVICE`, for the unified hierarchy.
//!
//! The program keeps the accesses that are allowed so far in a register and walks the rules in
//! order; each that matches adds its accesses to them or takes them away. Matching is arithmetic
//! instead of jumps, because the kernel's verifier follows both ways of every jump: with jumps,
//! loading the default rules took four times as long, a tenth of a container's whole start.

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

const ALLOWED: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
/// Major and minor number in one.
const DEVICE: u8 = 6;
const SCRATCH: u8 = 7;

pub(super) const LOAD_WORD: u8 = 0x61;
pub(super) const MOVE: u8 = 0xb4;
pub(super) const MOVE_REGISTER: u8 = 0xbc;
pub(super) const AND: u8 = 0x54;
pub(super) const MULTIPLY: u8 = 0x24;
pub(super) const XOR: u8 = 0xa4;
pub(super) const SHIFT_LEFT: u8 = 0x64;
pub(super) const SHIFT_RIGHT: u8 = 0x74;
pub(super) const AND_REGISTER: u8 = 0x5c;
pub(super) const OR_REGISTER: u8 = 0x4c;
/// The wide ones are on all 64 bits, the others on the lower 32 and clear the upper.
pub(super) const ADD_WIDE: u8 = 0x07;
pub(super) const SHIFT_RIGHT_WIDE: u8 = 0x77;
pub(super) const JUMP_IF_EQUAL: u8 = 0x16;
pub(super) const EXIT: u8 = 0x95;

/// The kernel's type of block devices; the other one is that of character devices.
const BLOCK: i32 = 1;
/// The kernel's device numbers have 12 and 20 bits.
const MAJOR_BITS: u32 = 12;
const MINOR_BITS: u32 = 20;

/// Compiles rules to a program; `None` if there are too many for a jump over half of them.
pub(super) fn compile(effective: &Effective<'_>) -> Option<Vec<Instruction>> {
    let for_char = section(effective, Kind::Char);
    let for_block = section(effective, Kind::Block);
    let over = i16::try_from(for_char.len()).ok()?;
    let mut program = prologue(effective.allow).to_vec();
    program.push(Instruction { offset: over, ..immediate(JUMP_IF_EQUAL, KIND, BLOCK) });
    program.extend(for_char);
    program.extend(for_block);
    Some(program)
}

/// Takes `struct bpf_cgroup_dev_ctx { access << 16 | type, major, minor }` apart.
fn prologue(allow: bool) -> [Instruction; 10] {
    [
        load(KIND, 0),
        register(MOVE_REGISTER, ACCESS, KIND),
        immediate(AND, KIND, 0xffff),
        immediate(SHIFT_RIGHT, ACCESS, 16),
        load(MAJOR, 4),
        load(MINOR, 8),
        register(MOVE_REGISTER, DEVICE, MAJOR),
        immediate(SHIFT_LEFT, DEVICE, MINOR_BITS.cast_signed()),
        register(OR_REGISTER, DEVICE, MINOR),
        immediate(MOVE, ALLOWED, if allow { i32::from(ANY) } else { 0 }),
    ]
}

/// The rules about one type of device, and the verdict.
fn section(effective: &Effective<'_>, kind: Kind) -> Vec<Instruction> {
    let about = |rule: &&Rule| rule.kind == Kind::All || rule.kind == kind;
    let mut code: Vec<_> = effective.rules.iter().filter(about).flat_map(step).collect();
    // 1 if no access is wanted that is not allowed: 0 - 1 is the only one with the highest bit set.
    code.extend([
        immediate(XOR, ALLOWED, i32::from(ANY)),
        register(AND_REGISTER, ALLOWED, ACCESS),
        immediate(ADD_WIDE, ALLOWED, -1),
        immediate(SHIFT_RIGHT_WIDE, ALLOWED, 63),
        immediate(EXIT, 0, 0),
    ]);
    code
}

fn step(rule: &Rule) -> Vec<Instruction> {
    let mut code = match numbers(rule) {
        Numbers::Any => vec![immediate(MOVE, SCRATCH, i32::from(rule.access))],
        Numbers::None => return Vec::new(),
        Numbers::Are(operand, wanted) => vec![
            // 1 if both are equal, otherwise 0: 0 - 1 is the only one with the highest bit set. A
            // mask of all bits or none would be a jump to the verifier, which tries both.
            register(MOVE_REGISTER, SCRATCH, operand),
            immediate(XOR, SCRATCH, wanted.cast_signed()),
            immediate(ADD_WIDE, SCRATCH, -1),
            immediate(SHIFT_RIGHT_WIDE, SCRATCH, 63),
            immediate(MULTIPLY, SCRATCH, i32::from(rule.access)),
        ],
    };
    if rule.allow {
        code.push(register(OR_REGISTER, ALLOWED, SCRATCH));
    } else {
        code.push(immediate(XOR, SCRATCH, -1));
        code.push(register(AND_REGISTER, ALLOWED, SCRATCH));
    }
    code
}

/// Which device numbers a rule is about.
enum Numbers {
    Any,
    /// Those where the register has the value.
    Are(u8, u32),
    /// None that the kernel can have.
    None,
}

fn numbers(rule: &Rule) -> Numbers {
    let too_large = |number: Option<u32>, bits: u32| number.is_some_and(|number| number >> bits != 0);
    if too_large(rule.major, MAJOR_BITS) || too_large(rule.minor, MINOR_BITS) {
        return Numbers::None;
    }
    match (rule.major, rule.minor) {
        (None, None) => Numbers::Any,
        (Some(major), None) => Numbers::Are(MAJOR, major),
        (None, Some(minor)) => Numbers::Are(MINOR, minor),
        (Some(major), Some(minor)) => Numbers::Are(DEVICE, major << MINOR_BITS | minor),
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

/// The kernel's bit fields change their order with the byte order.
fn registers(destination: u8, source: u8) -> u8 {
    if cfg!(target_endian = "little") { source << 4 | destination } else { destination << 4 | source }
}
