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

/// A search for the span that holds the loaded number.
fn search(code: &mut Assembler, policy: &Policy, spans: &[Span]) -> Target {
    let mut sum = 0u32;
    let weights = spans.iter().map(|span| {
        sum = sum.saturating_add(span.weight);
        sum
    });
    split(code, policy, spans, &weights.collect::<Vec<_>>(), 0)
}

/// As [`search`], given the weights of the spans up to and with each, and `before` the first.
fn split(code: &mut Assembler, policy: &Policy, spans: &[Span], sums: &[u32], before: u32) -> Target {
    match spans {
        [] => return Target::Return(policy.default),
        [span] => return decide(code, policy, &span.decision),
        _ => {}
    }
    let place = place_to_split(spans, sums, before);
    let (low, high) = spans.split_at(place);
    let (low_sums, high_sums) = sums.split_at(place);
    let border = high.first().map_or(0, |span| span.first);
    let middle = low_sums.last().copied().unwrap_or(before);
    let above = split(code, policy, high, high_sums, middle);
    let below = split(code, policy, low, low_sums, before);
    code.branch(JUMP_GREATER_OR_EQUAL, border, above, below)
}

/// Where to divide two or more spans. A span at the end that has two fifths of the weight stands alone, as it would in
/// the best tree (a Huffman code is that short for it); else both sides get about half of the weight. So what is often
/// looked for is found soon, and the rest after a number of comparisons that grows with the logarithm of the weights.
fn place_to_split(spans: &[Span], sums: &[u32], before: u32) -> usize {
    let last = sums.last().copied().unwrap_or(before);
    let is_heavy = |span: Option<&Span>| {
        span.is_some_and(|span| u64::from(span.weight) * 5 >= u64::from(last - before) * 2)
    };
    if is_heavy(spans.first()) {
        return 1;
    }
    if is_heavy(spans.last()) {
        return spans.len() - 1;
    }
    let half = before + (last - before) / 2;
    let over = sums.partition_point(|sum| *sum <= half);
    // The border before the span that the half falls in, or behind it, whichever is nearer.
    let start = over.checked_sub(1).and_then(|place| sums.get(place)).map_or(before, |sum| *sum);
    let end = sums.get(over).map_or(last, |sum| *sum);
    let nearest = if half - start <= end - half { over } else { over + 1 };
    nearest.clamp(1, spans.len() - 1)
}

fn decide(code: &mut Assembler, policy: &Policy, decision: &Decision) -> Target {
    match decision {
        Decision::Return(value) => Target::Return(*value),
        Decision::FirstOf { rules, wide } => {
            let rules = rules.iter().filter_map(|index| policy.rules.get(*index as usize));
            first_of(code, &rules.collect::<Vec<_>>(), *wide, Target::Return(policy.default))
        }
    }
}

/// The value of the first of the rules that matches, else on to `next`. Neighbours that ask an argument for one value
/// each become one choice.
fn first_of(code: &mut Assembler, rules: &[&Rule], wide: bool, next: Target) -> Target {
    let groups = rules.chunk_by(|one, other| {
        one.only_value()
            .is_some_and(|(argument, _)| other.only_value().is_some_and(|(other, _)| argument == other))
    });
    groups.rev().fold(next, |next, group| match group {
        [rule] => apply(code, rule, wide, next),
        several => choose(code, several, wide, next),
    })
}

/// Returns the rule's value if it matches, else goes on at `next`.
fn apply(code: &mut Assembler, rule: &Rule, wide: bool, next: Target) -> Target {
    let matched = Target::Return(rule.value);
    rule.tests.iter().rev().fold(matched, |matched, test| check(code, test, wide, matched, next))
}

/// One choice by the value of an argument, in place of rules that each ask for one.
fn choose(code: &mut Assembler, rules: &[&Rule], wide: bool, next: Target) -> Target {
    let mask = if wide { u64::MAX } else { u64::from(u32::MAX) };
    let mut argument = 0;
    let mut cases: Vec<(u64, u32)> = Vec::with_capacity(rules.len());
    for rule in rules {
        if let Some((asked, value)) = rule.only_value() {
            argument = asked;
            cases.push((value & mask, rule.value));
        }
    }
    // Stable: of several rules for one value the first stays.
    cases.sort_by_key(|(value, _)| *value);
    cases.dedup_by_key(|(value, _)| *value);
    let low = ARGUMENTS + 8 * u32::from(argument);
    let halves = cases.chunk_by(|(one, _), (other, _)| one >> 32 == other >> 32);
    let halves = halves.map(|cases| {
        let targets: Vec<_> =
            cases.iter().map(|(value, result)| (*value as u32, Target::Return(*result))).collect();
        let pick = pick(code, &targets, next);
        let high = cases.first().map_or(0, |(value, _)| (value >> 32) as u32);
        (high, code.plain(LOAD, low, pick))
    });
    let halves: Vec<_> = halves.collect();
    match halves.as_slice() {
        [(_, only)] if !wide => *only,
        halves => {
            let pick = pick(code, halves, next);
            code.plain(LOAD, low + 4, pick)
        }
    }
}

/// Goes on at the target of the loaded word, by a balanced search, or else at `next`.
fn pick(code: &mut Assembler, cases: &[(u32, Target)], next: Target) -> Target {
    // Below this a comparison more than needed costs less than one that only divides.
    if cases.len() <= 3 {
        return cases
            .iter()
            .rev()
            .fold(next, |next, (value, target)| code.branch(JUMP_EQUAL, *value, *target, next));
    }
    let (low, high) = cases.split_at(cases.len() / 2);
    let border = high.first().map_or(0, |(value, _)| *value);
    let above = pick(code, high, next);
    let below = pick(code, low, next);
    code.branch(JUMP_GREATER_OR_EQUAL, border, above, below)
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
