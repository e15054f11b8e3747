//! Answers and conditions in words.

use super::ConditionalRule;
use crate::error::describe_errno;
use crate::seccomp::action::{
    ACTION_MASK, ALLOW, ERRNO, KILL_PROCESS, KILL_THREAD, LOG, NOTIFY, TRACE, TRAP,
};
use crate::seccomp::policy::{Comparison, Rule, Test};

/// `SCMP_ACT_ERRNO EPERM`
pub(super) fn action(value: u32) -> String {
    let data = value & !ACTION_MASK;
    let name = match value & ACTION_MASK {
        ERRNO => {
            let words = describe_errno(i32::try_from(data).unwrap_or(i32::MAX));
            return format!("SCMP_ACT_ERRNO {}", words.split(':').next().unwrap_or_default());
        }
        TRACE => return format!("SCMP_ACT_TRACE {data}"),
        KILL_PROCESS => "SCMP_ACT_KILL_PROCESS",
        KILL_THREAD => "SCMP_ACT_KILL_THREAD",
        TRAP => "SCMP_ACT_TRAP",
        NOTIFY => "SCMP_ACT_NOTIFY",
        LOG => "SCMP_ACT_LOG",
        ALLOW => "SCMP_ACT_ALLOW",
        _ => return format!("{value:#x}"),
    };
    name.to_owned()
}

pub(super) fn rule(rule: &Rule) -> ConditionalRule {
    ConditionalRule { action: action(rule.value), conditions: rule.tests.iter().map(condition).collect() }
}

/// `arg0 & 0x7e020000 == 0x0`
fn condition(test: &Test) -> String {
    let argument = format!("arg{}", test.argument);
    match (&test.comparison, test.negated) {
        (Comparison::Equal { value, mask: u64::MAX }, false) => format!("{argument} == {value:#x}"),
        (Comparison::Equal { value, mask: u64::MAX }, true) => format!("{argument} != {value:#x}"),
        (Comparison::Equal { value, mask }, false) => {
            format!("{argument} & {mask:#x} == {:#x}", value & mask)
        }
        (Comparison::Equal { value, mask }, true) => format!("{argument} & {mask:#x} != {:#x}", value & mask),
        (Comparison::Greater(value), false) => format!("{argument} > {value:#x}"),
        (Comparison::Greater(value), true) => format!("{argument} <= {value:#x}"),
        (Comparison::AtLeast(value), false) => format!("{argument} >= {value:#x}"),
        (Comparison::AtLeast(value), true) => format!("{argument} < {value:#x}"),
    }
}
