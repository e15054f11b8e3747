use serde_json::{Value, json};

use super::*;

fn translate(resources: Value) -> Result<Limits, CgroupError> {
    let resources: LinuxResources = serde_json::from_value(resources).unwrap();
    Limits::new(Some(&resources))
}

#[test]
fn empty_blocks_and_zeros_are_not_limits() {
    let docker = json!({
        "memory": {"limit": 0, "swap": 0, "kernel": 0, "swappiness": u64::MAX, "disableOOMKiller": false},
        "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "realtimeRuntime": 0, "realtimePeriod": 0},
        "blockIO": {"weight": 0, "leafWeight": 0, "weightDevice": []}, "hugepageLimits": [],
        "network": {"classID": 0, "priorities": []}, "rdma": {}, "unified": {}, "devices": []
    });
    assert_eq!(translate(docker).unwrap(), Limits::default());
    assert_eq!(Limits::new(None).unwrap(), Limits::default());
}

#[test]
fn limits_of_kernel_memory_need_no_controller() {
    let memory = translate(json!({"memory": {"kernel": 4096, "kernelTCP": -1}})).unwrap().memory;
    assert_eq!((memory.kernel, memory.kernel_tcp), (true, Some(Bound::Max)));
    assert_eq!(memory.first(), None);
}

#[test]
fn what_is_wrong_on_every_host_is_refused_by_name() {
    let throttle = |entry: Value| json!({"blockIO": {"throttleReadIOPSDevice": [entry]}});
    let weight = |entry: Value| json!({"blockIO": {"weightDevice": [entry]}});
    let pages = |size: &str| json!({"hugepageLimits": [{"pageSize": size, "limit": 1}]});
    let interface = |name: &str| json!({"network": {"priorities": [{"name": name, "priority": 1}]}});
    let unified = |name: &str, value: &str| json!({"unified": {name: value}});
    let cases = [
        (json!({"memory": {"limit": -2}}), "memory/limit"),
        (json!({"memory": {"swappiness": 101}}), "memory/swappiness"),
        (json!({"cpu": {"idle": 2}}), "cpu/idle"),
        (json!({"cpu": {"cpus": "0;1"}}), "cpu/cpus"),
        (json!({"pids": {"limit": -2}}), "pids/limit"),
        (json!({"blockIO": {"weight": 9}}), "blockIO/weight"),
        (json!({"blockIO": {"weight": 1001}}), "blockIO/weight"),
        (json!({"blockIO": {"leafWeight": 10}}), "blockIO/leafWeight"),
        (weight(json!({"major": 8, "minor": 0, "leafWeight": 10})), "blockIO/weightDevice/0/leafWeight"),
        (weight(json!({"major": 8, "minor": 0, "weight": 5})), "blockIO/weightDevice/0/weight"),
        (weight(json!({"major": -1, "minor": 0, "weight": 50})), "blockIO/weightDevice/0/major"),
        (throttle(json!({"major": 8, "minor": -1, "rate": 1})), "blockIO/throttleReadIOPSDevice/0/minor"),
        (json!({"hugepageLimits": [{"pageSize": "2MB", "limit": -1}]}), "hugepageLimits/0/limit"),
        (pages("../2MB"), "hugepageLimits/0/pageSize"),
        (pages("2M"), "hugepageLimits/0/pageSize"),
        (pages("02MB"), "hugepageLimits/0/pageSize"),
        (pages("MB"), "hugepageLimits/0/pageSize"),
        (pages("2MB.rsvd"), "hugepageLimits/0/pageSize"),
        (interface(""), "network/priorities/0/name"),
        (interface("a b"), "network/priorities/0/name"),
        (interface("0123456789abcdef"), "network/priorities/0/name"),
        (json!({"rdma": {"a\nb": {"hcaHandles": 1}}}), "rdma/a\nb"),
        (unified("memory", "1"), "unified/memory"),
        (unified(".max", "1"), "unified/.max"),
        (unified("memory.", "1"), "unified/memory."),
        (unified("../memory.max", "1"), "unified/..~1memory.max"),
        (unified("memory.ma x", "1"), "unified/memory.ma x"),
        (unified("memory.high", " \n"), "unified/memory.high"),
        (unified("cgroup.procs", "0"), "unified/cgroup.procs"),
        (unified("cgroup.kill", "1"), "unified/cgroup.kill"),
        (json!({"devices": [{"allow": true, "access": "x"}]}), "devices/0/access"),
    ];
    for (resources, field) in cases {
        let shown = resources.to_string();
        let error = translate(resources).unwrap_err();
        assert_eq!(error.pointer(), Some(format!("/linux/resources/{field}").as_str()), "{shown}: {error}");
    }
}
