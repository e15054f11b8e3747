//! When and where the kernel runs a container's process: scheduler, disk priority, execution domain, memory nodes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use integration::harness::*;
use integration::{differs_from, on_hosts, skip};
use serde_json::{Value, json};

/// The scheduler that the process runs with, of what `asked` names.
fn seen(report: &Report, asked: &Value) -> Value {
    let keys = asked.as_object().unwrap().keys().filter(|key| *key != "flags");
    let scheduler = &report["scheduling"]["scheduler"];
    let policies =
        ["SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE"];
    let value = |key: &String| match key.as_str() {
        "policy" => json!(policies[usize::try_from(scheduler["policy"].as_u64().unwrap()).unwrap()]),
        key => scheduler[key].clone(),
    };
    keys.map(|key| (key.clone(), value(key))).collect::<serde_json::Map<_, _>>().into()
}

#[track_caller]
fn scheduled(asked: &Value, change: impl FnOnce(&mut Config)) -> Report {
    scheduled_in(&Sandbox::new(), asked, change)
}

#[track_caller]
fn scheduled_in(sandbox: &Sandbox, asked: &Value, change: impl FnOnce(&mut Config)) -> Report {
    let report = sandbox.report(|config| {
        config["process"]["scheduler"] = asked.clone();
        change(config);
    });
    let mut expected = asked.clone();
    expected.as_object_mut().unwrap().remove("flags");
    assert_eq!(seen(&report, asked), expected);
    report
}

#[test]
fn the_scheduler_is_as_asked_for() {
    for asked in [
        json!({ "policy": "SCHED_OTHER", "nice": 7 }),
        json!({ "policy": "SCHED_OTHER", "nice": -5 }),
        json!({ "policy": "SCHED_BATCH", "nice": 3 }),
        json!({ "policy": "SCHED_IDLE" }),
    ] {
        scheduled(&asked, |_| {});
    }
}

#[test]
fn flags_of_the_scheduler_are_set() {
    let asked = json!({ "policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"] });
    assert_eq!(scheduled(&asked, |_| {})["scheduling"]["scheduler"]["flags"], 1);
}

/// Whether this host lets anybody be scheduled so: its cgroups may have no real-time share.
fn host_can(policy: &[&str]) -> bool {
    let words: Vec<&str> = ["chrt"].iter().chain(policy).chain(&["true"]).copied().collect();
    Invocation::new(&words).output().code() == 0
}

#[test]
fn real_time_policies_are_set() {
    if !host_can(&["--fifo", "10"]) {
        skip!("this host gives nobody a real-time policy");
    }
    // With real-time groups a new v1 cgroup has no share of its own; where only v2 is seen, the caller's is used.
    let sandbox = || Sandbox::on(Host::V2);
    scheduled_in(&sandbox(), &json!({ "policy": "SCHED_FIFO", "priority": 10 }), |_| {});
    scheduled_in(&sandbox(), &json!({ "policy": "SCHED_RR", "priority": 1 }), |_| {});
}

#[test]
fn a_deadline_is_set() {
    let times = ["--deadline", "--sched-runtime", "1000000", "--sched-deadline", "10000000"];
    if !host_can(&[&times[..], &["--sched-period", "20000000", "0"]].concat()) {
        skip!("this host gives nobody a deadline");
    }
    let asked = json!({ "policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 10_000_000, "period": 20_000_000,
        "flags": ["SCHED_FLAG_RESET_ON_FORK"] });
    scheduled(&asked, |_| {});
}

#[test]
fn a_user_without_privileges_in_a_user_namespace_can_be_given_a_high_priority() {
    differs_from!("runc", "it asks inside the user namespace, where nobody may raise a priority");
    differs_from!("crun", "it asks inside the user namespace, where nobody may raise a priority");
    let asked = json!({ "policy": "SCHED_OTHER", "nice": -5 });
    scheduled(&asked, |config| {
        config.user_namespace(100_000, 65_536);
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
}

on_hosts! {
    fn a_container_that_waits_for_its_start_is_scheduled_the_same(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = sandbox.started(&["report", "--wait"], |config| {
            config["process"]["scheduler"] = json!({ "policy": "SCHED_OTHER", "nice": 9 });
            config["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 6 });
        });
        let report = container.report();
        assert_eq!(report["scheduling"]["scheduler"]["nice"], 9);
        assert_eq!(report["scheduling"]["ioPriority"], 2 << 13 | 6);
        container.kill("TERM");
        assert_eq!(container.wait(), 0);
        container.delete();
    }
}

#[test]
fn a_scheduler_that_cannot_be_is_refused() {
    let wrong = [
        (json!({ "policy": "SCHED_NEVER" }), "policy"),
        (json!({ "policy": "SCHED_OTHER", "nice": 20 }), "nice"),
        (json!({ "policy": "SCHED_OTHER", "priority": 5 }), "priority"),
        (json!({ "policy": "SCHED_OTHER", "runtime": 5 }), "runtime"),
    ];
    for (asked, key) in wrong {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| config["process"]["scheduler"] = asked);
        let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
        assert!(error.contains("scheduler"), "{error}");
        assert!(!runtime().is_ours() || error.contains(&format!("/process/scheduler/{key}")), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_caller_without_the_privilege_gets_an_error_that_says_so() {
    let sandbox = Sandbox::new().wrapped(&["setpriv", "--bounding-set", "-sys_nice"]);
    sandbox.configure(|config| {
        config["process"]["scheduler"] = json!({ "policy": "SCHED_OTHER", "nice": -5 });
    });
    let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
    assert!(!runtime().is_ours() || error.contains("CAP_SYS_NICE"), "{error}");
    sandbox.assert_nothing_left();
}

#[test]
fn the_disk_priority_is_as_asked_for() {
    for (class, number, level) in [("BE", 2, 0), ("BE", 2, 7), ("RT", 1, 3), ("IDLE", 3, 0)] {
        let asked = json!({ "class": format!("IOPRIO_CLASS_{class}"), "priority": level });
        let report = Sandbox::new().report(|config| config["process"]["ioPriority"] = asked);
        assert_eq!(report["scheduling"]["ioPriority"], number << 13 | level, "{class} {level}");
    }
}

#[test]
fn a_disk_priority_that_cannot_be_is_refused() {
    for asked in
        [json!({ "class": "IOPRIO_CLASS_BE", "priority": 8 }), json!({ "class": "BEST", "priority": 0 })]
    {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| config["process"]["ioPriority"] = asked);
        sandbox.with_bundle("create", &[]).output().fails_saying("rio");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn the_execution_domain_is_as_asked_for() {
    let report =
        Sandbox::new().report(|config| config["linux"]["personality"] = json!({ "domain": "LINUX32" }));
    assert_eq!(report["process"]["personality"].as_u64().unwrap() & 0xff, 8);
    if cfg!(target_arch = "x86_64") {
        assert_eq!(report["machine"], "i686");
    }
    let plain = Sandbox::new().report(|config| config["linux"]["personality"] = json!({ "domain": "LINUX" }));
    assert_eq!(plain["process"]["personality"].as_u64().unwrap() & 0xff, 0);
}

#[test]
fn execution_domains_and_flags_that_do_not_exist_are_refused() {
    differs_from!("runc", "it ignores flags with a warning");
    differs_from!("crun", "it takes flags by number");
    let wrong = [
        (json!({ "domain": "SVR4" }), "/linux/personality/domain"),
        (json!({ "domain": "LINUX", "flags": ["X"] }), "/linux/personality/flags"),
    ];
    for (asked, pointer) in wrong {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| config["linux"]["personality"] = asked);
        sandbox.with_bundle("create", &[]).output().fails_saying(pointer);
        sandbox.assert_nothing_left();
    }
}

on_hosts! {
    fn the_memory_policy_is_as_asked_for(host: Host) {
        differs_from!("runc", "this version does not know memory policies");
        let policies = [
            (json!({ "mode": "MPOL_BIND", "nodes": "0" }), 2, json!([0])),
            (json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] }), 3 | 1 << 15, json!([0])),
            (json!({ "mode": "MPOL_PREFERRED", "nodes": "0" }), 1, json!([0])),
            (json!({ "mode": "MPOL_LOCAL" }), 4, json!([])),
        ];
        for (asked, mode, nodes) in policies {
            let report = Sandbox::on(host).report(|config| config["linux"]["memoryPolicy"] = asked.clone());
            assert_eq!(report["scheduling"]["memory"], json!({ "mode": mode, "nodes": nodes }), "{asked}");
        }
    }
}

#[test]
fn a_memory_policy_of_the_caller_is_replaced_by_the_default() {
    differs_from!("runc", "this version does not know memory policies");
    if !std::path::Path::new("/usr/bin/numactl").exists() {
        skip!("numactl is not installed");
    }
    let sandbox = Sandbox::new().wrapped(&["numactl", "--interleave=0"]);
    let inherited = sandbox.report(|_| {});
    assert_eq!(inherited["scheduling"]["memory"]["mode"], 3, "absent means the caller's");
    let sandbox = Sandbox::new().wrapped(&["numactl", "--interleave=0"]);
    let report = sandbox.report(|config| config["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_DEFAULT" }));
    assert_eq!(report["scheduling"]["memory"]["mode"], 0);
}

#[test]
fn a_memory_policy_with_nodes_beyond_a_thousand_reaches_the_kernel() {
    differs_from!("runc", "this version does not know memory policies");
    differs_from!("crun", "its masks end before");
    let sandbox = Sandbox::new();
    // A preference for nodes, some of which the kernel cannot have: it says so, and no smaller number takes their place.
    sandbox.configure(|config| {
        config["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_BIND", "nodes": "0,2000" });
    });
    let error = sandbox.with_bundle("create", &[]).output().fails_saying("set_mempolicy");
    assert!(error.contains("/linux/memoryPolicy") && error.contains("memory nodes"), "{error}");
    sandbox.assert_nothing_left();
}

#[test]
fn a_memory_policy_that_cannot_be_is_refused() {
    differs_from!("runc", "this version does not know memory policies");
    for (asked, key) in [
        (json!({ "mode": "MPOL_NEAR" }), "mode"),
        (json!({ "mode": "MPOL_BIND", "nodes": "a" }), "nodes"),
        (json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["X"] }), "flags"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| config["linux"]["memoryPolicy"] = asked);
        let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
        assert!(!runtime().is_ours() || error.contains(&format!("/linux/memoryPolicy/{key}")), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn affinities_for_exec_are_accepted_and_wrong_ones_refused() {
    let report = Sandbox::new().report(|config| {
        config["process"]["execCPUAffinity"] = json!({ "initial": "0", "final": "0-1023" });
    });
    assert_eq!(
        report["process"]["cpus"],
        Sandbox::new().report(|_| {})["process"]["cpus"],
        "of exec, not of init"
    );
    let sandbox = Sandbox::new();
    sandbox
        .configure(|config| config["process"]["execCPUAffinity"] = json!({ "initial": "0", "final": "x" }));
    let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
    assert!(!runtime().is_ours() || error.contains("/process/execCPUAffinity/final"), "{error}");
    sandbox.assert_nothing_left();
}
