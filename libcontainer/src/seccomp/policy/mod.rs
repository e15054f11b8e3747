//! Front end: an OCI profile → what each number on each architecture leads to.

mod collect;
mod multiplexed;
mod spans;
mod weight;

use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompAction};

use super::abi::Abi;
use super::action;
use super::error::{SeccompError, SeccompReason};
use crate::spec::Warning;
use collect::Collector;

pub(super) use spans::{Decision, Span};

/// A profile in the kernel's terms.
#[derive(Debug)]
pub(super) struct Policy {
    /// What a filter returns if nothing else is said.
    pub(super) default: u32,
    /// The rules that [`Decision::FirstOf`] refers to.
    pub(super) rules: Vec<Rule>,
    /// One for each `AUDIT_ARCH_*`, that of the machine first.
    pub(super) sections: Vec<Section>,
}

/// The system calls of one `AUDIT_ARCH_*`.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) audit_arch: u32,
    /// Whose calls they are: x32 code shares those of x86_64.
    pub(super) abis: Vec<Abi>,
    /// Sorted and without gaps: each reaches to the next one's start.
    pub(super) spans: Vec<Span>,
}

/// A return value and what must hold for it: all of the tests.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) value: u32,
    pub(super) tests: Vec<Test>,
}

impl Rule {
    /// The argument and the value that it must have, if that is all there is to it.
    pub(super) fn only_value(&self) -> Option<(u8, u64)> {
        match self.tests.as_slice() {
            &[Test { argument, comparison: Comparison::Equal { value, mask: u64::MAX }, negated: false }] => {
                Some((argument, value))
            }
            _ => None,
        }
    }
}

/// A condition on an argument.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) argument: u8,
    pub(super) comparison: Comparison,
    pub(super) negated: bool,
}

/// The comparisons that all operators come down to.
#[derive(Debug)]
pub(super) enum Comparison {
    Equal { value: u64, mask: u64 },
    Greater(u64),
    AtLeast(u64),
}

/// Lowers the profile for a machine whose own architecture is `native`.
pub(super) fn lower(
    profile: &LinuxSeccomp,
    native: Arch,
    warnings: &mut Vec<Warning>,
) -> Result<Policy, SeccompError> {
    let native = Abi::of(native).ok_or_else(|| SeccompReason::Machine(native).at(""))?;
    let default = default_value(profile)?;
    let mut collector = Collector::new(listed(profile, native), default);
    for (index, syscall) in profile.syscalls().iter().flatten().enumerate() {
        collector.add(syscall, index)?;
    }
    if !collector.unknown.is_empty() {
        // One line, whatever they are.
        let names: Vec<String> =
            collector.unknown.iter().map(|name| name.escape_debug().to_string()).collect();
        warnings.push(Warning {
            pointer: "/linux/seccomp/syscalls".into(),
            message: format!("unknown system calls are left out: {}", names.join(", ")),
        });
    }
    let Collector { numberings, rules, .. } = collector;
    let sections = spans::sections(numberings, &rules, default);
    Ok(Policy { default, rules, sections })
}

fn default_value(profile: &LinuxSeccomp) -> Result<u32, SeccompError> {
    let action = profile.default_action();
    if action == LinuxSeccompAction::ScmpActNotify {
        return Err(SeccompReason::NotifyByDefault.at("/defaultAction"));
    }
    action::return_value(action, profile.default_errno_ret()).map_err(|reason| reason.at("/defaultErrnoRet"))
}

/// The ABIs that the profile is about: the native one, then those of its guests that it lists.
fn listed(profile: &LinuxSeccomp, native: Abi) -> Vec<Abi> {
    let architectures = profile.architectures().as_deref().unwrap_or_default();
    let is_listed = |abi: &Abi| architectures.iter().any(|arch| Abi::of(*arch) == Some(*abi));
    let guests = native.guests().iter().copied().filter(is_listed);
    std::iter::once(native).chain(guests).collect()
}
