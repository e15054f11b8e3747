//! Limits at create and by `update`: every field is read back from the kernel.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;

use integration::harness::*;
use integration::{differs_from, on_hosts, skip};
use serde_json::{Value, json};

/// Where a controller can be used: in a v1 hierarchy, in the unified one, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    V1,
    V2,
}

/// So that tests can be named after it.
impl From<&str> for Place {
    fn from(name: &str) -> Self {
        if name == "v1" { Self::V1 } else { Self::V2 }
    }
}

fn place(v1: &str, v2: &str) -> Option<Place> {
    if Host::Native.has_v1() && Host::Native.hierarchy(v1).is_some() {
        return Some(Place::V1);
    }
    let unified = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let offers = |mount: &&str| {
        let offered = fs::read_to_string(format!("{mount}/cgroup.controllers")).unwrap_or_default();
        offered.split_whitespace().any(|name| name == v2)
    };
    unified.iter().any(offers).then_some(Place::V2)
}

/// A limit: what it is called, what the kernel says of it when it was given at create, and after a change.
struct Limit {
    controllers: [&'static str; 2],
    create: Value,
    update: Value,
    /// File, text at first, and text at last; on v1 and on v2.
    files: [(&'static str, String, String); 2],
}

/// The text of the container's control file.
#[track_caller]
fn read(sandbox: &Sandbox, file: &str) -> String {
    let texts =
        cgroups_named(sandbox.id()).into_iter().find_map(|dir| fs::read_to_string(dir.join(file)).ok());
    texts.unwrap_or_else(|| panic!("no cgroup has {file}")).trim().to_owned()
}

fn merge(config: &mut Config, resources: &Value) {
    for (name, value) in resources.as_object().unwrap() {
        config["linux"]["resources"][name] = value.clone();
    }
}

/// `update --resources -` with a document.
fn update_by(sandbox: &Sandbox, document: &str) -> Output {
    let file = sandbox.path().join("update.json");
    fs::write(&file, document).unwrap();
    sandbox
        .runtime(&["update", "--resources", "-", sandbox.id()])
        .stdin(fs::File::open(file).unwrap())
        .output()
}

/// On hosts that have the controller there; the others skip.
fn check(limit: &Limit, wanted: Place) {
    let [v1, v2] = limit.controllers;
    if place(v1, v2) != Some(wanted) {
        skip!("needs the {} controller on cgroup {wanted:?}", if wanted == Place::V1 { v1 } else { v2 });
    }
    let (file, first, last) = &limit.files[if wanted == Place::V1 { 0 } else { 1 }];
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |config| merge(config, &limit.create));
    assert_eq!(container.line(), "ready");
    assert!(read(&sandbox, file).contains(first.as_str()), "{file}: {}", read(&sandbox, file));
    update_by(&sandbox, &limit.update.to_string()).success();
    assert!(read(&sandbox, file).contains(last.as_str()), "{file}: {}", read(&sandbox, file));
    assert_eq!(container.status(), "running");
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
    container.delete();
}

fn file(name: &'static str, first: impl ToString, last: impl ToString) -> (&'static str, String, String) {
    (name, first.to_string(), last.to_string())
}

macro_rules! limits {
    ($($name:ident on $($host:ident)+: $controllers:expr, $block:literal, $first:tt => $last:tt, $v1:expr, $v2:expr;)+) => {$(
        mod $name {
            use super::*;

            fn check_on(place: Place) {
                let (first, last): (Value, Value) = (json!($first), json!($last));
                let (create, update) = (json!({ $block: first }), json!({ $block: last }));
                check(&Limit { controllers: $controllers, create, update, files: [$v1, $v2] }, place);
            }

            $(#[test]
            fn $host() {
                check_on(stringify!($host).into());
            })+
        }
    )+};
}

/// Of a version of cgroups that has no such limit.
fn none() -> (&'static str, String, String) {
    file("", "", "")
}

limits! {
    the_limit_of_memory on v1 v2: ["memory", "memory"], "memory",
        { "limit": 64 << 20 } => { "limit": 32 << 20 },
        file("memory.limit_in_bytes", 64 << 20, 32 << 20), file("memory.max", 64 << 20, 32 << 20);
    the_reservation_of_memory on v1 v2: ["memory", "memory"], "memory",
        { "reservation": 32 << 20 } => { "reservation": 64 << 20 },
        file("memory.soft_limit_in_bytes", 32 << 20, 64 << 20), file("memory.low", 32 << 20, 64 << 20);
    the_limit_of_swap on v1 v2: ["memory", "memory"], "memory",
        { "limit": 64 << 20, "swap": 96 << 20 } => { "swap": 128 << 20 },
        file("memory.memsw.limit_in_bytes", 96 << 20, 128 << 20), file("memory.swap.max", 32 << 20, 64 << 20);
    the_swappiness on v1: ["memory", "memory"], "memory",
        { "swappiness": 10 } => { "swappiness": 20 },
        file("memory.swappiness", 10, 20), none();
    the_oom_killer_switched_off on v1: ["memory", "memory"], "memory",
        { "disableOOMKiller": true } => { "limit": 64 << 20 },
        file("memory.oom_control", "oom_kill_disable 1", "oom_kill_disable 1"), none();
    the_limit_of_tcp_buffers on v1: ["memory", "memory"], "memory",
        { "kernelTCP": 16 << 20 } => { "kernelTCP": 32 << 20 },
        file("memory.kmem.tcp.limit_in_bytes", 16 << 20, 32 << 20), none();
    the_weight_of_cpus on v1 v2: ["cpu", "cpu"], "cpu",
        { "shares": 512 } => { "shares": 2048 },
        file("cpu.shares", 512, 2048), file("cpu.weight", 59, 174);
    the_quota_of_cpus on v1 v2: ["cpu", "cpu"], "cpu",
        { "quota": 50_000, "period": 100_000 } => { "quota": 30_000 },
        file("cpu.cfs_quota_us", 50_000, 30_000), file("cpu.max", "50000 100000", "30000 100000");
    the_period_of_cpus on v1 v2: ["cpu", "cpu"], "cpu",
        { "quota": 50_000, "period": 100_000 } => { "period": 200_000 },
        file("cpu.cfs_period_us", 100_000, 200_000), file("cpu.max", "50000 100000", "50000 200000");
    the_burst_of_cpus on v1 v2: ["cpu", "cpu"], "cpu",
        { "quota": 50_000, "burst": 20_000 } => { "burst": 10_000 },
        file("cpu.cfs_burst_us", 20_000, 10_000), file("cpu.max.burst", 20_000, 10_000);
    idle_processes on v1 v2: ["cpu", "cpu"], "cpu",
        { "idle": 1 } => { "idle": 0 },
        file("cpu.idle", 1, 0), file("cpu.idle", 1, 0);
    real_time_periods on v1: ["cpu", "cpu"], "cpu",
        { "realtimePeriod": 500_000 } => { "realtimePeriod": 800_000 },
        file("cpu.rt_period_us", 500_000, 800_000), none();
    the_cpus on v1 v2: ["cpuset", "cpuset"], "cpu",
        { "cpus": "0-1" } => { "cpus": "1" },
        file("cpuset.cpus", "0-1", 1), file("cpuset.cpus", "0-1", 1);
    the_memory_nodes on v1 v2: ["cpuset", "cpuset"], "cpu",
        { "mems": "0" } => { "mems": "0" },
        file("cpuset.mems", 0, 0), file("cpuset.mems", 0, 0);
    the_number_of_processes on v1 v2: ["pids", "pids"], "pids",
        { "limit": 77 } => { "limit": -1 },
        file("pids.max", 77, "max"), file("pids.max", 77, "max");
    huge_pages on v1 v2: ["hugetlb", "hugetlb"], "hugepageLimits",
        [{ "pageSize": "2MB", "limit": 4 << 20 }] => [{ "pageSize": "2MB", "limit": 8 << 20 }],
        file("hugetlb.2MB.limit_in_bytes", 4 << 20, 8 << 20), file("hugetlb.2MB.max", 4 << 20, 8 << 20);
    reserved_huge_pages on v1 v2: ["hugetlb", "hugetlb"], "hugepageLimits",
        [{ "pageSize": "2MB", "limit": 4 << 20 }] => [{ "pageSize": "2MB", "limit": 8 << 20 }],
        file("hugetlb.2MB.rsvd.limit_in_bytes", 4 << 20, 8 << 20), file("hugetlb.2MB.rsvd.max", 4 << 20, 8 << 20);
    the_class_of_packets on v1: ["net_cls", "none"], "network",
        { "classID": 0x10_0001 } => { "classID": 0x10_0002 },
        file("net_cls.classid", 0x10_0001, 0x10_0002), none();
    the_priority_of_packets on v1: ["net_prio", "none"], "network",
        { "priorities": [{ "name": "lo", "priority": 3 }] } => { "priorities": [{ "name": "lo", "priority": 5 }] },
        file("net_prio.ifpriomap", "lo 3", "lo 5"), none();
    files_of_cgroup_v2_by_name on v2: ["none", "memory"], "unified",
        { "memory.high": "50331648" } => { "memory.high": "max" },
        none(), file("memory.high", 48 << 20, "max");
    files_of_huge_pages_by_name on v2: ["none", "hugetlb"], "unified",
        { "hugetlb.2MB.max": "4194304", "cgroup.max.depth": "3" } => { "hugetlb.2MB.max": "0" },
        none(), file("hugetlb.2MB.max", 4 << 20, 0);
}

/// A disk, as block devices have to exist before they can be limited.
fn disk() -> Option<(u64, u64)> {
    let names = ["vda", "sda", "nvme0n1", "loop0"];
    let numbers = names.iter().find_map(|name| fs::read_to_string(format!("/sys/block/{name}/dev")).ok())?;
    let (major, minor) = numbers.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn rates_of_block_devices_on(wanted: Place) {
    if place("blkio", "io") != Some(wanted) {
        skip!("needs the blkio or io controller on cgroup {wanted:?}");
    }
    let Some((major, minor)) = disk() else {
        skip!("needs a block device");
    };
    let fields = [
        ("throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"),
        ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"),
        ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"),
        ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"),
    ];
    for (field, v1, key) in fields {
        let rate =
            |rate: u64| json!({ "blockIO": { field: [{ "major": major, "minor": minor, "rate": rate }] } });
        let limit = Limit {
            controllers: ["blkio", "io"],
            create: rate(4096),
            update: rate(8192),
            files: [
                file(v1, format!("{major}:{minor} 4096"), format!("{major}:{minor} 8192")),
                file("io.max", format!("{key}=4096"), format!("{key}=8192")),
            ],
        };
        check(&limit, wanted);
    }
}

fn weights_of_block_devices_on(place: Place) {
    let limit = |bfq: bool| Limit {
        controllers: ["blkio", "io"],
        create: json!({ "blockIO": { "weight": 500 } }),
        update: json!({ "blockIO": { "weight": 100 } }),
        files: [
            file("blkio.bfq.weight", 500, 100),
            if bfq { file("io.bfq.weight", 500, 100) } else { file("io.weight", 4950, 910) },
        ],
    };
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    let has = |file: &str| cgroups_named(sandbox.id()).iter().any(|dir| dir.join(file).exists());
    let (bfq, any) =
        (has("io.bfq.weight"), has("blkio.bfq.weight") || has("io.weight") || has("io.bfq.weight"));
    container.kill("TERM");
    container.wait();
    container.delete();
    if !any {
        skip!("this kernel has no weights of block devices");
    }
    check(&limit(bfq), place);
}

#[test]
fn rates_of_block_devices_on_v1() {
    rates_of_block_devices_on(Place::V1);
}

#[test]
fn rates_of_block_devices_on_v2() {
    rates_of_block_devices_on(Place::V2);
}

#[test]
fn weights_of_block_devices_on_v1() {
    weights_of_block_devices_on(Place::V1);
}

#[test]
fn weights_of_block_devices_on_v2() {
    weights_of_block_devices_on(Place::V2);
}

/// A container that waits, with a limit of processes where it can have one.
fn waiting(sandbox: &Sandbox) -> Container<'_> {
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    container
}

macro_rules! needs {
    ($($controller:literal)+) => {$(
        if place($controller, $controller).is_none() {
            skip!("needs the {} controller", $controller);
        }
    )+};
}

#[test]
fn flags_stand_before_and_after_the_name() {
    needs!("pids" "memory");
    let sandbox = Sandbox::new();
    let container = waiting(&sandbox);
    sandbox.command(&["update", "--pids-limit", "50", "ID", "--memory=48m", "--cpu-share", "512"]).success();
    assert_eq!(read(&sandbox, "pids.max"), "50");
    let memory =
        if place("memory", "memory") == Some(Place::V1) { "memory.limit_in_bytes" } else { "memory.max" };
    assert_eq!(read(&sandbox, memory), (48 << 20).to_string());
    sandbox
        .command(&["update", "ID", "--pids-limit", "-1", "--memory", "-1", "--memory-swap", "-1"])
        .success();
    assert_eq!(read(&sandbox, "pids.max"), "max");
    sandbox.command(&["update", "ID"]).success();
    assert_eq!(read(&sandbox, "pids.max"), "max", "nothing was asked for");
    drop(container);
}

#[test]
fn a_document_is_read_as_go_reads_it() {
    differs_from!("runc", "it crashes at a null");
    needs!("pids" "cpu");
    let sandbox = Sandbox::new();
    let container = waiting(&sandbox);
    let document = r#"{"PIDS": {"Limit": 9}, "memory": null, "cpu": {"shares": null, "cpus": ""}, "unknown": [1],
        "devices": [{"allow": false, "access": "rwm"}]}"#;
    update_by(&sandbox, document).success();
    assert_eq!(read(&sandbox, "pids.max"), "9");
    fs::write(sandbox.path().join("limits.json"), r#"{"pids": {"limit": 11}}"#).unwrap();
    sandbox.command(&["update", "-r", &sandbox.file("limits.json"), "ID"]).success();
    assert_eq!(read(&sandbox, "pids.max"), "11");
    assert_eq!(container.status(), "running");
}

#[test]
fn a_refusal_names_the_flag_or_the_place_in_the_document() {
    differs_from!("runc", "it passes over a weight that is too small");
    needs!("cpu");
    let sandbox = Sandbox::new();
    let container = waiting(&sandbox);
    let refused = |words: &[&str], text: &str| {
        let output = sandbox.command(words).exits_with(1);
        assert!(output.stderr().contains(text) || !runtime().is_ours(), "{words:?}: {}", output.stderr());
    };
    refused(&["update", "ID", "--cpu-period", "7"], "--cpu-period: write");
    refused(&["update", "ID", "--cpu-share", "64", "--cpu-period", "7"], "changed before that: --cpu-share");
    refused(&["update", "ID", "--memory", "much"], "--memory");
    refused(&["update", "ID", "--blkio-weight", "5"], "--blkio-weight: 5");
    refused(&["update", "ID", "--blkio-weight", "70000"], "--blkio-weight");
    refused(&["update", "ID", "--cpuset-cpus", "a"], "--cpuset-cpus");
    refused(&["update", "ID", "--l3-cache-schema", "L3:0=f\nMB:0=1"], "--l3-cache-schema");
    refused(&["update", "ID", "--no-such-flag", "1"], "--no-such-flag");
    if runtime().is_ours() {
        let refused = |document: &str, text: &str| {
            let error = update_by(&sandbox, document).exits_with(1).stderr();
            assert!(error.contains(text), "{document}: {error}");
        };
        refused(r#"{"cpu": {"period": 7}}"#, ": /cpu/period: write");
        refused(r#"{"memory": {"limit": "1g"}}"#, "/memory/limit");
        refused(r#"{"unified": {"../memory.max": "1"}}"#, "/unified/..~1memory.max");
        refused("{", "not JSON");
    }
    assert_eq!(container.status(), "running");
}

#[test]
fn a_container_that_is_not_there_or_has_stopped_is_not_updated() {
    let sandbox = Sandbox::new();
    sandbox.command(&["update", "ID", "--pids-limit", "5"]).fails_saying("container does not exist");
    let container = waiting(&sandbox);
    container.kill("KILL");
    container.wait();
    sandbox.command(&["update", "ID", "--pids-limit", "5"]).fails_saying("container not running");
    container.delete();
}

#[test]
fn one_that_was_only_created_is_updated() {
    needs!("pids");
    let sandbox = Sandbox::new();
    sandbox.configure(|_| {});
    let container = sandbox.create();
    sandbox.command(&["update", "ID", "--pids-limit", "5"]).success();
    assert_eq!(read(&sandbox, "pids.max"), "5");
    drop(container);
}

on_hosts! {
    fn a_paused_container_stays_paused(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = sandbox.started(&["signals"], |_| {});
        assert_eq!(container.line(), "ready");
        sandbox.command(&["pause", "ID"]).success();
        let mut words = vec!["update", "ID"];
        if host.has_controller("pids") {
            words.extend(["--pids-limit", "5"]);
        }
        sandbox.command(&words).success();
        assert_eq!(container.status(), "paused");
        container.kill("USR1");
        assert_eq!(container.stdout.text(), "", "its processes stand still");
        sandbox.command(&["resume", "ID"]).success();
        assert_eq!(container.line(), json!(libc::SIGUSR1));
    }
}

#[test]
fn a_process_that_is_throttled_gets_its_quota_and_not_more() {
    needs!("cpu");
    let sandbox = Sandbox::new();
    let output = sandbox.run_probe(&["burn", "300"], |config| {
        config["linux"]["resources"]["cpu"] = json!({ "quota": 20_000, "period": 100_000 })
    });
    let burnt: Value = serde_json::from_str(&output.success().stdout()).unwrap();
    let (used, passed) = (burnt["used"].as_f64().unwrap(), burnt["passed"].as_f64().unwrap());
    if passed < used {
        skip!("one process used more CPU time than passed, as some emulators count it: {burnt}");
    }
    assert!(used >= 300.0 && passed >= 3.0 * used, "a fifth of a CPU: {burnt}");
}
