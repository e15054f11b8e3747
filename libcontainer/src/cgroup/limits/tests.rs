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

const ALL: &[&str] = &["cpu", "cpuset", "memory", "pids", "devices"];

fn plan(resources: Value, layout: &Layout) -> Result<Limits, CgroupError> {
    let resources: LinuxResources = serde_json::from_value(resources).unwrap();
    limits(Some(&resources), layout)
}

fn written(resources: Value, layout: &Layout) -> Vec<String> {
    let limits = plan(resources, layout).unwrap();
    let show = |write: &Write| format!("{}={}", write.file, write.value);
    limits.writes.iter().chain(&limits.late).map(show).collect()
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
fn memory_on_v2_limits_swap_alone() {
    let plans = [
        (json!({"limit": 4096, "swap": 8192}), vec!["memory.swap.max=4096", "memory.max=4096"]),
        (json!({"limit": 4096, "swap": 4096}), vec!["memory.swap.max=0", "memory.max=4096"]),
        (json!({"limit": 4096, "swap": -1}), vec!["memory.swap.max=max", "memory.max=4096"]),
        (json!({"limit": -1}), vec!["memory.swap.max=max", "memory.max=max"]),
        (json!({"limit": -1, "swap": 9}), vec!["memory.swap.max=9", "memory.max=max"]),
        (json!({"reservation": 1024}), vec!["memory.low=1024"]),
    ];
    for (memory, expected) in plans {
        assert_eq!(written(json!({"memory": memory}), &v2(ALL)), expected, "{memory}");
    }
}

#[test]
fn a_missing_swap_file_is_a_failure_only_where_it_changes_something() {
    let optional = |memory: Value, layout: &Layout| {
        let limits = plan(json!({"memory": memory}), layout).unwrap();
        limits.writes.iter().find(|write| write.file.contains("sw")).unwrap().optional
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
    assert_eq!(plan(memory.clone(), &v2(ALL)).unwrap().writes[0].usage, Some("memory.current"));
    assert_eq!(plan(memory, &v1(ALL)).unwrap().writes[0].usage, None, "the v1 kernel checks by itself");
}

#[test]
fn memory_that_cannot_be_expressed_is_refused_by_name() {
    let base = "/linux/resources/memory";
    let cases = [
        (json!({"swappiness": 60}), v2(ALL), "swappiness"),
        (json!({"swappiness": 101}), v1(ALL), "swappiness"),
        (json!({"disableOOMKiller": true}), v2(ALL), "disableOOMKiller"),
        (json!({"kernel": 4096}), v1(ALL), "kernel"),
        (json!({"kernelTCP": 4096}), v2(ALL), "kernelTCP"),
        (json!({"limit": -2}), v2(ALL), "limit"),
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
        (json!({"realtimeRuntime": 1}), v1(ALL), "realtimeRuntime"),
        (json!({"realtimePeriod": 1}), v1(ALL), "realtimePeriod"),
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
        let limits = plan(json!({"pids": {"limit": limit}}), &v2(ALL)).unwrap();
        assert_eq!(limits.writes, []);
        assert_eq!((limits.late[0].file.as_str(), limits.late[0].value.as_str()), ("pids.max", value));
        assert_eq!(limits.controllers(), ["pids"]);
    }
    assert_eq!(refused(json!({"pids": {"limit": -2}}), &v2(ALL)), "/linux/resources/pids/limit");
    assert_eq!(refused(json!({"pids": {"limit": 5}}), &v2(&[])), "/linux/resources/pids/limit");
}

#[test]
fn what_is_not_supported_yet_is_refused_by_name() {
    let cases = [
        (json!({"blockIO": {"weight": 10}}), "blockIO"),
        (json!({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]}}), "blockIO"),
        (json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}), "hugepageLimits"),
        (json!({"network": {"classID": 1}}), "network/classID"),
        (json!({"network": {"priorities": [{"name": "eth0", "priority": 1}]}}), "network/priorities"),
        (json!({"rdma": {"mlx5": {"hcaHandles": 3}}}), "rdma"),
        (json!({"unified": {"memory.high": "1"}}), "unified"),
    ];
    for (resources, field) in cases {
        assert_eq!(refused(resources, &v2(ALL)), format!("/linux/resources/{field}"));
    }
}

#[test]
fn on_hybrid_a_controller_is_used_where_it_is() {
    let mut layout = v1(&["memory", "devices"]);
    layout.v2 = v2(&["cpu"]).v2;
    let both = json!({"memory": {"limit": 4096}, "cpu": {"shares": 1024}});
    assert_eq!(written(both, &layout), ["memory.limit_in_bytes=4096", "cpu.weight=100"]);
}

#[test]
fn controllers_are_asked_for_only_if_a_limit_needs_them() {
    let ask = |resources: Value| needs_controllers(Some(&serde_json::from_value(resources).unwrap()));
    assert!(!needs_controllers(None));
    assert!(!ask(json!({"memory": {}, "devices": [{"allow": false, "access": "rwm"}]})));
    assert!(ask(json!({"memory": {"limit": 4096}})));
}
