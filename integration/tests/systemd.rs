//! Containers as scopes of systemd (`--systemd-cgroup`), where there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::path::Path;
use std::time::Duration;

use integration::harness::*;
use integration::skip;
use serde_json::{Value, json};

/// Ends the test where nothing would answer.
macro_rules! needs_systemd {
    () => {
        if !Path::new("/run/systemd/private").exists() && !Path::new("/run/dbus/system_bus_socket").exists() {
            skip!("needs a running systemd");
        }
    };
}

fn systemctl(words: &[&str]) -> Output {
    let words: Vec<&str> = ["systemctl", "--no-pager"].iter().chain(words).copied().collect();
    Invocation::new(&words).output()
}

/// A property of a unit as `systemctl show` prints it.
#[track_caller]
fn property(unit: &str, name: &str) -> String {
    systemctl(&["show", "--value", "--property", name, unit]).success().stdout().trim().to_owned()
}

fn scope(sandbox: &Sandbox) -> String {
    format!("shim-{}.scope", sandbox.id())
}

/// In a slice of the tests, under the container's own name.
fn placed(sandbox: &Sandbox, config: &mut Config) {
    config["linux"]["cgroupsPath"] = json!(format!("shimtest-deep.slice:shim:{}", sandbox.id()));
}

/// A container that runs the probe's `pause`.
#[track_caller]
fn paused<'s>(sandbox: &'s Sandbox, change: impl FnOnce(&mut Config)) -> Container<'s> {
    let mut container = sandbox.started(&["pause"], |config| {
        placed(sandbox, config);
        change(config);
    });
    assert_eq!(container.line(), "ready");
    container
}

#[track_caller]
fn assert_unknown(unit: &str) {
    assert_eq!(property(unit, "LoadState"), "not-found", "{unit}");
}

#[track_caller]
fn end(sandbox: &Sandbox, container: Container<'_>) {
    container.kill("KILL");
    container.wait();
    container.delete();
    assert_unknown(&scope(sandbox));
}

#[test]
fn a_container_is_a_scope_until_it_is_deleted() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    let container = paused(&sandbox, |_| {});
    let unit = scope(&sandbox);
    for (name, value) in [
        ("LoadState", "loaded"),
        ("ActiveState", "active"),
        ("Slice", "shimtest-deep.slice"),
        ("Description", &format!("libcontainer container {}", sandbox.id())),
        ("Delegate", "yes"),
        ("DefaultDependencies", "no"),
        ("CollectMode", "inactive-or-failed"),
        ("MemoryAccounting", "yes"),
        ("TasksAccounting", "yes"),
        ("ControlGroup", &format!("/shimtest.slice/shimtest-deep.slice/{unit}")),
    ] {
        assert_eq!(property(&unit, name), value, "{name}");
    }
    // In every hierarchy that is mounted, and not only in the one that systemd looks at.
    let cgroups = fs::read_to_string(container.proc("cgroup")).unwrap();
    let expected =
        |line: &&str| line.starts_with("0::") || Host::Native.has_v1() && line.contains(":memory:");
    assert!(cgroups.lines().filter(expected).all(|line| line.ends_with(&unit)), "{cgroups}");
    end(&sandbox, container);
}

#[test]
fn without_a_path_the_scope_has_runc_s_name() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    let container = sandbox.started(&["pause"], |_| {});
    let unit = format!("runc-{}.scope", sandbox.id());
    assert_eq!(property(&unit, "Slice"), "system.slice");
    // What is deleted by force has not ended before.
    sandbox.command(&["delete", "--force", "ID"]).success();
    drop(container);
    assert_unknown(&unit);
    sandbox.assert_nothing_left();
}

/// A limit, and what systemd and the kernel (cgroup v2) say of it when it was given at create, and after a change.
struct Limit {
    controller: &'static str,
    create: Value,
    update: Value,
    properties: [(&'static str, &'static str); 2],
    file: &'static str,
    texts: [&'static str; 2],
}

#[track_caller]
fn read(sandbox: &Sandbox, file: &str) -> String {
    let texts =
        cgroups_named(sandbox.id()).into_iter().find_map(|dir| fs::read_to_string(dir.join(file)).ok());
    texts.unwrap_or_else(|| panic!("no cgroup has {file}")).trim().to_owned()
}

#[track_caller]
fn check(limit: &Limit) {
    needs_systemd!();
    let offered = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    if !offered.split_whitespace().any(|name| name == limit.controller) {
        skip!("needs the {} controller of cgroup v2", limit.controller);
    }
    let sandbox = Sandbox::new().by_systemd();
    let container = paused(&sandbox, |config| {
        for (name, value) in limit.create.as_object().unwrap() {
            config["linux"]["resources"][name] = value.clone();
        }
    });
    let unit = scope(&sandbox);
    let agree = |index: usize| {
        let (name, value) = limit.properties[index];
        if !name.is_empty() {
            assert_eq!(property(&unit, name), value, "{name}");
        }
        assert!(read(&sandbox, limit.file).contains(limit.texts[index]), "{}", read(&sandbox, limit.file));
    };
    agree(0);
    let document = sandbox.path().join("update.json");
    fs::write(&document, limit.update.to_string()).unwrap();
    let update = sandbox.runtime(&["update", "--resources", "-", sandbox.id()]);
    update.stdin(fs::File::open(document).unwrap()).output().success();
    agree(1);
    end(&sandbox, container);
}

macro_rules! limits {
    ($($name:ident: $limit:expr;)+) => {$(
        #[test]
        fn $name() {
            check(&$limit);
        }
    )+};
}

limits! {
    memory: Limit {
        controller: "memory",
        create: json!({"memory": {"limit": 64 << 20}}),
        update: json!({"memory": {"limit": 32 << 20}}),
        properties: [("MemoryMax", "67108864"), ("MemoryMax", "33554432")],
        file: "memory.max",
        texts: ["67108864", "33554432"],
    };
    reservation: Limit {
        controller: "memory",
        create: json!({"memory": {"limit": 64 << 20, "reservation": 8 << 20}}),
        update: json!({"memory": {"reservation": 4 << 20}}),
        properties: [("MemoryLow", "8388608"), ("MemoryLow", "4194304")],
        file: "memory.low",
        texts: ["8388608", "4194304"],
    };
    cpu_weight: Limit {
        controller: "cpu",
        create: json!({"cpu": {"shares": 1024}}),
        update: json!({"cpu": {"shares": 512}}),
        properties: [("CPUWeight", "100"), ("CPUWeight", "59")],
        file: "cpu.weight",
        texts: ["100", "59"],
    };
    cpu_idle: Limit {
        controller: "cpu",
        create: json!({"cpu": {"idle": 1}}),
        update: json!({"cpu": {"idle": 0, "shares": 1024}}),
        properties: [("CPUWeight", "idle"), ("CPUWeight", "100")],
        file: "cpu.idle",
        texts: ["1", "0"],
    };
    cpu_quota_is_rounded_up: Limit {
        controller: "cpu",
        create: json!({"cpu": {"quota": 50_001, "period": 100_000}}),
        update: json!({"cpu": {"quota": 20_000, "period": 50_000}}),
        properties: [("CPUQuotaPerSecUSec", "510ms"), ("CPUQuotaPerSecUSec", "400ms")],
        file: "cpu.max",
        texts: ["51000 100000", "20000 50000"],
    };
    cpu_period: Limit {
        controller: "cpu",
        create: json!({"cpu": {"quota": 20_000, "period": 100_000}}),
        update: json!({"cpu": {"period": 50_000}}),
        properties: [("CPUQuotaPeriodUSec", "100ms"), ("CPUQuotaPeriodUSec", "50ms")],
        file: "cpu.max",
        texts: ["20000 100000", "20000 50000"],
    };
    cpu_burst_has_no_property: Limit {
        controller: "cpu",
        create: json!({"cpu": {"quota": 20_000, "burst": 10_000}}),
        update: json!({"cpu": {"burst": 5_000}}),
        properties: [("", ""), ("", "")],
        file: "cpu.max.burst",
        texts: ["10000", "5000"],
    };
    cpus: Limit {
        controller: "cpuset",
        create: json!({"cpu": {"cpus": "0-1"}}),
        update: json!({"cpu": {"cpus": "1"}}),
        properties: [("AllowedCPUs", "0-1"), ("AllowedCPUs", "1")],
        file: "cpuset.cpus",
        texts: ["0-1", "1"],
    };
    memory_nodes: Limit {
        controller: "cpuset",
        create: json!({"cpu": {"mems": "0"}}),
        update: json!({"cpu": {"mems": "0"}}),
        properties: [("AllowedMemoryNodes", "0"), ("AllowedMemoryNodes", "0")],
        file: "cpuset.mems",
        texts: ["0", "0"],
    };
    tasks: Limit {
        controller: "pids",
        create: json!({"pids": {"limit": 30}}),
        update: json!({"pids": {"limit": -1}}),
        properties: [("TasksMax", "30"), ("TasksMax", "infinity")],
        file: "pids.max",
        texts: ["30", "max"],
    };
    huge_pages_have_no_property: Limit {
        controller: "hugetlb",
        create: json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]}),
        update: json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 2 << 20}]}),
        properties: [("", ""), ("", "")],
        file: "hugetlb.2MB.max",
        texts: ["4194304", "2097152"],
    };
    unified: Limit {
        controller: "memory",
        create: json!({"unified": {"memory.high": "60000000"}}),
        update: json!({"unified": {"memory.high": "max"}}),
        properties: [("MemoryHigh", "60000000"), ("MemoryHigh", "infinity")],
        file: "memory.high",
        texts: ["59998208", "max"],
    };
}

#[test]
fn limits_stay_when_systemd_reloads() {
    needs_systemd!();
    let offered = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    if !offered.contains("memory") {
        skip!("needs the memory controller of cgroup v2");
    }
    let sandbox = Sandbox::new().by_systemd();
    let container = paused(&sandbox, |config| {
        config["linux"]["resources"] = json!({
            "memory": {"limit": 64 << 20, "swap": 96 << 20, "reservation": 8 << 20},
            "cpu": {"shares": 512, "quota": 33_333, "period": 100_000, "cpus": "0"},
            "pids": {"limit": 30}
        });
    });
    let files = ["memory.max", "memory.low", "cpu.weight", "cpu.max", "cpuset.cpus", "pids.max"];
    let texts = || files.map(|file| read(&sandbox, file));
    let before = texts();
    assert_eq!(before, ["67108864", "8388608", "59", "34000 100000", "0", "30"]);
    systemctl(&["daemon-reload"]).success();
    assert_eq!(texts(), before);
    end(&sandbox, container);
}

#[test]
fn devices_are_what_the_rules_say() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    let container = paused(&sandbox, |config| {
        config["linux"]["resources"]["devices"] = json!([
            {"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}
        ]);
    });
    let unit = scope(&sandbox);
    assert_eq!(property(&unit, "DevicePolicy"), "strict");
    let allowed = property(&unit, "DeviceAllow");
    assert!(allowed.contains("/dev/char/10:229 rw"), "{allowed}");
    end(&sandbox, container);
}

#[test]
fn annotations_are_properties() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    let container = paused(&sandbox, |config| {
        config["annotations"] = json!({
            "org.systemd.property.TimeoutStopSec": "7",
            "org.systemd.property.CollectMode": "'inactive'",
            "org.systemd.property.SendSIGHUP": "true"
        });
    });
    let unit = scope(&sandbox);
    assert_eq!(property(&unit, "TimeoutStopUSec"), "7s");
    assert_eq!(property(&unit, "CollectMode"), "inactive");
    assert_eq!(property(&unit, "SendSIGHUP"), "yes");
    end(&sandbox, container);
}

#[test]
fn a_wrong_annotation_is_named_and_nothing_is_left() {
    needs_systemd!();
    for (name, value, reason) in
        [("TimeoutStopSec", "soon", "is no value"), ("NoSuchThing", "true", "NoSuchThing")]
    {
        let sandbox = Sandbox::new().by_systemd();
        sandbox.configure(|config| {
            placed(&sandbox, config);
            config["annotations"] = json!({ format!("org.systemd.property.{name}"): value });
        });
        let error = sandbox.with_bundle("create", &[]).output().fails_saying(reason);
        assert!(error.contains(&format!("/annotations/org.systemd.property.{name}")), "{error}");
        assert_unknown(&scope(&sandbox));
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_container_that_cannot_start_leaves_no_scope() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    sandbox.configure(|config| {
        placed(&sandbox, config);
        config["process"]["args"] = json!(["/no/such/program"]);
    });
    let error = sandbox.run();
    assert_ne!(error.code(), 0);
    assert_unknown(&scope(&sandbox));
    sandbox.assert_nothing_left();
}

#[test]
fn a_runtime_that_was_killed_leaves_what_delete_by_force_finds() {
    needs_systemd!();
    for milliseconds in [5, 15, 30, 60, 120, 250] {
        let sandbox = Sandbox::new().by_systemd();
        sandbox.configure(|config| {
            placed(&sandbox, config);
            config.probe(&["pause"]);
        });
        sandbox.with_bundle("create", &[]).spawn().killed_after(Duration::from_millis(milliseconds));
        sandbox.command(&["delete", "--force", "ID"]).success();
        assert_unknown(&scope(&sandbox));
        wait_until_gone(sandbox.id());
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_name_can_be_used_again_and_again() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    for round in 0..20 {
        let container = paused(&sandbox, |_| {});
        if round % 2 == 0 {
            end(&sandbox, container);
        } else {
            sandbox.command(&["delete", "--force", "ID"]).success();
            container.wait();
            assert_unknown(&scope(&sandbox));
        }
    }
    sandbox.assert_nothing_left();
}

#[test]
fn a_scope_of_others_is_left_alone() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    sandbox.configure(|config| placed(&sandbox, config));
    let unit = scope(&sandbox);
    let other = Invocation::new(&[
        "systemd-run",
        "--scope",
        "--slice=shimtest-deep.slice",
        &format!("--unit={unit}"),
        "sh",
        "-c",
        "echo here; exec sleep 1000",
    ]);
    let mut other = other.spawn();
    assert_eq!(other.line(), "here");
    sandbox.with_bundle("create", &[]).output().fails_saying("not empty");
    assert_eq!(property(&unit, "ActiveState"), "active");
    systemctl(&["stop", &unit]).success();
    other.wait();
    assert_unknown(&unit);
}

#[test]
fn names_that_systemd_would_refuse_are_errors_with_the_pointer() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    for path in ["/a/b", "a.slice:b", "a.slice:b:c:d", "nothing:b:c", "a--b.slice:c:d", "a.slice:b:c.slice"] {
        sandbox.configure(|config| config["linux"]["cgroupsPath"] = json!(path));
        sandbox.with_bundle("create", &[]).output().fails_saying("/linux/cgroupsPath");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn pausing_and_killing_work_as_ever() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    let container = paused(&sandbox, |_| {});
    sandbox.command(&["pause", "ID"]).success();
    assert_eq!(container.status(), "paused");
    container.kill("KILL");
    assert_eq!(container.wait(), 137);
    container.delete();
    assert_unknown(&scope(&sandbox));
}

#[test]
fn a_program_is_executed_in_the_scope() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    let container = paused(&sandbox, |_| {});
    let output = sandbox.command(&["exec", "ID", "/probe", "report"]).success();
    drop(Report::parse(&output.stdout()));
    end(&sandbox, container);
}

#[test]
fn a_container_of_a_shared_pid_namespace_ends_with_its_scope() {
    needs_systemd!();
    let sandbox = Sandbox::new().by_systemd();
    let container = paused(&sandbox, |config| {
        config.without_namespace("pid");
    });
    sandbox.command(&["delete", "--force", "ID"]).success();
    container.wait();
    assert_unknown(&scope(&sandbox));
    sandbox.assert_nothing_left();
}

/// The runtime must say what is missing, and do nothing.
#[test]
fn without_systemd_the_error_says_what_is_missing() {
    let sandbox = Sandbox::new().by_systemd();
    sandbox.configure(|config| placed(&sandbox, config));
    let create = sandbox.with_bundle("create", &[]);
    let create = create.env("DBUS_SYSTEM_BUS_ADDRESS", &format!("unix:path={}", sandbox.file("no-bus")));
    let error = create.output().fails_saying("systemd cannot be reached, which --systemd-cgroup needs");
    assert!(error.contains("no-bus: connect: ENOENT"), "{error}");
    sandbox.assert_nothing_left();
}
