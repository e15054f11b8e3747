use std::collections::HashMap;

use oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxDeviceCgroup, LinuxHugepageLimit, LinuxMemory, LinuxNetwork, LinuxPids,
    LinuxRdma, LinuxResources,
};
use serde::Deserialize;

/// `/linux/resources`: oci-spec's type, but for `pids`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Resources {
    devices: Option<Vec<LinuxDeviceCgroup>>,
    memory: Option<LinuxMemory>,
    cpu: Option<LinuxCpu>,
    pids: Pids,
    #[serde(rename = "blockIO")]
    block_io: Option<LinuxBlockIo>,
    hugepage_limits: Option<Vec<LinuxHugepageLimit>>,
    network: Option<LinuxNetwork>,
    rdma: Option<HashMap<String, LinuxRdma>>,
    unified: Option<HashMap<String, String>>,
}

/// Here an absent limit is not the limit 0, which means "no process at all".
#[derive(Default, Deserialize)]
#[serde(default)]
struct Pids {
    limit: Option<i64>,
}

impl From<Resources> for LinuxResources {
    fn from(raw: Resources) -> Self {
        let pids = raw.pids.limit.map(|limit| {
            let mut pids = LinuxPids::default();
            pids.set_limit(limit);
            pids
        });
        let mut resources = Self::default();
        resources
            .set_devices(raw.devices)
            .set_memory(raw.memory)
            .set_cpu(raw.cpu)
            .set_pids(pids)
            .set_block_io(raw.block_io)
            .set_hugepage_limits(raw.hugepage_limits)
            .set_network(raw.network)
            .set_rdma(raw.rdma)
            .set_unified(raw.unified);
        resources
    }
}
