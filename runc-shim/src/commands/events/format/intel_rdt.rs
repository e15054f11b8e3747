//! Shares of caches and of memory bandwidth.

use libcontainer::resctrl;
use serde::Serialize;

use super::is_zero;

#[derive(Default, Serialize)]
pub(super) struct IntelRdt<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    l3_cache_info: Option<CacheInfo<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    l3_cache_schema_root: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    l3_cache_schema: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mem_bw_info: Option<MemoryBandwidthInfo>,
    #[serde(skip_serializing_if = "str::is_empty")]
    mem_bw_schema_root: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    mem_bw_schema: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mbm_stats: Vec<Bandwidth>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cmt_stats: Vec<Occupancy>,
}

#[derive(Serialize)]
struct CacheInfo<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    cbm_mask: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    min_cbm_bits: u64,
    #[serde(skip_serializing_if = "is_zero")]
    num_closids: u64,
}

#[derive(Serialize)]
struct MemoryBandwidthInfo {
    #[serde(skip_serializing_if = "is_zero")]
    bandwidth_gran: u64,
    #[serde(skip_serializing_if = "is_zero")]
    delay_linear: u64,
    #[serde(skip_serializing_if = "is_zero")]
    min_bandwidth: u64,
    #[serde(skip_serializing_if = "is_zero")]
    num_closids: u64,
}

#[derive(Serialize)]
struct Bandwidth {
    mbm_total_bytes: u64,
    mbm_local_bytes: u64,
}

#[derive(Serialize)]
struct Occupancy {
    llc_occupancy: u64,
}

impl<'a> IntelRdt<'a> {
    pub(super) fn of(stats: &'a resctrl::Stats) -> Self {
        let (cache, bandwidth) = (stats.cache.as_ref(), stats.bandwidth.as_ref());
        Self {
            l3_cache_info: cache.map(|cache| CacheInfo {
                cbm_mask: &cache.info.cbm_mask,
                min_cbm_bits: cache.info.min_cbm_bits,
                num_closids: cache.info.num_closids,
            }),
            l3_cache_schema_root: cache.map_or("", |cache| &cache.root_schema),
            l3_cache_schema: cache.map_or("", |cache| &cache.schema),
            mem_bw_info: bandwidth.map(|bandwidth| MemoryBandwidthInfo {
                bandwidth_gran: bandwidth.info.bandwidth_gran,
                delay_linear: bandwidth.info.delay_linear,
                min_bandwidth: bandwidth.info.min_bandwidth,
                num_closids: bandwidth.info.num_closids,
            }),
            mem_bw_schema_root: bandwidth.map_or("", |bandwidth| &bandwidth.root_schema),
            mem_bw_schema: bandwidth.map_or("", |bandwidth| &bandwidth.schema),
            mbm_stats: stats
                .monitored
                .bandwidth
                .iter()
                .map(|moved| Bandwidth { mbm_total_bytes: moved.total, mbm_local_bytes: moved.local })
                .collect(),
            cmt_stats: stats
                .monitored
                .cache_occupancy
                .iter()
                .map(|bytes| Occupancy { llc_occupancy: *bytes })
                .collect(),
        }
    }
}
