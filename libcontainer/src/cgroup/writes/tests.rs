use oci_spec::runtime::LinuxResources;

use super::*;
use crate::cgroup::{Hierarchy, Unified};
use serde_json::{Value, json};

fn v1(controllers: &[&str]) -> Layout {
    let hierarchy = |name: &&str| Hierarchy {
        mount: format!("/cg/{name}").into(),
        controllers: vec![(*name).to_owned()],
        named: None,
        own: "/".into(),
    };
    Layout { v1: controllers.iter().map(hierarchy).collect(), v2: None }
}

fn v2(controllers: &[&str]) -> Layout {
    let controllers = Some(controllers.iter().map(|name| (*name).to_owned()).collect());
    Layout { v1: vec![], v2: Some(Unified { mount: "/cg".into(), own: None, controllers }) }
}

const ALL: &[&str] =
    &["cpu", "cpuset", "memory", "pids", "devices", "blkio", "io", "hugetlb", "rdma", "net_cls", "net_prio"];

fn plan(resources: Value, layout: &Layout) -> Result<Writes, CgroupError> {
    let resources: LinuxResources = serde_json::from_value(resources).unwrap();
    writes(&Limits::new(Some(&resources))?, layout)
}

fn written(resources: Value, layout: &Layout) -> Vec<String> {
    let writes = plan(resources, layout).unwrap();
    let show = |write: &Write| format!("{}={}", write.file, write.value);
    writes.early.iter().chain(&writes.late).map(show).collect()
}

fn refused(resources: Value, layout: &Layout) -> String {
    plan(resources, layout).unwrap_err().pointer().unwrap().to_owned()
}

#[test]
fn empty_blocks_and_zeros_are_not_limits() {
    let docker = json!({
        "memory": {}, "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "realtimeRuntime": 0},
        "blockIO": {"weight": 0, "weightDevice": []}, "hugepageLimits": [], "network": {"priorities": []},
        "rdma": {}, "unified": {}
    });
    for layout in [v1(&["devices"]), v2(&[])] {
        assert_eq!(written(docker.clone(), &layout), [""; 0]);
        assert_eq!(
            written(json!({"memory": {"limit": 0, "swap": 0, "disableOOMKiller": false}}), &layout),
            [""; 0]
        );
    }
}

#[test]
fn memory_on_v1_writes_the_limit_before_the_sum() {
    let memory = json!({"memory": {
        "limit": 4096, "swap": 8192, "reservation": 1024, "swappiness": 0, "disableOOMKiller": true
    }});
    assert_eq!(
        written(memory, &v1(ALL)),
        [
            "memory.limit_in_bytes=4096",
            "memory.memsw.limit_in_bytes=8192",
            "memory.soft_limit_in_bytes=1024",
            "memory.oom_control=1",
            "memory.swappiness=0"
        ]
    );
}

#[test]
fn kernel_memory_is_ignored_but_for_the_buffers_of_tcp_on_v1() {
    let memory = json!({"memory": {"kernel": 4096, "kernelTCP": 8192}});
    let ignored = |layout: &Layout| -> Vec<&str> {
        let writes = plan(memory.clone(), layout).unwrap();
        writes.ignored.iter().map(|ignored| ignored.pointer.rsplit('/').next().unwrap()).collect()
    };
    assert_eq!(written(memory.clone(), &v1(ALL)), ["memory.kmem.tcp.limit_in_bytes=8192"]);
    assert_eq!(ignored(&v1(ALL)), ["kernel"]);
    assert_eq!(written(memory.clone(), &v2(ALL)), [""; 0]);
    assert_eq!(ignored(&v2(&[])), ["kernel", "kernelTCP"]);
    let unlimited = json!({"memory": {"kernelTCP": -1}});
    assert_eq!(written(unlimited.clone(), &v1(ALL)), ["memory.kmem.tcp.limit_in_bytes=-1"]);
    assert_eq!(plan(unlimited, &v1(ALL)).unwrap().early[0].missing, Missing::Skip);
    assert_eq!(plan(memory.clone(), &v1(ALL)).unwrap().early[0].missing, Missing::Refuse);
}

#[test]
fn memory_on_v2_limits_swap_alone() {
    let plans = [
        (json!({"limit": 4096, "swap": 8192}), vec!["memory.swap.max=4096", "memory.max=4096"]),
        (json!({"limit": 4096, "swap": 4096}), vec!["memory.swap.max=0", "memory.max=4096"]),
        (json!({"limit": 4096, "swap": -1}), vec!["memory.swap.max=max", "memory.max=4096"]),
        (json!({"limit": -1}), vec!["memory.swap.max=max", "memory.max=max"]),
        (json!({"swap": -1}), vec!["memory.swap.max=max"]),
        (json!({"reservation": 1024}), vec!["memory.low=1024"]),
    ];
    for (memory, expected) in plans {
        assert_eq!(written(json!({"memory": memory}), &v2(ALL)), expected, "{memory}");
    }
}

#[test]
fn a_missing_swap_file_is_a_failure_only_where_it_changes_something() {
    let optional = |memory: Value, layout: &Layout| {
        let writes = plan(json!({"memory": memory}), layout).unwrap();
        writes.early.iter().find(|write| write.file.contains("sw")).unwrap().missing == Missing::Skip
    };
    assert!(optional(json!({"limit": 4096, "swap": 4096}), &v2(ALL)));
    assert!(optional(json!({"limit": -1}), &v2(ALL)));
    assert!(!optional(json!({"limit": 4096, "swap": 8192}), &v2(ALL)));
    assert!(optional(json!({"limit": 4096, "swap": -1}), &v1(ALL)));
    assert!(!optional(json!({"limit": 4096, "swap": 8192}), &v1(ALL)));
}

#[test]
fn a_checked_limit_names_the_file_with_the_usage() {
    let memory = json!({"memory": {"limit": 4096, "checkBeforeUpdate": true}});
    assert_eq!(plan(memory.clone(), &v2(ALL)).unwrap().early[0].usage, Some("memory.current"));
    assert_eq!(plan(memory, &v1(ALL)).unwrap().early[0].usage, None, "the v1 kernel checks by itself");
}

#[test]
fn memory_that_cannot_be_expressed_is_refused_by_name() {
    let base = "/linux/resources/memory";
    let cases = [
        (json!({"swappiness": 60}), v2(ALL), "swappiness"),
        (json!({"swappiness": 101}), v1(ALL), "swappiness"),
        (json!({"disableOOMKiller": true}), v2(ALL), "disableOOMKiller"),
        (json!({"limit": -2}), v2(ALL), "limit"),
        (json!({"limit": -1, "swap": 9}), v2(ALL), "swap"),
        (json!({"limit": 4096, "swap": 1024}), v2(ALL), "swap"),
        (json!({"swap": 1024}), v1(ALL), "swap"),
        (json!({"limit": 4096}), v2(&["cpu"]), "limit"),
        (json!({"reservation": 4096}), v1(&["cpu"]), "reservation"),
    ];
    for (memory, layout, field) in cases {
        assert_eq!(refused(json!({"memory": memory}), &layout), format!("{base}/{field}"), "{memory}");
    }
}

#[test]
fn cpu_is_written_in_the_words_of_each_version() {
    let cpu = json!({"cpu": {
        "shares": 1024, "quota": 50_000, "period": 200_000, "burst": 1000, "idle": 1, "cpus": "0-1", "mems": "0"
    }});
    assert_eq!(
        written(cpu.clone(), &v1(ALL)),
        [
            "cpu.shares=1024",
            "cpu.cfs_period_us=200000",
            "cpu.cfs_quota_us=50000",
            "cpu.cfs_burst_us=1000",
            "cpu.idle=1",
            "cpuset.cpus=0-1",
            "cpuset.mems=0"
        ]
    );
    assert_eq!(
        written(cpu, &v2(ALL)),
        [
            "cpu.weight=100",
            "cpu.max=50000 200000",
            "cpu.max.burst=1000",
            "cpu.idle=1",
            "cpuset.cpus=0-1",
            "cpuset.mems=0"
        ]
    );
    assert_eq!(written(json!({"cpu": {"quota": 5000}}), &v2(ALL)), ["cpu.max=5000 100000"]);
    assert_eq!(written(json!({"cpu": {"quota": -1}}), &v2(ALL)), ["cpu.max=max 100000"]);
    assert_eq!(written(json!({"cpu": {"quota": -1}}), &v1(ALL)), ["cpu.cfs_quota_us=-1"]);
    assert_eq!(written(json!({"cpu": {"period": 5000}}), &v2(ALL)), ["cpu.max=max 5000"]);
}

#[test]
fn cpu_that_cannot_be_expressed_is_refused_by_name() {
    let cases = [
        (json!({"shares": 1}), v1(ALL), "shares"),
        (json!({"shares": 262_145}), v1(ALL), "shares"),
        (json!({"idle": 2}), v2(ALL), "idle"),
        (json!({"realtimeRuntime": 1}), v2(ALL), "realtimeRuntime"),
        (json!({"realtimePeriod": 1}), v2(ALL), "realtimePeriod"),
        (json!({"cpus": "0;1"}), v1(ALL), "cpus"),
        (json!({"mems": "0\n1"}), v2(ALL), "mems"),
        (json!({"quota": 5000}), v2(&["memory"]), "quota"),
        (json!({"cpus": "0"}), v2(&["cpu"]), "cpus"),
    ];
    for (cpu, layout, field) in cases {
        assert_eq!(refused(json!({"cpu": cpu}), &layout), format!("/linux/resources/cpu/{field}"), "{cpu}");
    }
}

#[test]
fn a_limit_of_processes_waits_until_the_first_is_inside() {
    for (limit, value) in [(0, "1"), (1, "1"), (100, "100"), (-1, "max")] {
        let writes = plan(json!({"pids": {"limit": limit}}), &v2(ALL)).unwrap();
        assert_eq!(writes.early, []);
        assert_eq!((writes.late[0].file.as_str(), writes.late[0].value.as_str()), ("pids.max", value));
        assert_eq!(writes.controllers(&v2(ALL)).needed, ["pids"]);
    }
    let unified = plan(json!({"unified": {"pids.max": "3", "pids.other": "1"}}), &v2(ALL)).unwrap();
    assert_eq!((unified.early.len(), unified.late.len()), (1, 1));
    assert_eq!(refused(json!({"pids": {"limit": -2}}), &v2(ALL)), "/linux/resources/pids/limit");
    assert_eq!(refused(json!({"pids": {"limit": 5}}), &v2(&[])), "/linux/resources/pids/limit");
}

#[test]
fn block_devices_are_weighed_and_throttled_in_the_words_of_each_version() {
    let device = |rate: u64| json!([{"major": 8, "minor": 16, "rate": rate}]);
    let block_io = json!({"blockIO": {
        "weight": 500, "weightDevice": [{"major": 8, "minor": 0, "weight": 100}, {"major": 8, "minor": 1}],
        "throttleReadBpsDevice": device(1), "throttleWriteBpsDevice": device(2),
        "throttleReadIOPSDevice": device(3), "throttleWriteIOPSDevice": device(0)
    }});
    assert_eq!(
        written(block_io.clone(), &v1(ALL)),
        [
            "blkio.bfq.weight=500",
            "blkio.bfq.weight_device=8:0 100",
            "blkio.throttle.read_bps_device=8:16 1",
            "blkio.throttle.write_bps_device=8:16 2",
            "blkio.throttle.read_iops_device=8:16 3",
            "blkio.throttle.write_iops_device=8:16 0"
        ]
    );
    assert_eq!(
        written(block_io.clone(), &v2(ALL)),
        [
            "io.bfq.weight=500",
            "io.bfq.weight=8:0 100",
            "io.max=8:16 rbps=1",
            "io.max=8:16 wbps=2",
            "io.max=8:16 riops=3",
            "io.max=8:16 wiops=max"
        ]
    );
    let instead = |index: usize| match plan(block_io.clone(), &v2(ALL)).unwrap().early[index].missing.clone()
    {
        Missing::Instead { file, value } => format!("{file}={value}"),
        other => panic!("{other:?}"),
    };
    assert_eq!([instead(0), instead(1)], ["io.weight=4950", "io.weight=8:0 910"]);
    assert_eq!(refused(block_io, &v2(&["memory"])), "/linux/resources/blockIO/weight");
}

#[test]
fn huge_pages_are_limited_in_use_and_in_reserve() {
    let limits = json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4096}]});
    assert_eq!(
        written(limits.clone(), &v1(ALL)),
        ["hugetlb.2MB.limit_in_bytes=4096", "hugetlb.2MB.rsvd.limit_in_bytes=4096"]
    );
    assert_eq!(written(limits.clone(), &v2(ALL)), ["hugetlb.2MB.max=4096", "hugetlb.2MB.rsvd.max=4096"]);
    assert_eq!(refused(limits, &v2(&[])), "/linux/resources/hugepageLimits");
}

#[test]
fn packets_are_marked_on_v1_alone() {
    let network = json!({"network": {
        "classID": 1_048_577, "priorities": [{"name": "eth0", "priority": 5}, {"name": "lo", "priority": 0}]
    }});
    assert_eq!(
        written(network.clone(), &v1(ALL)),
        ["net_cls.classid=1048577", "net_prio.ifpriomap=eth0 5", "net_prio.ifpriomap=lo 0"]
    );
    assert_eq!(refused(network.clone(), &v2(ALL)), "/linux/resources/network/classID");
    assert_eq!(refused(network, &v1(&["net_cls"])), "/linux/resources/network/priorities/0");
}

#[test]
fn rdma_is_the_same_file_in_both_versions() {
    let rdma = json!({"rdma": {
        "mlx5_1": {"hcaHandles": 3, "hcaObjects": 10_000}, "mlx4_0": {"hcaObjects": 0}, "mlx3": {}
    }});
    for layout in [v1(ALL), v2(ALL)] {
        assert_eq!(
            written(rdma.clone(), &layout),
            ["rdma.max=mlx4_0 hca_object=0", "rdma.max=mlx5_1 hca_handle=3 hca_object=10000"]
        );
    }
    assert_eq!(refused(rdma, &v2(&["io"])), "/linux/resources/rdma/mlx4_0");
}

#[test]
fn unified_files_are_written_line_by_line_after_everything_else() {
    let unified = json!({"unified": {
        "memory.high": "1024", "io.max": "8:0 rbps=1\n8:16 rbps=2\n", "cgroup.max.depth": "3"
    }, "memory": {"limit": 4096}});
    assert_eq!(
        written(unified.clone(), &v2(ALL)),
        [
            "memory.max=4096",
            "cgroup.max.depth=3",
            "io.max=8:0 rbps=1",
            "io.max=8:16 rbps=2",
            "memory.high=1024"
        ]
    );
    assert_eq!(plan(unified.clone(), &v2(ALL)).unwrap().controllers(&v2(ALL)).needed, ["io", "memory"]);
    assert_eq!(refused(unified.clone(), &v1(ALL)), "/linux/resources/unified/cgroup.max.depth");
    assert_eq!(refused(unified, &v2(&["memory"])), "/linux/resources/unified/io.max");
}

#[test]
fn a_unified_file_of_a_controller_that_v1_has_is_refused() {
    let mut layout = v1(&["memory"]);
    layout.v2 = v2(&["hugetlb"]).v2;
    assert_eq!(written(json!({"unified": {"hugetlb.2MB.max": "0"}}), &layout), ["hugetlb.2MB.max=0"]);
    let refusal = refused(json!({"unified": {"memory.high": "1"}}), &layout);
    assert_eq!(refusal, "/linux/resources/unified/memory.high");
}

#[test]
fn real_time_scheduling_is_limited_on_v1() {
    let cpu = json!({"cpu": {"realtimeRuntime": 950_000, "realtimePeriod": 1_000_000}});
    assert_eq!(written(cpu, &v1(ALL)), ["cpu.rt_period_us=1000000", "cpu.rt_runtime_us=950000"]);
}

#[test]
fn on_hybrid_a_controller_is_used_where_it_is() {
    let mut layout = v1(&["memory", "devices"]);
    layout.v2 = v2(&["cpu"]).v2;
    let both = json!({"memory": {"limit": 4096}, "cpu": {"shares": 1024}});
    assert_eq!(written(both, &layout), ["memory.limit_in_bytes=4096", "cpu.weight=100"]);
}

#[test]
fn everything_that_the_host_offers_is_wanted_and_only_what_v1_lacks_is_needed() {
    let mut layout = v1(&["memory", "pids"]);
    layout.v2 = v2(&["cpu", "hugetlb"]).v2;
    let resources = json!({"memory": {"limit": 4096}, "cpu": {"shares": 1024}, "pids": {"limit": 7}});
    let controllers = plan(resources, &layout).unwrap().controllers(&layout);
    assert_eq!(controllers.needed, ["cpu"]);
    assert_eq!(controllers.offered, ["cpu", "hugetlb"]);
}
