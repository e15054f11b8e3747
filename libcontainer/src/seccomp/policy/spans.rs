//! Numbers with their rules → a gapless list of spans.

use super::collect::Numbering;
use super::weight::weigh;
use super::{Rule, Section};
use crate::seccomp::abi::{Abi, X32_BIT};
use crate::seccomp::action::{ENOSYS, KILL_PROCESS, is_permissive};

/// The numbers from `first` up to the next span, and what they lead to.
#[derive(Debug)]
pub(in crate::seccomp) struct Span {
    pub(in crate::seccomp) first: u32,
    pub(in crate::seccomp) decision: Decision,
    /// How often it is looked for, compared with the others of its section.
    pub(in crate::seccomp) weight: u32,
}

/// What a number leads to.
#[derive(Debug, PartialEq)]
pub(in crate::seccomp) enum Decision {
    Return(u32),
    /// The value of the first of these rules that matches, else the default.
    FirstOf {
        rules: Box<[u32]>,
        /// Whether all 64 bits of an argument count.
        wide: bool,
    },
}

/// One section for each `AUDIT_ARCH_*` of the numberings, which must be in the order of
/// [`guests`](Abi::guests).
pub(super) fn sections(numberings: Vec<Numbering>, rules: &[Rule], default: u32) -> Vec<Section> {
    let has_x32 = numberings.iter().any(|numbering| numbering.abi == Abi::X32);
    let mut sections: Vec<Section> = Vec::with_capacity(numberings.len());
    for numbering in numberings {
        let abi = numbering.abi;
        let mut spans = spans(numbering, rules, default);
        if abi == Abi::X86_64 && !has_x32 {
            refuse_x32(&mut spans);
        }
        weigh(&mut spans, abi);
        match sections.last_mut() {
            // x32 code makes the system calls of x86_64, with a bit set in the number.
            Some(section) if abi == Abi::X32 => {
                section.abis.push(abi);
                section.spans.extend(spans);
            }
            _ => sections.push(Section { audit_arch: abi.audit_arch(), abis: vec![abi], spans }),
        }
    }
    sections
}

fn refuse_x32(spans: &mut Vec<Span>) {
    let last = spans.last().map(|span| &span.decision);
    let unknown = if let Some(Decision::Return(value)) = last { *value } else { KILL_PROCESS };
    push(spans, X32_BIT, Decision::Return(KILL_PROCESS));
    // A tracer sets the number to -1 to skip a call, and the filter then sees it again.
    push(spans, u32::MAX, Decision::Return(unknown));
}

fn spans(numbering: Numbering, rules: &[Rule], default: u32) -> Vec<Span> {
    let Numbering { abi, newest, mut entries } = numbering;
    entries.sort_unstable_by_key(|(number, rule)| u64::from(*number) << 32 | u64::from(*rule));
    let (start, wide) = (if abi == Abi::X32 { X32_BIT } else { 0 }, abi.has_wide_arguments());
    let after_newest = if is_permissive(default) { default } else { ENOSYS };
    let border = newest.map_or(u32::MAX, |newest| newest + 1);
    let (known, apart) = entries.split_at(entries.partition_point(|(number, _)| *number < border));
    let mut spans = Vec::with_capacity(256);
    push(&mut spans, start, Decision::Return(default));
    add(&mut spans, known, rules, wide, default);
    if newest.is_some() {
        push(&mut spans, border, Decision::Return(after_newest));
        add(&mut spans, apart, rules, wide, after_newest);
    }
    spans
}

/// Adds a span for each number in `entries`, and `gap` after each of them.
fn add(spans: &mut Vec<Span>, entries: &[(u32, u32)], rules: &[Rule], wide: bool, gap: u32) {
    for group in entries.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((number, _)) = group.first() else { continue };
        let indices = group.iter().map(|(_, rule)| *rule);
        let mut candidates = indices.clone().filter_map(|index| rules.get(index as usize));
        let certain = candidates.find(|rule| rule.tests.is_empty());
        let decision = match certain {
            Some(rule) => Decision::Return(rule.value),
            None => Decision::FirstOf { rules: indices.collect(), wide },
        };
        push(spans, *number, decision);
        push(spans, number + 1, Decision::Return(gap));
    }
}

/// Adds a span from `first` on, which takes the place of one that starts there.
fn push(spans: &mut Vec<Span>, first: u32, decision: Decision) {
    spans.pop_if(|last| last.first == first);
    if spans.last().is_none_or(|last| last.decision != decision) {
        spans.push(Span { first, decision, weight: 0 });
    }
}
