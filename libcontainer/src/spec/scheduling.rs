//! Where and when the kernel runs a container's process: CPU time, disk time, CPUs, memory nodes, clocks.

use serde::{Deserialize, Serialize};

/// `/process/scheduler`, checked, with the numbers of sched_setattr(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scheduler {
    /// The policy's name, for messages.
    pub name: &'static str,
    /// `SCHED_*`.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// -20 to 19.
    pub nice: i32,
    /// 1 to 99 for the real-time policies, else 0.
    pub priority: u32,
    /// Nanoseconds of each period that a deadline task may run.
    pub runtime: u64,
    /// Nanoseconds from the period's beginning until it must have run.
    pub deadline: u64,
    /// Nanoseconds of a period.
    pub period: u64,
}

/// `/process/ioPriority`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoPriority {
    /// `IOPRIO_CLASS_*`.
    pub class: u16,
    /// 0 (first) to 7 (last).
    pub level: u16,
}

impl IoPriority {
    /// As ioprio_set(2) takes it.
    #[must_use]
    pub fn value(self) -> u16 {
        const CLASS_SHIFT: u32 = 13;
        self.class << CLASS_SHIFT | self.level
    }
}

/// Numbers of CPUs or memory nodes: bit N of the whole is number N, the lowest 64 in the first word.
pub type Numbers = Vec<u64>;

/// `/process/execCPUAffinity`: for programs that `exec` runs later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecAffinity {
    /// From the beginning.
    pub initial: Option<Numbers>,
    /// When the process is in the container's cgroup.
    #[serde(rename = "final")]
    pub last: Option<Numbers>,
}

impl ExecAffinity {
    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.initial.is_none() && self.last.is_none()
    }
}

/// `/linux/memoryPolicy`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPolicy {
    /// The mode's name, for messages.
    pub name: &'static str,
    /// `MPOL_*` with its `MPOL_F_*`.
    pub mode: u32,
    /// The memory nodes, none for the modes that take none.
    pub nodes: Numbers,
}

/// One of `/linux/timeOffsets`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOffset {
    /// `monotonic` or `boottime`.
    pub clock: &'static str,
    /// Seconds, negative for a clock that is behind the host's.
    pub secs: i64,
    /// And nanoseconds, below a second.
    pub nanosecs: u32,
}
