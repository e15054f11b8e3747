//! What a profile comes to, for people and for programs.

mod listing;
mod text;
mod words;

use oci_spec::runtime::{Arch, LinuxSeccomp};
use serde::Serialize;
use serde_json::Value;

use super::abi::{Abi, native_arch};
use super::error::SeccompReason;
use super::policy::{self, Decision, Policy, Section};
use super::{Filter, SeccompData, compile, tables, trace};
use crate::{Error, ErrorKind, Result};

pub use listing::Listing;

/// A profile explained. Prints as text, and serialises as the same things.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// One for each ABI that programs may use; calls of any other kill the process.
    pub architectures: Vec<Architecture>,
    /// `SECCOMP_FILTER_FLAG_*`
    pub flags: u32,
    /// The socket of the agent that decides calls.
    pub listener_path: Option<String>,
    /// How long the program is.
    pub instructions: usize,
    /// What a call of the machine's own architecture costs.
    pub cost: Cost,
    /// Parts of the profile that have no effect.
    pub warnings: Vec<String>,
    #[serde(skip)]
    filter: Filter,
}

/// What a call costs, over all calls that have a name, each as often as the others, with arguments of zero.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Instructions, on average.
    pub average_instructions: f64,
    /// Comparisons, on average.
    pub average_comparisons: f64,
    /// Comparisons, at most.
    pub most_comparisons: u32,
}

/// The calls of one ABI.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Architecture {
    /// `SCMP_ARCH_*`
    pub name: Arch,
    /// Calls that always have the same answer, by answer.
    pub answers: Vec<Answer>,
    /// Calls whose answer depends on their arguments.
    pub conditional: Vec<Conditional>,
    /// The answer to a number above all that the profile names.
    pub newer: String,
}

/// Calls with the same answer.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// `SCMP_ACT_*`, and its errno if it has one.
    pub action: String,
    /// Their names, sorted.
    pub calls: Vec<&'static str>,
}

/// A call whose answer depends on its arguments.
#[derive(Debug, Serialize)]
pub struct Conditional {
    /// Its name.
    pub call: &'static str,
    /// The rules, of which the first that fits counts.
    pub rules: Vec<ConditionalRule>,
    /// The answer if none fits.
    pub otherwise: String,
}

/// One rule of a call.
#[derive(Debug, Serialize)]
pub struct ConditionalRule {
    /// As in [`Answer`].
    pub action: String,
    /// What must hold, all of it.
    pub conditions: Vec<String>,
}

/// Explains the profile in `document`, which is one, or a `config.json` that has one, for this machine.
///
/// # Errors
/// [`ErrorKind::InvalidSpec`] or [`ErrorKind::Unsupported`] if there is no profile or it cannot be compiled.
pub fn explain(document: &[u8]) -> Result<Explanation> {
    let profile = find(document)?;
    let arch = native_arch().ok_or_else(|| SeccompReason::Machine(Arch::ScmpArchNative).at(""))?;
    let filter = compile(&profile, arch)?;
    let policy = policy::lower(&profile, arch, &mut Vec::new())?;
    let warning = |warning: &crate::spec::Warning| format!("{}: {}", warning.pointer, warning.message);
    Ok(Explanation {
        architectures: policy.sections.iter().flat_map(|section| architectures(&policy, section)).collect(),
        flags: filter.flags,
        listener_path: filter.listener.as_ref().map(|listener| listener.path.display().to_string()),
        instructions: filter.instructions.len(),
        cost: cost(&filter, arch),
        warnings: filter.warnings.iter().map(warning).collect(),
        filter,
    })
}

fn find(document: &[u8]) -> Result<LinuxSeccomp> {
    let invalid = |pointer: &str, message: String| {
        Error::new(ErrorKind::InvalidSpec { pointer: pointer.to_owned() }, message)
    };
    let document: Value = serde_json::from_slice(document)
        .map_err(|error| invalid("", format!("this is not JSON: {error}")))?;
    let profile = match document.get("defaultAction") {
        Some(_) => Some(&document),
        None => document.pointer("/linux/seccomp").filter(|profile| profile.get("defaultAction").is_some()),
    };
    let profile = profile.ok_or_else(|| {
        let message = "there is no profile: neither the document nor its /linux/seccomp has a defaultAction";
        invalid("/linux/seccomp", message.to_owned())
    })?;
    serde_json::from_value(profile.clone())
        .map_err(|error| invalid("/linux/seccomp", format!("/linux/seccomp: {error}")))
}

impl Explanation {
    /// The program, one instruction a line.
    #[must_use]
    pub fn listing(&self) -> Listing<'_> {
        Listing(&self.filter.instructions)
    }
}

/// The ABIs of a section: x32 code shares that of x86_64.
fn architectures(policy: &Policy, section: &Section) -> Vec<Architecture> {
    section.abis.iter().map(|abi| architecture(policy, section, *abi)).collect()
}

fn architecture(policy: &Policy, section: &Section, abi: Abi) -> Architecture {
    let mut answers: Vec<Answer> = Vec::new();
    let mut conditional = Vec::new();
    for (call, number) in tables::calls(abi) {
        match decision(section, number) {
            Some(Decision::FirstOf { rules, .. }) => {
                let rules = rules.iter().filter_map(|index| policy.rules.get(*index as usize));
                conditional.push(Conditional {
                    call,
                    rules: rules.map(words::rule).collect(),
                    otherwise: words::action(policy.default),
                });
            }
            Some(Decision::Return(value)) => push(&mut answers, words::action(*value), call),
            None => push(&mut answers, words::action(policy.default), call),
        }
    }
    let newer = match decision(section, abi.highest_number()) {
        Some(Decision::Return(value)) => words::action(*value),
        _ => words::action(policy.default),
    };
    Architecture { name: abi.arch(), answers, conditional, newer }
}

fn decision(section: &Section, number: u32) -> Option<&Decision> {
    let after = section.spans.partition_point(|span| span.first <= number);
    section.spans.get(after.checked_sub(1)?).map(|span| &span.decision)
}

fn push(answers: &mut Vec<Answer>, action: String, call: &'static str) {
    match answers.iter_mut().find(|answer| answer.action == action) {
        Some(answer) => answer.calls.push(call),
        None => answers.push(Answer { action, calls: vec![call] }),
    }
}

fn cost(filter: &Filter, arch: Arch) -> Cost {
    let Some(abi) = Abi::of(arch) else { return Cost::default() };
    let data = |number: u32| SeccompData {
        nr: number.cast_signed(),
        arch: abi.audit_arch(),
        ..SeccompData::default()
    };
    let traces = tables::calls(abi).filter_map(|(_, number)| trace(&filter.instructions, &data(number)));
    let (mut calls, mut instructions, mut comparisons, mut most) = (0u32, 0u32, 0u32, 0);
    for trace in traces {
        calls += 1;
        instructions += trace.instructions;
        comparisons += trace.comparisons;
        most = trace.comparisons.max(most);
    }
    let average = |sum: u32| (f64::from(sum) / f64::from(calls.max(1)) * 10.0).round() / 10.0;
    Cost {
        average_instructions: average(instructions),
        average_comparisons: average(comparisons),
        most_comparisons: most,
    }
}
