use std::collections::BTreeMap;
use std::time::Duration;

use libcontainer::Stats;
use libcontainer::cgroup::stats::{HugePages, IoEntry, Pressure, Stall};
use libcontainer::resctrl;

use super::*;

fn written(stats: &Stats) -> String {
    serde_json::to_string(&format::statistics("web", stats)).unwrap()
}

/// What runc 1.3.6 printed on a host that counts nothing.
const NOTHING: &str = r#"{"type":"stats","id":"web","data":{"cpu":{"usage":{"kernel":0,"user":0},"throttling":{}},"cpuset":{"cpu_exclusive":0,"mem_hardwall":0,"mem_exclusive":0,"memory_migrate":0,"memory_spread_page":0,"memory_spread_slab":0,"memory_pressure":0,"sched_load_balance":0,"sched_relax_domain_level":0},"memory":{"usage":{"limit":0,"failcnt":0},"swap":{"limit":0,"failcnt":0},"kernel":{"limit":0,"failcnt":0},"kernelTCP":{"limit":0,"failcnt":0}},"pids":{},"blkio":{},"hugetlb":{},"intel_rdt":{},"network_interfaces":null}}"#;

#[test]
fn zeros_are_left_out_where_runc_leaves_them_out() {
    assert_eq!(written(&Stats::default()), NOTHING);
}

#[test]
fn every_figure_has_its_place_and_name() {
    let mut stats = Stats::default();
    let cgroup = &mut stats.cgroup;
    cgroup.cpu.usage.total = 1;
    cgroup.cpu.usage.per_cpu = vec![2, 3];
    cgroup.cpu.usage.per_cpu_kernel = vec![4];
    cgroup.cpu.usage.per_cpu_user = vec![5];
    cgroup.cpu.throttling.periods = 6;
    cgroup.cpu.throttling.throttled_periods = 7;
    cgroup.cpu.throttling.throttled_time = 8;
    let stall = Stall { avg10: 0.5, avg60: 2.0, avg300: 0.0, total: 9 };
    cgroup.cpu.pressure = Some(Pressure { some: stall, full: Stall::default() });
    cgroup.cpuset.cpus = vec![0, 1];
    cgroup.cpuset.mems = vec![0];
    cgroup.memory.cache = 10;
    cgroup.memory.usage.max = 11;
    cgroup.memory.usage.usage = 12;
    cgroup.memory.raw = BTreeMap::from([("rss".to_owned(), 0)]);
    cgroup.pids.current = 13;
    cgroup.pids.limit = 14;
    cgroup.io.serviced =
        vec![IoEntry { major: 8, minor: 0, operation: "Read".into(), value: 15 }, IoEntry::default()];
    cgroup.io.queued = vec![IoEntry { major: 8, ..IoEntry::default() }];
    cgroup.huge_pages = BTreeMap::from([("2MB".to_owned(), HugePages { usage: 16, max: 17, failures: 18 })]);
    let text = written(&stats);
    for part in [
        r#""cpu":{"usage":{"total":1,"percpu":[2,3],"percpu_kernel":[4],"percpu_user":[5],"kernel":0,"user":0},"throttling":{"periods":6,"throttledPeriods":7,"throttledTime":8},"psi":{"some":{"avg10":0.5,"avg60":2,"avg300":0,"total":9},"full":{"avg10":0,"avg60":0,"avg300":0,"total":0}}}"#,
        r#""cpuset":{"cpus":[0,1],"cpu_exclusive":0,"mems":[0],"mem_hardwall":0"#,
        r#""memory":{"cache":10,"usage":{"limit":0,"usage":12,"max":11,"failcnt":0}"#,
        r#""raw":{"rss":0}"#,
        r#""pids":{"current":13,"limit":14}"#,
        r#""blkio":{"ioServicedRecursive":[{"major":8,"op":"Read","value":15},{}],"ioQueueRecursive":[{"major":8}]}"#,
        r#""hugetlb":{"2MB":{"usage":16,"max":17,"failcnt":18}}"#,
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn resource_groups_are_told() {
    let mut stats = Stats::default();
    stats.resctrl = Some(resctrl::Stats {
        cache: Some(resctrl::Allocation {
            info: resctrl::CacheInfo { cbm_mask: "fffff".into(), min_cbm_bits: 1, num_closids: 16 },
            root_schema: "L3:0=fffff".into(),
            schema: "L3:0=ff".into(),
        }),
        bandwidth: Some(resctrl::Allocation {
            info: resctrl::MemoryBandwidthInfo {
                bandwidth_gran: 10,
                delay_linear: 1,
                min_bandwidth: 10,
                num_closids: 8,
            },
            root_schema: "MB:0=100".into(),
            schema: "MB:0=20".into(),
        }),
        monitored: resctrl::Monitored {
            bandwidth: vec![resctrl::Bandwidth { total: 5, local: 4 }],
            cache_occupancy: vec![7],
        },
    });
    let expected = r#""intel_rdt":{"l3_cache_info":{"cbm_mask":"fffff","min_cbm_bits":1,"num_closids":16},"l3_cache_schema_root":"L3:0=fffff","l3_cache_schema":"L3:0=ff","mem_bw_info":{"bandwidth_gran":10,"delay_linear":1,"min_bandwidth":10,"num_closids":8},"mem_bw_schema_root":"MB:0=100","mem_bw_schema":"MB:0=20","mbm_stats":[{"mbm_total_bytes":5,"mbm_local_bytes":4}],"cmt_stats":[{"llc_occupancy":7}]}"#;
    let text = written(&stats);
    assert!(text.contains(expected), "{text}");
}

#[test]
fn an_event_has_no_data() {
    let text = serde_json::to_string(&format::out_of_memory("web")).unwrap();
    assert_eq!(text, r#"{"type":"oom","id":"web"}"#);
}

#[test]
fn an_interval_is_above_zero() {
    assert_eq!(positive("100ms").unwrap(), Duration::from_millis(100));
    for text in ["0", "0s"] {
        assert_eq!(positive(text).unwrap_err().to_string(), "duration interval must be greater than 0");
    }
    assert!(positive("soon").unwrap_err().to_string().contains("\"soon\""));
}
