//! What is recognised but not supported: named, never dropped.

use oci_spec::runtime::{LinuxBlockIo, LinuxResources};

use super::{CgroupError, POINTER, set};

pub(super) fn unsupported(resources: &LinuxResources) -> Result<(), CgroupError> {
    let filled = |list: Option<usize>| list.is_some_and(|length| length > 0);
    let network = resources.network().as_ref();
    let found = [
        ("blockIO", resources.block_io().as_ref().is_some_and(limits_block_io)),
        ("hugepageLimits", filled(resources.hugepage_limits().as_ref().map(Vec::len))),
        ("network/classID", network.is_some_and(|network| set(network.class_id()).is_some())),
        (
            "network/priorities",
            network.is_some_and(|network| filled(network.priorities().as_ref().map(Vec::len))),
        ),
        ("rdma", filled(resources.rdma().as_ref().map(|map| map.len()))),
        ("unified", filled(resources.unified().as_ref().map(|map| map.len()))),
    ];
    match found.iter().find(|(_, set)| *set) {
        Some((field, _)) => Err(CgroupError::unsupported(format!("{POINTER}/{field}"), "not supported yet")),
        None => Ok(()),
    }
}

fn limits_block_io(block_io: &LinuxBlockIo) -> bool {
    let throttles = [
        block_io.throttle_read_bps_device(),
        block_io.throttle_write_bps_device(),
        block_io.throttle_read_iops_device(),
        block_io.throttle_write_iops_device(),
    ];
    set(block_io.weight()).is_some()
        || set(block_io.leaf_weight()).is_some()
        || block_io.weight_device().as_ref().is_some_and(|list| !list.is_empty())
        || throttles.iter().any(|list| list.as_ref().is_some_and(|list| !list.is_empty()))
}
