//! `/process/scheduler`, `/process/ioPriority` and `/process/execCPUAffinity`.

use super::numbers::{LAST_CPU, numbers};
use crate::spec::config::{ExecAffinity, IoPriority, Scheduler};
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

const POLICIES: [(&str, i32); 6] = [
    ("SCHED_OTHER", libc::SCHED_OTHER),
    ("SCHED_FIFO", libc::SCHED_FIFO),
    ("SCHED_RR", libc::SCHED_RR),
    ("SCHED_BATCH", libc::SCHED_BATCH),
    ("SCHED_IDLE", libc::SCHED_IDLE),
    ("SCHED_DEADLINE", libc::SCHED_DEADLINE),
];

/// In the kernel's order: number N is bit N.
const FLAGS: [&str; 7] = [
    "SCHED_FLAG_RESET_ON_FORK",
    "SCHED_FLAG_RECLAIM",
    "SCHED_FLAG_DL_OVERRUN",
    "SCHED_FLAG_KEEP_POLICY",
    "SCHED_FLAG_KEEP_PARAMS",
    "SCHED_FLAG_UTIL_CLAMP_MIN",
    "SCHED_FLAG_UTIL_CLAMP_MAX",
];

pub(super) fn scheduler(raw: &raw::Scheduler) -> Checked<Scheduler> {
    let (name, policy) = policy(&raw.policy)?;
    let scheduler = Scheduler {
        name,
        policy: policy as u32,
        flags: flags(&raw.flags)?,
        nice: nice(raw.nice)?,
        priority: priority(raw.priority, name)?,
        runtime: raw.runtime,
        deadline: raw.deadline,
        period: raw.period,
    };
    deadline(&scheduler)?;
    Ok(scheduler)
}

fn policy(name: &str) -> Checked<(&'static str, i32)> {
    let pointer = "/process/scheduler/policy";
    if name == "SCHED_ISO" {
        return Err(Problem::unsupported(
            pointer,
            "Linux has reserved SCHED_ISO and never made it; use SCHED_RR",
        ));
    }
    POLICIES.into_iter().find(|(known, _)| *known == name).ok_or_else(|| {
        let known = POLICIES.map(|(name, _)| name).join(", ");
        Problem::invalid(pointer, format!("{name:?} is not a policy; use one of {known}"))
    })
}

fn flags(names: &[String]) -> Checked<u64> {
    let mut flags = 0;
    for (index, name) in names.iter().enumerate() {
        let bit = FLAGS.iter().position(|known| known == name).ok_or_else(|| {
            let message = format!("{name:?} is not a flag; use one of {}", FLAGS.join(", "));
            Problem::invalid(format_args!("/process/scheduler/flags/{index}"), message)
        })?;
        flags |= 1 << bit;
    }
    Ok(flags)
}

fn nice(value: i64) -> Checked<i32> {
    i32::try_from(value).ok().filter(|nice| (-20..=19).contains(nice)).ok_or_else(|| {
        Problem::invalid("/process/scheduler/nice", format!("{value} is out of range; use -20 to 19"))
    })
}

fn priority(value: i64, policy: &str) -> Checked<u32> {
    let pointer = "/process/scheduler/priority";
    let is_real_time = matches!(policy, "SCHED_FIFO" | "SCHED_RR");
    match u32::try_from(value) {
        Ok(priority @ 1..=99) if is_real_time => Ok(priority),
        Ok(0) if !is_real_time => Ok(0),
        _ if is_real_time => {
            Err(Problem::invalid(pointer, format!("{value} is out of range for {policy}; use 1 to 99")))
        }
        _ => {
            let message = format!("{policy} has no priority; remove it, or use SCHED_FIFO or SCHED_RR");
            Err(Problem::invalid(pointer, message))
        }
    }
}

fn deadline(scheduler: &Scheduler) -> Checked {
    let &Scheduler { name, runtime, deadline, period, .. } = scheduler;
    let times = [("runtime", runtime), ("deadline", deadline), ("period", period)];
    if name != "SCHED_DEADLINE" {
        return match times.iter().find(|(_, value)| *value != 0) {
            Some((key, _)) => Err(Problem::invalid(
                format_args!("/process/scheduler/{key}"),
                format!("{name} has no {key}; remove it, or use SCHED_DEADLINE"),
            )),
            None => Ok(()),
        };
    }
    // sched(7): 1024 <= runtime <= deadline <= period, below 2^63; an absent period is the deadline.
    let end = if period == 0 { deadline } else { period };
    if (1024..=deadline).contains(&runtime) && deadline <= end && end < 1 << 63 {
        return Ok(());
    }
    let message = "SCHED_DEADLINE needs nanoseconds with 1024 <= runtime <= deadline <= period";
    Err(Problem::invalid("/process/scheduler/runtime", message))
}

pub(super) fn io_priority(raw: &raw::IoPriority) -> Checked<IoPriority> {
    let class = match raw.class.as_str() {
        "IOPRIO_CLASS_RT" => 1,
        "IOPRIO_CLASS_BE" => 2,
        "IOPRIO_CLASS_IDLE" => 3,
        other => {
            let message = format!(
                "{other:?} is not a class; use IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE"
            );
            return Err(Problem::invalid("/process/ioPriority/class", message));
        }
    };
    let level = u16::try_from(raw.priority).ok().filter(|level| *level <= 7).ok_or_else(|| {
        let message = format!("{} is out of range; use 0, the first, to 7, the last", raw.priority);
        Problem::invalid("/process/ioPriority/priority", message)
    })?;
    Ok(IoPriority { class, level })
}

pub(super) fn exec_affinity(raw: &raw::ExecAffinity) -> Checked<ExecAffinity> {
    Ok(ExecAffinity {
        initial: numbers(&raw.initial, LAST_CPU, format_args!("/process/execCPUAffinity/initial"))?,
        last: numbers(&raw.last, LAST_CPU, format_args!("/process/execCPUAffinity/final"))?,
    })
}
