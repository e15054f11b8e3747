//! What a seccomp profile does to the container's process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use integration::harness::*;
use integration::{differs_from, on_hosts};
use serde_json::{Value, json};

fn profile(config: &mut Config, default: &str, syscalls: Value) {
    config["linux"]["seccomp"] =
        json!({ "defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": syscalls });
}

fn rule(names: &[&str], action: &str) -> Value {
    json!({ "names": names, "action": action })
}

/// The errnos of calls under a profile that allows everything but `syscalls`.
fn attempt(operations: &[&str], syscalls: Value) -> Vec<i32> {
    Sandbox::new().attempt(operations, |config| profile(config, "SCMP_ACT_ALLOW", syscalls))
}

on_hosts! {
    fn a_denied_call_fails_with_eperm(host: Host) {
        let errnos = Sandbox::on(host).attempt(&["syscall", "getppid", "--", "syscall", "getpid"], |config| {
            profile(config, "SCMP_ACT_ALLOW", json!([rule(&["getppid"], "SCMP_ACT_ERRNO")]));
        });
        assert_eq!(errnos, [libc::EPERM, 0]);
    }
}

#[test]
fn the_filter_is_there_with_and_without_no_new_privileges() {
    for asked in [json!(true), json!(false), Value::Null] {
        let report = Sandbox::new().report(|config| {
            config["process"]["noNewPrivileges"] = asked.clone();
            profile(config, "SCMP_ACT_ALLOW", json!([rule(&["getpriority"], "SCMP_ACT_ERRNO")]));
        });
        assert_eq!(report["security"]["seccomp"], 2, "noNewPrivileges {asked}");
        assert_eq!(report["security"]["noNewPrivileges"], i32::from(asked == true));
    }
    assert_eq!(Sandbox::new().report(|_| {})["security"]["seccomp"], 0, "no profile, no filter");
}

#[test]
fn an_errno_can_be_chosen() {
    let mut chosen = rule(&["getppid"], "SCMP_ACT_ERRNO");
    chosen["errnoRet"] = json!(libc::ENOTNAM);
    assert_eq!(attempt(&["syscall", "getppid"], json!([chosen])), [libc::ENOTNAM]);
}

#[test]
fn rules_of_different_errnos_do_not_mix() {
    let mut first = rule(&["getppid"], "SCMP_ACT_ERRNO");
    first["errnoRet"] = json!(100);
    let mut second = rule(&["sync"], "SCMP_ACT_ERRNO");
    second["errnoRet"] = json!(101);
    assert_eq!(attempt(&["syscall", "getppid", "--", "syscall", "sync"], json!([first, second])), [100, 101]);
}

#[test]
fn a_condition_compares_an_argument() {
    let cases = [
        ("SCMP_CMP_EQ", json!({ "value": 1 }), [libc::EPERM, libc::EINVAL, libc::EINVAL]),
        ("SCMP_CMP_NE", json!({ "value": 1 }), [0, libc::EPERM, libc::EPERM]),
        ("SCMP_CMP_GT", json!({ "value": 8 }), [0, libc::EINVAL, libc::EPERM]),
        ("SCMP_CMP_GE", json!({ "value": 8 }), [0, libc::EPERM, libc::EPERM]),
        ("SCMP_CMP_LT", json!({ "value": 8 }), [libc::EPERM, libc::EINVAL, libc::EINVAL]),
        ("SCMP_CMP_LE", json!({ "value": 8 }), [libc::EPERM, libc::EPERM, libc::EINVAL]),
        ("SCMP_CMP_MASKED_EQ", json!({ "value": 8, "valueTwo": 8 }), [0, libc::EPERM, libc::EPERM]),
    ];
    for (operator, values, expected) in cases {
        let mut condition = values.clone();
        condition["index"] = json!(0);
        condition["op"] = json!(operator);
        let mut denied = rule(&["getpriority"], "SCMP_ACT_ERRNO");
        denied["args"] = json!([condition]);
        // getpriority(1, 0) succeeds, any other first argument above 2 is EINVAL to the kernel.
        let operations = [
            "syscall",
            "getpriority",
            "1",
            "0",
            "--",
            "syscall",
            "getpriority",
            "8",
            "--",
            "syscall",
            "getpriority",
            "9",
        ];
        assert_eq!(attempt(&operations, json!([denied])), expected, "{operator} {values}");
    }
}

#[test]
fn conditions_of_one_rule_must_all_hold() {
    let mut denied = rule(&["getpriority"], "SCMP_ACT_ERRNO");
    denied["args"] = json!([{ "index": 0, "op": "SCMP_CMP_EQ", "value": 1 }, { "index": 1, "op": "SCMP_CMP_EQ", "value": 0 }]);
    let operations = ["syscall", "getpriority", "1", "0", "--", "syscall", "getpriority", "0", "0"];
    assert_eq!(attempt(&operations, json!([denied])), [libc::EPERM, 0]);
}

#[test]
fn arguments_are_compared_in_all_their_64_bits() {
    let mut denied = rule(&["getppid"], "SCMP_ACT_ERRNO");
    denied["args"] = json!([{ "index": 0, "op": "SCMP_CMP_EQ", "value": 0x1_0000_0001_u64 }]);
    let operations = [
        "syscall",
        "getppid",
        "4294967297",
        "--",
        "syscall",
        "getppid",
        "1",
        "--",
        "syscall",
        "getppid",
        "4294967296",
    ];
    assert_eq!(attempt(&operations, json!([denied])), [libc::EPERM, 0, 0]);
}

#[test]
fn killing_actions_end_the_process_by_sigsys() {
    for action in ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"] {
        let sandbox = Sandbox::new();
        let output = sandbox.run_probe(&["try", "syscall", "getppid"], |config| {
            // The first process of a pid namespace ignores SIGSYS unless it is forced upon it.
            config.without_namespace("pid");
            profile(config, "SCMP_ACT_ALLOW", json!([rule(&["getppid"], action)]));
        });
        assert_eq!(output.code(), 128 + libc::SIGSYS, "{action}: {}", output.stderr());
        sandbox.assert_nothing_left();
    }
}

#[test]
fn logging_allows_the_call() {
    let errnos = attempt(&["syscall", "getppid"], json!([rule(&["getppid"], "SCMP_ACT_LOG")]));
    assert_eq!(errnos, [0]);
}

#[test]
fn unknown_names_are_skipped() {
    let errnos =
        attempt(&["syscall", "getppid"], json!([rule(&["call_of_tomorrow", "getppid"], "SCMP_ACT_ERRNO")]));
    assert_eq!(errnos, [libc::EPERM]);
}

/// What a static program needs from its start to its end, and the runtime before it executes the program.
const NEEDED: [&str; 62] = [
    "access",
    "arch_prctl",
    "brk",
    "capget",
    "capset",
    "chdir",
    "clock_gettime",
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "faccessat2",
    "fchdir",
    "fcntl",
    "fstat",
    "fstatfs",
    "futex",
    "getcwd",
    "getdents64",
    "getpid",
    "getrandom",
    "gettid",
    "ioctl",
    "lseek",
    "lstat",
    "madvise",
    "mmap",
    "mprotect",
    "munmap",
    "nanosleep",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "poll",
    "ppoll",
    "prctl",
    "pread64",
    "prlimit64",
    "read",
    "readlink",
    "readlinkat",
    "recvmsg",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sendmsg",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "statx",
    "write",
];

#[test]
fn a_list_of_allowed_calls_denies_the_others() {
    let errnos = Sandbox::new().attempt(&["syscall", "getppid", "--", "syscall", "getpid"], |config| {
        profile(config, "SCMP_ACT_ERRNO", json!([rule(&NEEDED, "SCMP_ACT_ALLOW")]));
        config["linux"]["seccomp"]["defaultErrnoRet"] = json!(77);
    });
    assert_eq!(errnos, [77, 0]);
}

#[test]
fn calls_newer_than_the_profile_do_not_exist() {
    let errnos = Sandbox::new().attempt(&["syscall", "unused", "--", "syscall", "getppid"], |config| {
        profile(config, "SCMP_ACT_ERRNO", json!([rule(&NEEDED, "SCMP_ACT_ALLOW")]));
    });
    assert_eq!(errnos, [libc::ENOSYS, libc::EPERM]);
}

#[test]
fn a_profile_without_getcwd_does_not_break_the_start() {
    differs_from!("runc", "it checks its folder after it has loaded the profile");
    for asked in [true, false] {
        let sandbox = Sandbox::new();
        sandbox
            .run_probe(&["exit", "5"], |config| {
                config["process"]["noNewPrivileges"] = json!(asked);
                profile(config, "SCMP_ACT_ALLOW", json!([rule(&["getcwd"], "SCMP_ACT_ERRNO")]));
            })
            .exits_with(5);
    }
}

#[test]
fn a_user_without_capabilities_gets_the_filter_too() {
    for asked in [true, false] {
        let errnos = Sandbox::new().attempt(&["syscall", "getpriority"], |config| {
            config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
            config["process"]["capabilities"] = json!({});
            config["process"]["noNewPrivileges"] = json!(asked);
            profile(config, "SCMP_ACT_ALLOW", json!([rule(&["getpriority"], "SCMP_ACT_ERRNO")]));
        });
        assert_eq!(errnos, [libc::EPERM], "noNewPrivileges {asked}");
    }
}

#[test]
fn wrong_profiles_are_errors_that_name_the_value() {
    let mut errno_without_action = rule(&["getppid"], "SCMP_ACT_ALLOW");
    errno_without_action["errnoRet"] = json!(1);
    let mut unknown_operator = rule(&["getppid"], "SCMP_ACT_ERRNO");
    unknown_operator["args"] = json!([{ "index": 0, "op": "SCMP_CMP_LIKE", "value": 1 }]);
    let mut far_index = rule(&["getppid"], "SCMP_ACT_ERRNO");
    far_index["args"] = json!([{ "index": 6, "op": "SCMP_CMP_EQ", "value": 1 }]);
    let cases = [
        (rule(&["getppid"], "SCMP_ACT_PRAY"), "/linux/seccomp/syscalls/0/action"),
        (unknown_operator, "/linux/seccomp/syscalls/0/args/0/op"),
        (far_index, "/linux/seccomp/syscalls/0/args/0/index"),
        (errno_without_action, "/linux/seccomp/syscalls/0/errnoRet"),
    ];
    for (wrong, pointer) in cases {
        let only_ours = pointer.ends_with("errnoRet");
        if only_ours && !runtime().is_ours() {
            continue; // The references ignore it.
        }
        let sandbox = Sandbox::new();
        sandbox.configure(|config| profile(config, "SCMP_ACT_ALLOW", json!([wrong])));
        let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
        assert!(error.contains(pointer) || !runtime().is_ours(), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn what_only_the_set_up_needs_may_be_denied() {
    differs_from!("runc", "it sets up the user after it has loaded the profile");
    let denied = [
        "accept4",
        "capset",
        "chdir",
        "close_range",
        "faccessat2",
        "fchdir",
        "fchown",
        "getcwd",
        "keyctl",
        "prctl",
        "setgroups",
        "setresgid",
        "setresuid",
        "setsid",
        "umask",
    ];
    for user in [0, 1000] {
        for asked in [true, false] {
            let sandbox = Sandbox::new();
            let configure = |config: &mut Config| {
                config.probe(&["exit", "5"]);
                config["process"]["noNewPrivileges"] = json!(asked);
                config["process"]["user"] = json!({ "uid": user, "gid": user, "additionalGids": [10] });
                profile(config, "SCMP_ACT_ALLOW", json!([rule(&denied, "SCMP_ACT_KILL_PROCESS")]));
            };
            drop(sandbox.configure(configure).run().exits_with(5));
            let container = sandbox.create();
            container.start();
            assert_eq!(container.wait(), 5);
            container.delete();
        }
    }
}

#[test]
fn a_profile_without_execve_is_refused_before_anything_is_done() {
    differs_from!("runc", "it finds out when it executes the program");
    for (action, words) in [("SCMP_ACT_ERRNO", "EPERM"), ("SCMP_ACT_KILL_PROCESS", "kills the process")] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| profile(config, "SCMP_ACT_ALLOW", json!([rule(&["execve"], action)])));
        let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
        let parts = ["/linux/seccomp: ", "executing the program", "execve", words, "allow execve"];
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert!(!sandbox.root().join(sandbox.id()).exists(), "the state folder was not made");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn capabilities_are_the_same_with_and_without_a_filter() {
    let sets = json!({ "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_SYS_CHROOT"], "effective": ["CAP_KILL"],
        "permitted": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"] });
    for user in [0, 1000] {
        for asked in [true, false] {
            let capabilities = |filtered: bool| {
                let report = Sandbox::new().report(|config| {
                    config["process"]["noNewPrivileges"] = json!(asked);
                    config["process"]["user"] = json!({ "uid": user, "gid": user });
                    config["process"]["capabilities"] = sets.clone();
                    if filtered {
                        profile(config, "SCMP_ACT_ALLOW", json!([rule(&["swapoff"], "SCMP_ACT_ERRNO")]));
                    }
                });
                report["security"]["capabilities"].clone()
            };
            let without = capabilities(false);
            assert!(without.is_object(), "{without}");
            assert_eq!(capabilities(true), without, "user {user}, noNewPrivileges {asked}");
        }
    }
}
