use serde_json::{Value, json};

use super::{accepted, isolated, refused, unsupported, with};
use crate::spec::{Config, ExecAffinity, Process};

fn process(key: &str, value: &Value) -> Vec<u8> {
    with(&format!("/process/{key}"), value.clone())
}

fn process_of(bytes: &[u8]) -> Process {
    let Config { process, .. } = accepted(bytes);
    process.unwrap()
}

#[test]
fn schedulers_of_every_policy() {
    let policies = [
        (json!({"policy": "SCHED_OTHER", "nice": -20}), 0),
        (json!({"policy": "SCHED_FIFO", "priority": 99}), 1),
        (json!({"policy": "SCHED_RR", "priority": 1}), 2),
        (json!({"policy": "SCHED_BATCH", "nice": 19}), 3),
        (json!({"policy": "SCHED_IDLE"}), 5),
        (json!({"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 1024}), 6),
    ];
    for (value, number) in policies {
        let scheduler = process_of(&process("scheduler", &value)).scheduler.unwrap();
        assert_eq!(scheduler.policy, number, "{value}");
    }
    let flags =
        json!({"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_UTIL_CLAMP_MAX"]});
    assert_eq!(process_of(&process("scheduler", &flags)).scheduler.unwrap().flags, 0x41);
    assert_eq!(process_of(&process("scheduler", &Value::Null)).scheduler, None);
}

#[test]
fn schedulers_that_linux_does_not_take() {
    let cases = [
        ("policy", json!({})),
        ("policy", json!({"policy": "FIFO"})),
        ("nice", json!({"policy": "SCHED_OTHER", "nice": 20})),
        ("nice", json!({"policy": "SCHED_OTHER", "nice": -21})),
        ("priority", json!({"policy": "SCHED_OTHER", "priority": 1})),
        ("priority", json!({"policy": "SCHED_FIFO"})),
        ("priority", json!({"policy": "SCHED_RR", "priority": 100})),
        ("priority", json!({"policy": "SCHED_RR", "priority": -1})),
        ("flags/1", json!({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RECLAIM", "X"]})),
        ("runtime", json!({"policy": "SCHED_FIFO", "priority": 1, "runtime": 1})),
        ("deadline", json!({"policy": "SCHED_OTHER", "deadline": 1})),
        ("period", json!({"policy": "SCHED_IDLE", "period": 1})),
        ("runtime", json!({"policy": "SCHED_DEADLINE"})),
        ("runtime", json!({"policy": "SCHED_DEADLINE", "runtime": 1023, "deadline": 2000})),
        ("runtime", json!({"policy": "SCHED_DEADLINE", "runtime": 3000, "deadline": 2000})),
        ("runtime", json!({"policy": "SCHED_DEADLINE", "runtime": 1024, "deadline": 3000, "period": 2000})),
    ];
    for (key, value) in cases {
        refused(&process("scheduler", &value), &format!("/process/scheduler/{key}"));
    }
    unsupported(&process("scheduler", &json!({"policy": "SCHED_ISO"})), "/process/scheduler/policy");
}

#[test]
fn io_priorities() {
    let cases = [("RT", 0, 0x2000), ("BE", 7, 0x4007), ("IDLE", 0, 0x6000)];
    for (class, priority, value) in cases {
        let asked = json!({"class": format!("IOPRIO_CLASS_{class}"), "priority": priority});
        assert_eq!(process_of(&process("ioPriority", &asked)).io_priority.unwrap().value(), value);
    }
    refused(&process("ioPriority", &json!({})), "/process/ioPriority/class");
    refused(&process("ioPriority", &json!({"class": "IOPRIO_CLASS_NONE"})), "/process/ioPriority/class");
    for priority in [-1, 8] {
        let asked = json!({"class": "IOPRIO_CLASS_BE", "priority": priority});
        refused(&process("ioPriority", &asked), "/process/ioPriority/priority");
    }
}

#[test]
fn affinities_for_exec() {
    let affinity = process_of(&process("execCPUAffinity", &json!({"initial": "0-1", "final": "1024"})));
    let expected = ExecAffinity { initial: Some(vec![3]), last: Some([vec![0; 16], vec![1]].concat()) };
    assert_eq!(affinity.exec_affinity, expected);
    assert!(process_of(&process("execCPUAffinity", &json!({}))).exec_affinity.is_empty());
    for key in ["initial", "final"] {
        refused(
            &process("execCPUAffinity", &json!({ key: "1-0" })),
            &format!("/process/execCPUAffinity/{key}"),
        );
    }
}

#[test]
fn personalities() {
    for (domain, number) in [("LINUX", 0), ("LINUX32", 8)] {
        let config = accepted(&isolated("/linux/personality", json!({ "domain": domain, "flags": [] })));
        assert_eq!(config.personality, Some(number));
    }
    assert_eq!(accepted(&isolated("/linux/personality", Value::Null)).personality, None);
    for domain in ["", "linux", "SVR4"] {
        refused(&isolated("/linux/personality", json!({ "domain": domain })), "/linux/personality/domain");
    }
    let flags = json!({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]});
    unsupported(&isolated("/linux/personality", flags), "/linux/personality/flags");
}

fn memory(value: &Value) -> Vec<u8> {
    isolated("/linux/memoryPolicy", value.clone())
}

#[test]
fn memory_policies_of_every_mode() {
    let modes = [
        (json!({"mode": "MPOL_DEFAULT"}), 0),
        (json!({"mode": "MPOL_PREFERRED"}), 1),
        (json!({"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"]}), 1 | 1 << 14),
        (json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]}), 2 | 1 << 13),
        (json!({"mode": "MPOL_INTERLEAVE", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES"]}), 3 | 1 << 15),
        (json!({"mode": "MPOL_LOCAL"}), 4),
        (json!({"mode": "MPOL_PREFERRED_MANY", "nodes": "0,1"}), 5),
        (json!({"mode": "MPOL_WEIGHTED_INTERLEAVE", "nodes": "1500"}), 6),
    ];
    for (value, mode) in modes {
        assert_eq!(accepted(&memory(&value)).memory_policy.unwrap().mode, mode, "{value}");
    }
    let large = accepted(&memory(&json!({"mode": "MPOL_BIND", "nodes": "2000"}))).memory_policy.unwrap();
    assert_eq!(large.nodes.len(), 2000 / 64 + 1);
}

#[test]
fn memory_policies_that_linux_does_not_take() {
    let cases = [
        ("mode", json!({})),
        ("mode", json!({"mode": "BIND", "nodes": "0"})),
        ("nodes", json!({"mode": "MPOL_BIND"})),
        ("nodes", json!({"mode": "MPOL_LOCAL", "nodes": "0"})),
        ("nodes", json!({"mode": "MPOL_DEFAULT", "nodes": "0"})),
        ("nodes", json!({"mode": "MPOL_BIND", "nodes": "x"})),
        ("nodes", json!({"mode": "MPOL_BIND", "nodes": "32767"})),
        ("flags/0", json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["STATIC"]})),
        ("flags/0", json!({"mode": "MPOL_LOCAL", "flags": ["MPOL_F_STATIC_NODES"]})),
        ("flags/0", json!({"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_NUMA_BALANCING"]})),
        (
            "flags/1",
            json!({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"]}),
        ),
    ];
    for (key, value) in cases {
        refused(&memory(&value), &format!("/linux/memoryPolicy/{key}"));
    }
}

#[test]
fn time_offsets() {
    let value = json!({"monotonic": {"secs": -3}, "boottime": {"nanosecs": 999_999_999}});
    let offsets = accepted(&isolated("/linux/timeOffsets", value)).time_offsets;
    let found: Vec<_> = offsets.iter().map(|offset| (offset.clock, offset.secs, offset.nanosecs)).collect();
    assert_eq!(found, [("boottime", 0, 999_999_999), ("monotonic", -3, 0)]);
    let nanosecs = json!({"monotonic": {"nanosecs": 1_000_000_000}});
    refused(&isolated("/linux/timeOffsets", nanosecs), "/linux/timeOffsets/monotonic/nanosecs");
    refused(&isolated("/linux/timeOffsets", json!({"real/time": {}})), "/linux/timeOffsets/real~1time");
}

#[test]
fn time_offsets_need_a_time_namespace_of_the_containers_own() {
    let value = json!({"monotonic": {"secs": 1}});
    refused(&with("/linux/timeOffsets", value.clone()), "/linux/timeOffsets");
    let joined = json!({"namespaces": [{"type": "time", "path": "/proc/1/ns/time"}], "timeOffsets": value});
    refused(&with("/linux", joined), "/linux/timeOffsets");
    accepted(&with("/linux/timeOffsets", json!({})));
}

#[test]
fn a_user_name_is_for_other_platforms() {
    assert_eq!(process_of(&process("user", &json!({"username": "web", "uid": 5}))).uid, 5);
}
