//! Memory and swap. The configuration's `swap` is memory and swap together, as in v1.

use oci_spec::runtime::LinuxMemory;

use super::{Bound, CgroupError, pointer, set};

/// Limits of memory, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The hard limit.
    pub limit: Option<Bound>,
    /// What is left to the container when memory gets short.
    pub reservation: Option<Bound>,
    /// The limit of memory and swap together.
    pub swap: Option<Bound>,
    /// How eagerly memory is swapped, 0 to 100 (v1).
    pub swappiness: Option<u64>,
    /// Processes wait instead of being killed when the limit is reached (v1).
    pub disable_oom_killer: bool,
    /// A limit below what is in use is refused.
    pub check_before_update: bool,
    /// Whether there is a limit of kernel memory, which kernels do not have any more.
    pub kernel: bool,
    /// The limit of the buffers of TCP (v1).
    pub kernel_tcp: Option<Bound>,
}

impl Memory {
    pub(super) fn new(memory: &LinuxMemory) -> Result<Self, CgroupError> {
        // -1 in a field without a sign is how clients say "the default".
        let swappiness = memory.swappiness().filter(|value| *value != u64::MAX);
        if let Some(value) = swappiness.filter(|value| *value > 100) {
            return Err(CgroupError::invalid(pointer::SWAPPINESS, value, "is not in 0 to 100"));
        }
        Ok(Self {
            limit: bytes(memory.limit(), pointer::MEMORY_LIMIT)?,
            reservation: bytes(memory.reservation(), pointer::MEMORY_RESERVATION)?,
            swap: bytes(memory.swap(), pointer::MEMORY_SWAP)?,
            swappiness,
            disable_oom_killer: memory.disable_oom_killer() == Some(true),
            check_before_update: memory.check_before_update() == Some(true),
            kernel: set(memory.kernel()).is_some(),
            kernel_tcp: bytes(memory.kernel_tcp(), pointer::MEMORY_KERNEL_TCP)?,
        })
    }

    /// The pointer of the first value that is set, of those that every generation of cgroups has or refuses.
    pub(in crate::cgroup) fn first(&self) -> Option<&'static str> {
        let set = [
            (self.limit.is_some(), pointer::MEMORY_LIMIT),
            (self.reservation.is_some(), pointer::MEMORY_RESERVATION),
            (self.swap.is_some(), pointer::MEMORY_SWAP),
            (self.swappiness.is_some(), pointer::SWAPPINESS),
            (self.disable_oom_killer, pointer::OOM_KILLER),
        ];
        set.iter().find_map(|(set, pointer)| set.then_some(*pointer))
    }

    /// Refuses a sum of memory and swap that does not go with the memory limit.
    pub(in crate::cgroup) fn check_swap(&self) -> Result<(), CgroupError> {
        let Some(Bound::At(swap)) = self.swap else { return Ok(()) };
        match self.limit {
            Some(Bound::At(limit)) if limit <= swap => Ok(()),
            Some(Bound::At(limit)) => {
                let reason = format!("is memory and swap together, so at least the memory limit {limit}");
                Err(CgroupError::invalid(pointer::MEMORY_SWAP, swap, reason))
            }
            _ => {
                Err(CgroupError::invalid(pointer::MEMORY_SWAP, swap, "cannot be set without a memory limit"))
            }
        }
    }

    /// The limit of swap without memory, which is what v2 knows, and the pointer of the value behind it. A memory
    /// limit that is lifted lifts the one of swap, as in v1.
    #[must_use]
    pub fn swap_alone(&self) -> Option<(Bound, &'static str)> {
        match (self.swap, self.limit) {
            (Some(Bound::At(swap)), Some(Bound::At(limit))) => {
                Some((Bound::At(swap.saturating_sub(limit)), pointer::MEMORY_SWAP))
            }
            (Some(swap), _) => Some((swap, pointer::MEMORY_SWAP)),
            (None, Some(Bound::Max)) => Some((Bound::Max, pointer::MEMORY_LIMIT)),
            (None, _) => None,
        }
    }
}

fn bytes(value: Option<i64>, pointer: &str) -> Result<Option<Bound>, CgroupError> {
    set(value).map(|value| Bound::from_signed(value, pointer)).transpose()
}
