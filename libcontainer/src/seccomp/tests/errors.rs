use serde_json::json;

use super::*;
use crate::seccomp::SeccompReason;
use crate::{Error, ErrorKind};

fn rule(rule: Value) -> Value {
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG"}, rule]})
}

#[test]
fn wrong_values_are_named() {
    let read = json!(["read"]);
    let cases = [
        (rule(json!({"names": read, "action": "SCMP_ACT_KILL", "errnoRet": 1})), "/syscalls/1/errnoRet"),
        (rule(json!({"names": read, "action": "SCMP_ACT_ERRNO", "errnoRet": 4096})), "/syscalls/1/errnoRet"),
        (rule(json!({"names": read, "action": "SCMP_ACT_TRACE", "errnoRet": 65536})), "/syscalls/1/errnoRet"),
        (rule(json!({"names": [], "action": "SCMP_ACT_ERRNO"})), "/syscalls/1/names"),
        (rule(json!({"names": ["read", ""], "action": "SCMP_ACT_ERRNO"})), "/syscalls/1/names/1"),
        (
            rule(json!({"names": read, "action": "SCMP_ACT_ERRNO", "args": [
                {"index": 5, "value": 0, "op": "SCMP_CMP_EQ"}, {"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]})),
            "/syscalls/1/args/1/index",
        ),
        (json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1}), "/defaultErrnoRet"),
        (json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5000}), "/defaultErrnoRet"),
        (json!({"defaultAction": "SCMP_ACT_NOTIFY"}), "/defaultAction"),
        (rule(json!({"names": read, "action": "SCMP_ACT_NOTIFY"})), "/syscalls/1/action"),
        (json!({"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}), "/listenerMetadata"),
    ];
    for (json, pointer) in cases {
        let error = compile(&profile(json), X86_64).unwrap_err();
        assert_eq!(error.pointer, format!("/linux/seccomp{pointer}"), "{error}");
        let kind = ErrorKind::InvalidSpec { pointer: error.pointer.clone() };
        assert_eq!(*Error::from(error).kind(), kind);
    }
}

#[test]
fn what_cannot_be_done_yet_is_unsupported() {
    let error =
        compile(&profile(json!({"defaultAction": "SCMP_ACT_ALLOW"})), Arch::ScmpArchS390x).unwrap_err();
    assert_eq!(error.reason, SeccompReason::Machine(Arch::ScmpArchS390x));
}

#[test]
fn parts_without_effect_are_warned_of() {
    let filter = filter(json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
        "listenerPath": "/run/agent.sock",
        "syscalls": [
            {"names": ["read", "frobnicate"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["s390_sthyi", "timerfd", "frobnicate2"], "action": "SCMP_ACT_LOG"},
        ],
    }));
    assert_eq!(filter.flags, 1 << 1);
    let warnings: Vec<_> =
        filter.warnings.iter().map(|warning| (&*warning.pointer, &*warning.message)).collect();
    assert_eq!(
        warnings,
        [
            (
                "/linux/seccomp/listenerPath",
                "the listener is not called: no rule has the action SCMP_ACT_NOTIFY"
            ),
            (
                "/linux/seccomp/flags/2",
                "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV has no effect without SCMP_ACT_NOTIFY"
            ),
            ("/linux/seccomp/syscalls", "unknown system calls are left out: frobnicate, frobnicate2"),
        ]
    );
}

#[test]
fn no_list_of_flags_is_not_an_empty_one() {
    let flags = |json| filter(json).flags;
    assert_eq!(flags(json!({"defaultAction": "SCMP_ACT_ALLOW"})), 1 << 2);
    assert_eq!(flags(json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": []})), 0);
    let all = ["SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG"];
    assert_eq!(flags(json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": all})), 1 << 1 | 1 << 2);
}
