//! Memory, that in huge pages too.

use std::collections::BTreeMap;

use libcontainer::cgroup::stats as cgroup;
use serde::Serialize;

use super::is_zero;
use super::pressure::Pressure;

#[derive(Serialize)]
pub(super) struct Memory<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    cache: u64,
    usage: MemoryUse,
    swap: MemoryUse,
    kernel: MemoryUse,
    #[serde(rename = "kernelTCP")]
    kernel_tcp: MemoryUse,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    raw: &'a BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Serialize)]
pub(super) struct MemoryUse {
    limit: u64,
    #[serde(skip_serializing_if = "is_zero")]
    usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    failcnt: u64,
}

impl<'a> Memory<'a> {
    pub(super) fn of(memory: &'a cgroup::Memory) -> Self {
        let of = |kind: &cgroup::MemoryUse| MemoryUse {
            limit: kind.limit,
            usage: kind.usage,
            max: kind.max,
            failcnt: kind.failures,
        };
        Self {
            cache: memory.cache,
            usage: of(&memory.usage),
            swap: of(&memory.swap),
            kernel: of(&memory.kernel),
            kernel_tcp: of(&memory.kernel_tcp),
            raw: &memory.raw,
            psi: memory.pressure.as_ref().map(Pressure::of),
        }
    }
}

#[derive(Serialize)]
pub(super) struct HugePages {
    #[serde(skip_serializing_if = "is_zero")]
    usage: u64,
    #[serde(skip_serializing_if = "is_zero")]
    max: u64,
    failcnt: u64,
}

impl HugePages {
    pub(super) fn of(pages: &cgroup::HugePages) -> Self {
        Self { usage: pages.usage, max: pages.max, failcnt: pages.failures }
    }
}
