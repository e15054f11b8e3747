//! Back end: a policy → a program.

use super::action::KILL_PROCESS;
use super::bpf::{
    AND, ARCHITECTURE, ARGUMENTS, Assembler, Instruction, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL,
    JUMP_SET, LOAD, NUMBER, Target,
};
use super::error::SeccompError;
use super::policy::{Comparison, Decision, Policy, Rule, Span, Test};

/// Assembles: find the architecture, then search the number among its spans.
pub(super) fn assemble(policy: &Policy) -> Result<Vec<Instruction>, SeccompError> {
    let mut code = Assembler::default();
    let mut next = Target::Return(KILL_PROCESS);
    // The native section comes first, and the program is built from its end.
    let mut entries = Vec::with_capacity(policy.sections.len());
    for section in policy.sections.iter().rev() {
        let entry = match search(&mut code, policy, &section.spans) {
            start @ Target::At(_) => code.plain(LOAD, NUMBER, start),
            decided => decided,
        };
        entries.push((section.audit_arch, entry));
    }
    for (audit_arch, entry) in entries {
        next = code.branch(JUMP_EQUAL, audit_arch, entry, next);
    }
    let entry = code.plain(LOAD, ARCHITECTURE, next);
    code.finish(entry)
}

/// A balanced search for the span that holds the loaded number.
fn search(code: &mut Assembler, policy: &Policy, spans: &[Span]) -> Target {
    match spans {
        [] => Target::Return(policy.default),
        [span] => decide(code, policy, &span.decision),
        _ => {
            let (low, high) = spans.split_at(spans.len() / 2);
            let border = high.first().map_or(0, |span| span.first);
            let above = search(code, policy, high);
            let below = search(code, policy, low);
            code.branch(JUMP_GREATER_OR_EQUAL, border, above, below)
        }
    }
}

fn decide(code: &mut Assembler, policy: &Policy, decision: &Decision) -> Target {
    match decision {
        Decision::Return(value) => Target::Return(*value),
        Decision::FirstOf { rules, wide } => {
            let rules = rules.iter().rev().filter_map(|index| policy.rules.get(*index as usize));
            rules.fold(Target::Return(policy.default), |next, rule| apply(code, rule, *wide, next))
        }
    }
}

/// Returns the rule's value if it matches, else goes on at `next`.
fn apply(code: &mut Assembler, rule: &Rule, wide: bool, next: Target) -> Target {
    let matched = Target::Return(rule.value);
    let tests = rule.tests.iter().rev();
    if rule.any {
        tests.fold(next, |next, test| check(code, test, wide, matched, next))
    } else {
        tests.fold(matched, |matched, test| check(code, test, wide, matched, next))
    }
}

/// Tests an argument. The accumulator may hold anything before and after.
fn check(code: &mut Assembler, test: &Test, wide: bool, yes: Target, no: Target) -> Target {
    let (yes, no) = if test.negated { (no, yes) } else { (yes, no) };
    let low = ARGUMENTS + 8 * u32::from(test.argument);
    let high = low + 4;
    match test.comparison {
        Comparison::Equal { value, mask } => {
            let low_half = equal(code, low, value as u32, mask as u32, yes, no);
            if wide {
                equal(code, high, (value >> 32) as u32, (mask >> 32) as u32, low_half, no)
            } else {
                low_half
            }
        }
        Comparison::Greater(value) => order(code, JUMP_GREATER, low, value, wide, yes, no),
        Comparison::AtLeast(value) => order(code, JUMP_GREATER_OR_EQUAL, low, value, wide, yes, no),
    }
}

/// Compares the half of an argument at `offset` under a mask.
fn equal(code: &mut Assembler, offset: u32, value: u32, mask: u32, yes: Target, no: Target) -> Target {
    let compare = match (mask, value & mask) {
        (0, _) => return yes,
        (u32::MAX, value) => code.branch(JUMP_EQUAL, value, yes, no),
        (mask, 0) => code.branch(JUMP_SET, mask, no, yes),
        (mask, value) => {
            let compare = code.branch(JUMP_EQUAL, value, yes, no);
            code.plain(AND, mask, compare)
        }
    };
    code.plain(LOAD, offset, compare)
}

/// Compares by size: the high halves decide unless they are equal.
fn order(
    code: &mut Assembler,
    operation: u16,
    low: u32,
    value: u64,
    wide: bool,
    yes: Target,
    no: Target,
) -> Target {
    let compare = code.branch(operation, value as u32, yes, no);
    let low_half = code.plain(LOAD, low, compare);
    if !wide {
        return low_half;
    }
    let high_value = (value >> 32) as u32;
    let if_equal = code.branch(JUMP_EQUAL, high_value, low_half, no);
    let compare = code.branch(JUMP_GREATER, high_value, yes, if_equal);
    code.plain(LOAD, low + 4, compare)
}
