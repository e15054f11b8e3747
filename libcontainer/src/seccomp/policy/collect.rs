//! Reads the rules of a profile and sorts them by the numbers that they apply to.

use std::ops::Range;

use oci_spec::runtime::{LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall};

use super::multiplexed;
use super::{Comparison, Rule, Test};
use crate::seccomp::abi::Abi;
use crate::seccomp::action;
use crate::seccomp::error::{SeccompError, SeccompReason};
use crate::seccomp::tables::{self, Numbers};

/// What the profile says about one ABI.
pub(super) struct Numbering {
    pub(super) abi: Abi,
    /// The largest number that the profile names, not counting those [apart](Abi::is_apart).
    pub(super) newest: Option<u32>,
    /// Numbers, each with the index of a rule for it.
    pub(super) entries: Vec<(u32, u32)>,
}

pub(super) struct Collector<'a> {
    pub(super) numberings: Vec<Numbering>,
    pub(super) rules: Vec<Rule>,
    pub(super) unknown: Vec<&'a str>,
    default: u32,
}

impl<'a> Collector<'a> {
    pub(super) fn new(abis: Vec<Abi>, default: u32) -> Self {
        // The common profiles name about 400 calls.
        let numbering = |abi| Numbering { abi, newest: None, entries: Vec::with_capacity(512) };
        let numberings = abis.into_iter().map(numbering).collect();
        Self { numberings, rules: Vec::new(), unknown: Vec::new(), default }
    }

    /// Adds the rule at `/syscalls/{index}`.
    pub(super) fn add(&mut self, syscall: &'a LinuxSyscall, index: usize) -> Result<(), SeccompError> {
        let fault = |(place, reason): Fault| reason.at(format!("/syscalls/{index}{place}"));
        let (value, tests) = read(syscall).map_err(fault)?;
        let has_effect = value != self.default;
        let second_way = has_effect && (tests.is_empty() || action::is_stricter(value, self.default));
        // A rule without effect is left out, but its names are known to the profile all the same.
        let first = self.rules.len() as u32;
        if has_effect {
            self.rules.extend(split(tests).into_iter().map(|tests| Rule { value, tests }));
        }
        let made = first..self.rules.len() as u32;
        for name in syscall.names() {
            match tables::find(name) {
                Some(numbers) => self.apply(numbers, made.clone()),
                None if tables::is_elsewhere(name) => {}
                None => self.unknown.push(name),
            }
            if second_way {
                self.apply_multiplexed(name, value);
            }
        }
        Ok(())
    }

    fn apply(&mut self, numbers: Numbers, rules: Range<u32>) {
        for numbering in &mut self.numberings {
            let Some(number) = numbers.number(numbering.abi) else { continue };
            if !numbering.abi.is_apart(number) {
                numbering.newest = numbering.newest.max(Some(number));
            }
            numbering.entries.extend(rules.clone().map(|rule| (number, rule)));
        }
    }

    fn apply_multiplexed(&mut self, name: &str, value: u32) {
        let Some(x86) = self.numberings.iter_mut().find(|numbering| numbering.abi == Abi::X86) else {
            return;
        };
        let Some((number, test)) = multiplexed::find(name) else { return };
        x86.entries.push((number, self.rules.len() as u32));
        self.rules.push(Rule { value, tests: vec![test] });
    }
}

/// What is wrong, and where below the rule.
type Fault = (String, SeccompReason);

/// The value that a rule returns, and its conditions.
fn read(syscall: &LinuxSyscall) -> Result<(u32, Vec<Test>), Fault> {
    if syscall.names().is_empty() {
        return Err(("/names".into(), SeccompReason::NoNames));
    }
    if let Some(place) = syscall.names().iter().position(String::is_empty) {
        return Err((format!("/names/{place}"), SeccompReason::EmptyName));
    }
    let value = action::return_value(syscall.action(), syscall.errno_ret())
        .map_err(|reason| ("/errnoRet".into(), reason))?;
    let args = syscall.args().as_deref().unwrap_or_default();
    let tests = args.iter().enumerate().map(|(place, arg)| {
        test(arg).ok_or_else(|| (format!("/args/{place}/index"), SeccompReason::NoSuchArgument(arg.index())))
    });
    Ok((value, tests.collect::<Result<Vec<Test>, Fault>>()?))
}

/// The conditions that must hold together: all of them, unless two look at the same argument.
fn split(tests: Vec<Test>) -> Vec<Vec<Test>> {
    match has_repeated_argument(&tests) {
        true => tests.into_iter().map(|test| vec![test]).collect(),
        false => vec![tests],
    }
}

fn has_repeated_argument(tests: &[Test]) -> bool {
    let mut seen = 0u8;
    tests.iter().any(|test| {
        let bit = 1 << test.argument;
        let repeated = seen & bit != 0;
        seen |= bit;
        repeated
    })
}

/// The condition, unless it is on an argument that no system call has.
fn test(arg: &LinuxSeccompArg) -> Option<Test> {
    use LinuxSeccompOperator as Operator;
    let value = arg.value();
    let equal = Comparison::Equal { value, mask: u64::MAX };
    let (comparison, negated) = match arg.op() {
        Operator::ScmpCmpEq => (equal, false),
        Operator::ScmpCmpNe => (equal, true),
        Operator::ScmpCmpGt => (Comparison::Greater(value), false),
        Operator::ScmpCmpLe => (Comparison::Greater(value), true),
        Operator::ScmpCmpGe => (Comparison::AtLeast(value), false),
        Operator::ScmpCmpLt => (Comparison::AtLeast(value), true),
        Operator::ScmpCmpMaskedEq => {
            (Comparison::Equal { value: arg.value_two().unwrap_or_default(), mask: value }, false)
        }
    };
    let argument = u8::try_from(arg.index()).ok().filter(|index| *index < 6)?;
    Some(Test { argument, comparison, negated })
}
