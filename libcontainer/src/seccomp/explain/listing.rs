//! A program as text.

use std::fmt;

use crate::seccomp::bpf::{
    AND, ARCHITECTURE, ARGUMENTS, Instruction, JUMP, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL,
    JUMP_SET, LOAD, NUMBER, RETURN,
};

use super::words;

/// A program, one instruction a line: its place, what it does, and where it goes on if not at the next one.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a>(pub(super) &'a [Instruction]);

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, instruction) in self.0.iter().enumerate() {
            let Instruction { code, jt, jf, k } = *instruction;
            let (yes, no) = (place + 1 + usize::from(jt), place + 1 + usize::from(jf));
            let test = match code {
                JUMP_EQUAL => "==",
                JUMP_GREATER => ">",
                JUMP_GREATER_OR_EQUAL => ">=",
                JUMP_SET => "&",
                _ => "",
            };
            write!(f, "{place:5}  ")?;
            match code {
                LOAD => writeln!(f, "load {}", field(k))?,
                AND => writeln!(f, "and {k:#x}")?,
                JUMP => writeln!(f, "go to {}", (place + 1).saturating_add(k as usize))?,
                RETURN => writeln!(f, "return {}", words::action(k))?,
                _ => writeln!(f, "if {test} {k:#x} go to {yes} else {no}")?,
            }
        }
        Ok(())
    }
}

fn field(offset: u32) -> String {
    match offset {
        NUMBER => "number".into(),
        ARCHITECTURE => "architecture".into(),
        _ => {
            let argument = offset.saturating_sub(ARGUMENTS);
            let half = if argument.is_multiple_of(8) { "low" } else { "high" };
            format!("arg{} {half}", argument / 8)
        }
    }
}
