//! Which devices a container may use: the rules, and what each version of cgroups makes of them.
//!
//! A rule list is read for each of the accesses read, write and mknod on its own: the last rule that
//! speaks of the device and the access decides, and without one it is denied.

mod program;
pub(super) mod units;
pub(super) mod v1;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

pub use program::Instruction;

use super::{CgroupError, Layout, Write};

const POINTER: &str = "/linux/resources/devices";

const MKNOD: u8 = 1;
const READ: u8 = 2;
const WRITE: u8 = 4;
const ANY: u8 = MKNOD | READ | WRITE;

/// How the device rules are put into force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Devices {
    /// Everything is allowed, so there is nothing to do.
    #[default]
    Unrestricted,
    /// Writes to the v1 devices controller.
    Writes(Vec<Write>),
    /// A program for the cgroup in the unified hierarchy.
    Program(Vec<Instruction>),
}

/// One device rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Whether the rule allows or denies.
    pub allow: bool,
    /// The type of device.
    pub kind: Kind,
    /// The major number, `None` for all.
    pub major: Option<u32>,
    /// The minor number, `None` for all.
    pub minor: Option<u32>,
    access: u8,
}

/// The type of device that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Both types.
    All,
    /// Block devices.
    Block,
    /// Character devices.
    Char,
}

/// What every container may do whatever its configuration says, as with runc: make any node, and use
/// null, random, full, tty, zero, urandom, pseudo-terminals and tun.
pub const DEFAULT_RULES: [Rule; 11] = [
    default(Kind::Char, None, None, MKNOD),
    default(Kind::Block, None, None, MKNOD),
    default(Kind::Char, Some(1), Some(3), ANY),
    default(Kind::Char, Some(1), Some(8), ANY),
    default(Kind::Char, Some(1), Some(7), ANY),
    default(Kind::Char, Some(5), Some(0), ANY),
    default(Kind::Char, Some(1), Some(5), ANY),
    default(Kind::Char, Some(1), Some(9), ANY),
    default(Kind::Char, Some(136), None, ANY),
    default(Kind::Char, Some(5), Some(2), ANY),
    default(Kind::Char, Some(10), Some(200), ANY),
];

const fn default(kind: Kind, major: Option<u32>, minor: Option<u32>, access: u8) -> Rule {
    Rule { allow: true, kind, major, minor, access }
}

impl Rule {
    fn covers_everything(&self) -> bool {
        self.kind == Kind::All && self.major.is_none() && self.minor.is_none() && self.access == ANY
    }
}

/// Rules without those that a later rule about everything makes meaningless.
struct Effective<'r> {
    /// What holds where no rule matches.
    allow: bool,
    rules: &'r [Rule],
    /// Position of the first of `rules` in the whole list.
    first: usize,
}

impl<'r> Effective<'r> {
    fn new(rules: &'r [Rule]) -> Self {
        let reset = rules.iter().rposition(Rule::covers_everything);
        let allow = reset.and_then(|at| rules.get(at)).is_some_and(|rule| rule.allow);
        let first = reset.map_or(0, |at| at + 1);
        Self { allow, rules: rules.get(first..).unwrap_or_default(), first }
    }

    fn allows_everything(&self) -> bool {
        self.allow && self.rules.iter().all(|rule| rule.allow)
    }
}

/// Spells device rules, with the [defaults](DEFAULT_RULES) behind them, in the words of a host. Without any rule
/// all devices but the defaults are denied.
///
/// # Errors
/// Rules that the host's cgroups cannot express, by JSON pointer.
pub fn devices(given: &[Rule], layout: &Layout) -> Result<Devices, CgroupError> {
    let rules: Vec<_> = given.iter().copied().chain(DEFAULT_RULES).collect();
    let effective = Effective::new(&rules);
    let has_v1 = layout.v1.iter().any(|hierarchy| hierarchy.controllers.iter().any(|name| name == "devices"));
    if has_v1 {
        // Written even if everything is allowed: an existing cgroup may be restricted.
        v1::writes(&effective).map(Devices::Writes)
    } else if effective.allows_everything() {
        Ok(Devices::Unrestricted)
    } else if layout.v2.is_some() {
        program::compile(&effective)
            .map(Devices::Program)
            .ok_or_else(|| CgroupError::unsupported(POINTER, "there are more than about 5000 rules"))
    } else {
        Err(CgroupError::unsupported(POINTER, "this host has neither a devices controller nor cgroup v2"))
    }
}

/// JSON pointer of a rule of the configuration.
fn pointer(index: usize) -> String {
    format!("{POINTER}/{index}")
}

/// Translates the configuration's rules.
pub(super) fn parse(rules: &[LinuxDeviceCgroup]) -> Result<Vec<Rule>, CgroupError> {
    rules.iter().enumerate().map(|(index, rule)| parse_rule(rule, index)).collect()
}

fn parse_rule(rule: &LinuxDeviceCgroup, index: usize) -> Result<Rule, CgroupError> {
    let kind = match rule.typ() {
        None | Some(LinuxDeviceType::A) => Kind::All,
        Some(LinuxDeviceType::B) => Kind::Block,
        Some(LinuxDeviceType::C) => Kind::Char,
        Some(other) => {
            let at = format!("{}/type", pointer(index));
            return Err(CgroupError::invalid(at, other.as_str(), "a rule is about a, b or c"));
        }
    };
    Ok(Rule {
        allow: rule.allow(),
        kind,
        major: number(rule.major(), index, "major")?,
        minor: number(rule.minor(), index, "minor")?,
        access: access(rule.access().as_deref().unwrap_or_default(), index)?,
    })
}

fn number(value: Option<i64>, index: usize, field: &str) -> Result<Option<u32>, CgroupError> {
    match value {
        None | Some(-1) => Ok(None),
        Some(value) => u32::try_from(value).map(Some).map_err(|_| {
            CgroupError::invalid(format!("{}/{field}", pointer(index)), value, "is not a device number")
        }),
    }
}

fn access(letters: &str, index: usize) -> Result<u8, CgroupError> {
    let bit = |letter| match letter {
        'r' => Some(READ),
        'w' => Some(WRITE),
        'm' => Some(MKNOD),
        _ => None,
    };
    let bits = letters.chars().try_fold(0, |bits, letter| Some(bits | bit(letter)?));
    bits.filter(|bits| *bits != 0).ok_or_else(|| {
        let at = format!("{}/access", pointer(index));
        CgroupError::invalid(at, format!("{letters:?}"), "is not made of r, w and m")
    })
}

#[cfg(test)]
mod tests;
