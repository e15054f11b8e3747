//! One test for each sentence about the meaning of profiles.

use serde_json::json;

use super::*;
use crate::seccomp::{Blocked, Call, blocked, syscall_number};

const EPERM: u32 = errno(libc::EPERM);
const ENOSYS: u32 = errno(libc::ENOSYS);

#[test]
fn every_action_returns_its_value() {
    for (action, value) in [
        ("SCMP_ACT_KILL", 0),
        ("SCMP_ACT_KILL_THREAD", 0),
        ("SCMP_ACT_KILL_PROCESS", 0x8000_0000),
        ("SCMP_ACT_TRAP", 0x0003_0000),
        ("SCMP_ACT_ERRNO", 0x0005_0001),
        ("SCMP_ACT_TRACE", 0x7ff0_0001),
        ("SCMP_ACT_LOG", 0x7ffc_0000),
        ("SCMP_ACT_ALLOW", 0x7fff_0000),
    ] {
        let default = filter(json!({"defaultAction": action}));
        assert_eq!(verdict(&default, X86_64, "read", &[]), value, "{action}");
        let other = if action == "SCMP_ACT_ALLOW" { "SCMP_ACT_TRAP" } else { "SCMP_ACT_ALLOW" };
        let rule =
            filter(json!({"defaultAction": other, "syscalls": [{"names": ["read"], "action": action}]}));
        assert_eq!(verdict(&rule, X86_64, "read", &[]), value, "{action}");
    }
}

#[test]
fn errno_values_reach_the_kernel() {
    let filter = filter(json!({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 0,
        "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4095},
            {"names": ["write"], "action": "SCMP_ACT_TRACE", "errnoRet": 65535},
            {"names": ["close"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["rseq_slice_yield"], "action": "SCMP_ACT_ALLOW"},
        ],
    }));
    assert_eq!(verdict(&filter, X86_64, "read", &[]), errno(4095));
    assert_eq!(verdict(&filter, X86_64, "write", &[]), 0x7ff0_ffff);
    assert_eq!(verdict(&filter, X86_64, "close", &[]), EPERM);
    assert_eq!(verdict(&filter, X86_64, "open", &[]), errno(0));
}

#[test]
fn operators_compare_all_64_bits_unsigned() {
    let value = 0x0000_0005_8000_0000u64;
    let around =
        [0, 5, 0x8000_0000, value - 1, value, value + 1, 0x6_0000_0000, 0x4_ffff_ffff, 5 << 32, u64::MAX];
    type Holds = fn(u64, u64) -> bool;
    let operators: [(&str, Holds); 6] = [
        ("SCMP_CMP_EQ", |arg, value| arg == value),
        ("SCMP_CMP_NE", |arg, value| arg != value),
        ("SCMP_CMP_LT", |arg, value| arg < value),
        ("SCMP_CMP_LE", |arg, value| arg <= value),
        ("SCMP_CMP_GT", |arg, value| arg > value),
        ("SCMP_CMP_GE", |arg, value| arg >= value),
    ];
    for (operator, holds) in operators {
        for index in 0..6 {
            let filter = filter(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["mmap"], "action": "SCMP_ACT_ERRNO",
                 "args": [{"index": index, "value": value, "op": operator}]}]}));
            for arg in around {
                let mut args = [0; 6];
                args[index] = arg;
                let expected = if holds(arg, value) { EPERM } else { ALLOW };
                assert_eq!(verdict(&filter, X86_64, "mmap", &args), expected, "{operator} {arg:#x}");
            }
        }
    }
}

#[test]
fn masked_equality_takes_value_as_the_mask() {
    for (mask, expected, arg, matches) in [
        (0x7e02_0000u64, 0u64, 0x11u64, true),
        (0x7e02_0000, 0, 0x1000_0000, false),
        (0xff, 0x12, 0xabcd_ef12, true),
        (0xff, 0x12, 0xabcd_ef13, false),
        (0xff, 0xf12, 0x12, true), // bits outside the mask are ignored
        (0xf_0000_0000, 0x3_0000_0000, 0xa3_1234_5678, true),
        (0xf_0000_0000, 0x3_0000_0000, 0xa4_1234_5678, false),
        (0, 0, 77, true),
        (u64::MAX, u64::MAX, u64::MAX, true),
        (u64::MAX, u64::MAX, u64::MAX >> 1, false),
    ] {
        let filter = filter(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": mask, "valueTwo": expected, "op": "SCMP_CMP_MASKED_EQ"}]}]}));
        let value = if matches { ALLOW } else { EPERM };
        assert_eq!(verdict(&filter, X86_64, "clone", &[arg]), value, "{mask:#x} {expected:#x} {arg:#x}");
    }
}

#[test]
fn conditions_must_all_hold_unless_they_share_an_argument() {
    let rule = |first: u32, second: u32| {
        filter(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [
            {"index": first, "value": 2, "op": "SCMP_CMP_EQ"},
            {"index": second, "value": 3, "op": "SCMP_CMP_EQ"},
            {"index": 2, "value": 0, "op": "SCMP_CMP_EQ"},
        ]}]}))
    };
    let all = rule(0, 1);
    assert_eq!(verdict(&all, X86_64, "socket", &[2, 3, 0]), EPERM);
    for args in [[2, 4, 0], [1, 3, 0], [2, 3, 1]] {
        assert_eq!(verdict(&all, X86_64, "socket", &args), ALLOW);
    }
    let any = rule(0, 0);
    for args in [[2, 9, 9], [3, 9, 9], [9, 9, 0]] {
        assert_eq!(verdict(&any, X86_64, "socket", &args), EPERM);
    }
    assert_eq!(verdict(&any, X86_64, "socket", &[4, 9, 9]), ALLOW);
}

#[test]
fn a_rule_without_conditions_wins_and_then_the_first_one() {
    let conditional = json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 2,
        "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_GE"}]});
    let later = json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 3,
        "args": [{"index": 0, "value": 5, "op": "SCMP_CMP_EQ"}]});
    let certain = json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4});
    let certain_too = json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5});
    let like_default = json!({"names": ["read"], "action": "SCMP_ACT_ALLOW"});
    let read = |rules: Value| {
        let filter = filter(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}));
        verdict(&filter, X86_64, "read", &[5])
    };
    assert_eq!(read(json!([conditional, later])), errno(2));
    assert_eq!(read(json!([later, conditional])), errno(3));
    assert_eq!(read(json!([conditional, certain, certain_too])), errno(4));
    assert_eq!(read(json!([certain_too, certain, conditional])), errno(5));
    assert_eq!(read(json!([like_default, conditional])), errno(2));
}

#[test]
fn calls_of_an_architecture_that_is_not_listed_kill() {
    let native = filter(json!({"defaultAction": "SCMP_ACT_ALLOW"}));
    assert_eq!(verdict(&native, X86_64, "read", &[]), ALLOW);
    for arch in [X86, X32, Arch::ScmpArchAarch64] {
        assert_eq!(verdict(&native, arch, "read", &[]), KILL_PROCESS, "{arch}");
    }
    // The native one counts as listed, and one that cannot run here is no error.
    let both = filter(json!({"defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_S390X", "SCMP_ARCH_ARM"]}));
    for arch in [X86_64, X86] {
        assert_eq!(verdict(&both, arch, "read", &[]), ALLOW, "{arch}");
    }
    assert_eq!(verdict(&both, X32, "read", &[]), KILL_PROCESS);
}

#[test]
fn a_call_that_a_tracer_skips_does_not_kill() {
    assert_eq!(verdict_of_number(&filter(json!({"defaultAction": "SCMP_ACT_LOG"})), u32::MAX), LOG);
    let deny = json!({"defaultAction": "SCMP_ACT_KILL_PROCESS",
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]});
    assert_eq!(verdict_of_number(&filter(deny), u32::MAX), ENOSYS);
}

#[test]
fn calls_newer_than_the_profile_do_not_exist_if_the_default_denies() {
    let profile = |default: &str| {
        let other = if default == "SCMP_ACT_ALLOW" { "SCMP_ACT_TRAP" } else { "SCMP_ACT_ALLOW" };
        filter(json!({"defaultAction": default, "syscalls": [
            {"names": ["read"], "action": other}, {"names": ["statx"], "action": default}]}))
    };
    let statx = syscall_number(X86_64, "statx").unwrap() as u32;
    for default in ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"] {
        let filter = profile(default);
        // A name counts as known even if its rule says what the default says.
        assert_ne!(verdict_of_number(&filter, statx), ENOSYS, "{default}");
        assert_eq!(verdict_of_number(&filter, statx + 1), ENOSYS, "{default}");
    }
    for default in ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"] {
        let filter = profile(default);
        assert_eq!(verdict_of_number(&filter, 9999), verdict_of_number(&filter, statx), "{default}");
    }
    let no_names = filter(json!({"defaultAction": "SCMP_ACT_ERRNO"}));
    assert_eq!(verdict_of_number(&no_names, 9999), EPERM);
}

#[test]
fn arm_has_calls_apart_from_the_newest() {
    let json = json!({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_ARM"],
        "syscalls": [{"names": ["statx", "set_tls"], "action": "SCMP_ACT_ALLOW"}]});
    let filter = compile(&profile(json), Arch::ScmpArchAarch64).unwrap();
    program::check(&filter.instructions);
    let arm = Arch::ScmpArchArm;
    assert_eq!(verdict(&filter, arm, "set_tls", &[]), ALLOW);
    assert_eq!(verdict(&filter, arm, "statx", &[]), ALLOW);
    assert_eq!(verdict(&filter, arm, "read", &[]), EPERM);
    for newer in ["openat2", "cacheflush"] {
        assert_eq!(verdict(&filter, arm, newer, &[]), ENOSYS, "{newer}");
    }
    assert_eq!(verdict(&filter, Arch::ScmpArchAarch64, "read", &[]), EPERM);
}

#[test]
fn only_the_low_half_of_a_32_bit_argument_counts() {
    let filter = filter(json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"],
        "syscalls": [{"names": ["setuid"], "action": "SCMP_ACT_ERRNO",
            "args": [{"index": 0, "value": u64::MAX, "op": "SCMP_CMP_EQ"}]}]}));
    assert_eq!(verdict(&filter, X86, "setuid", &[0xffff_ffff]), EPERM);
    assert_eq!(verdict(&filter, X86_64, "setuid", &[0xffff_ffff]), ALLOW);
    assert_eq!(verdict(&filter, X86_64, "setuid", &[u64::MAX]), EPERM);
}

#[test]
fn both_ways_to_an_x86_socket_have_the_same_rule() {
    let on_x86 = |default: &str, rule: Value| {
        filter(json!({"defaultAction": default, "architectures": ["SCMP_ARCH_X86"], "syscalls": [rule]}))
    };
    let family = json!([{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}]);

    let deny = on_x86("SCMP_ACT_ALLOW", json!({"names": ["socket", "semget"], "action": "SCMP_ACT_ERRNO"}));
    assert_eq!(verdict(&deny, X86, "socket", &[]), EPERM);
    assert_eq!(verdict(&deny, X86, "socketcall", &[1]), EPERM);
    assert_eq!(verdict(&deny, X86, "socketcall", &[2]), ALLOW);
    assert_eq!(verdict(&deny, X86, "ipc", &[0x1_0002]), EPERM);

    let allow = on_x86("SCMP_ACT_ERRNO", json!({"names": ["accept"], "action": "SCMP_ACT_ALLOW"}));
    assert_eq!(verdict(&allow, X86, "socketcall", &[5]), ALLOW);
    assert_eq!(verdict(&allow, X86, "socketcall", &[1]), EPERM);

    // The family cannot be seen through socketcall.
    let rule = json!({"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": family});
    assert_eq!(verdict(&on_x86("SCMP_ACT_ALLOW", rule), X86, "socketcall", &[1]), EPERM);
    let rule = json!({"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": family});
    assert_eq!(verdict(&on_x86("SCMP_ACT_ERRNO", rule), X86, "socketcall", &[1]), EPERM);
}

#[test]
fn the_runtimes_own_calls_are_checked_beforehand() {
    let filter = filter(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["execve"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
        {"names": ["exit_group"], "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["write"], "action": "SCMP_ACT_LOG"},
        {"names": ["prctl"], "action": "SCMP_ACT_TRAP",
         "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}]},
    ]}));
    let call = |name, first| Call { name, args: [first, 0, 0, 0, 0, 0] };
    let calls = [
        call("execve", 0),
        call("exit_group", 0),
        call("write", 0),
        call("prctl", 38),
        call("prctl", 1),
        call("recv", 0),
    ];
    let found = blocked(&filter.instructions, X86_64, &calls);
    assert_eq!(found.iter().map(|call| call.name).collect::<Vec<_>>(), ["execve", "exit_group", "prctl"]);
    assert_eq!(
        found.iter().map(Blocked::to_string).collect::<Vec<_>>(),
        [
            "execve fails with EACCES: permission denied",
            "exit_group kills the process",
            "prctl raises SIGSYS"
        ]
    );
}
