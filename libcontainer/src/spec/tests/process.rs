use serde_json::json;

use super::{accepted, isolated, refused, with};
use crate::spec::{Process, Rlimit, Warning};

#[track_caller]
fn process(pointer: &str, value: serde_json::Value) -> Process {
    accepted(&with(pointer, value)).process.unwrap()
}

#[test]
fn a_process_may_be_absent() {
    assert_eq!(accepted(&isolated("/process", json!(null))).process, None);
}

#[test]
fn absent_values_have_their_defaults() {
    let process = process("/process", json!({"args": ["sh"], "cwd": "/"}));
    let expected = Process { umask: 0o022, args: vec!["sh".into()], cwd: "/".into(), ..Process::default() };
    assert_eq!(process, expected);
}

#[test]
fn the_working_directory_is_absolute() {
    assert_eq!(process("/process/cwd", json!("/a/../b")).cwd, "/a/../b");
    for bad in ["", "a", "./a", "/a\u{0}"] {
        refused(&with("/process/cwd", json!(bad)), "/process/cwd");
    }
}

#[test]
fn a_program_is_needed() {
    assert_eq!(process("/process/args", json!(["a", ""])).args, ["a", ""]);
    // Clients want to hear that it is not found.
    assert_eq!(process("/process/args", json!([""])).args, [""]);
    refused(&with("/process/args", json!([])), "/process/args");
    refused(&with("/process/args", json!(null)), "/process/args");
    refused(&with("/process/args", json!(["a", "b\u{0}"])), "/process/args/1");
}

#[test]
fn the_last_of_equal_names_in_the_environment_wins() {
    let env = process("/process/env", json!(["A=1", "B=2", "A=3=4", "C=", "B=5"])).env;
    assert_eq!(env, ["A=3=4", "C=", "B=5"]);
    refused(&with("/process/env", json!(["A=1", "B"])), "/process/env/1");
    refused(&with("/process/env", json!(["=1"])), "/process/env/0");
    let text = refused(&with("/process/env", json!(["A=secret\u{0}"])), "/process/env/0");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn ids_are_ids() {
    let user = process("/process/user", json!({"uid": 1, "gid": 4294967294_u32, "additionalGids": [2, 2]}));
    assert_eq!((user.uid, user.gid, user.additional_gids), (1, 4_294_967_294, vec![2, 2]));
    for key in ["uid", "gid"] {
        let pointer = format!("/process/user/{key}");
        for bad in [json!(-1), json!(4294967295_u32), json!(4294967296_u64)] {
            refused(&with(&pointer, bad), &pointer);
        }
    }
    refused(&with("/process/user/additionalGids", json!([1, -1])), "/process/user/additionalGids/1");
    refused(&with("/process/user/additionalGids", json!(vec![1; 65_537])), "/process/user/additionalGids");
}

#[test]
fn a_umask_has_nine_bits() {
    assert_eq!(process("/process/user/umask", json!(0)).umask, 0);
    assert_eq!(process("/process/user/umask", json!(0o777)).umask, 0o777);
    for bad in [-1, 0o1000] {
        refused(&with("/process/user/umask", json!(bad)), "/process/user/umask");
    }
}

#[test]
fn a_console_has_rows_and_columns() {
    let console = process("/process/consoleSize", json!({"height": 25, "width": 80}));
    assert_eq!(console.console_size, Some((25, 80)));
    assert!(process("/process/terminal", json!(true)).terminal);
    refused(&with("/process/consoleSize", json!({"height": 65_536})), "/process/consoleSize/height");
    refused(&with("/process/consoleSize", json!({"width": 65_536})), "/process/consoleSize/width");
}

#[test]
fn the_oom_score_has_a_range() {
    for good in [-1000, 0, 1000] {
        assert_eq!(process("/process/oomScoreAdj", json!(good)).oom_score_adj, Some(good));
    }
    for bad in [-1001, 1001] {
        refused(&with("/process/oomScoreAdj", json!(bad)), "/process/oomScoreAdj");
    }
}

#[test]
fn limits_are_known_ordered_and_given_once() {
    let limit = |name: &str, soft: u64, hard: u64| json!({"type": name, "soft": soft, "hard": hard});
    let rlimits = process("/process/rlimits", json!([limit("RLIMIT_NOFILE", 5, u64::MAX)])).rlimits;
    let expected = Rlimit {
        resource: rustix::process::Resource::Nofile as u32,
        name: "RLIMIT_NOFILE",
        soft: 5,
        hard: u64::MAX,
    };
    assert_eq!(rlimits, [expected]);
    let pair = json!([limit("RLIMIT_CPU", 1, 1), limit("RLIMIT_CPU", 1, 1)]);
    refused(&with("/process/rlimits", pair), "/process/rlimits/1/type");
    refused(&with("/process/rlimits", json!([limit("RLIMIT_FOO", 1, 1)])), "/process/rlimits/0/type");
    refused(&with("/process/rlimits", json!([{"soft": 1}])), "/process/rlimits/0/type");
    refused(&with("/process/rlimits", json!([limit("RLIMIT_CPU", 2, 1)])), "/process/rlimits/0/soft");
}

#[test]
fn every_limit_has_its_number() {
    let numbers = [
        ("RLIMIT_CPU", libc::RLIMIT_CPU),
        ("RLIMIT_FSIZE", libc::RLIMIT_FSIZE),
        ("RLIMIT_DATA", libc::RLIMIT_DATA),
        ("RLIMIT_STACK", libc::RLIMIT_STACK),
        ("RLIMIT_CORE", libc::RLIMIT_CORE),
        ("RLIMIT_RSS", libc::RLIMIT_RSS),
        ("RLIMIT_NPROC", libc::RLIMIT_NPROC),
        ("RLIMIT_NOFILE", libc::RLIMIT_NOFILE),
        ("RLIMIT_MEMLOCK", libc::RLIMIT_MEMLOCK),
        ("RLIMIT_AS", libc::RLIMIT_AS),
        ("RLIMIT_LOCKS", libc::RLIMIT_LOCKS),
        ("RLIMIT_SIGPENDING", libc::RLIMIT_SIGPENDING),
        ("RLIMIT_MSGQUEUE", libc::RLIMIT_MSGQUEUE),
        ("RLIMIT_NICE", libc::RLIMIT_NICE),
        ("RLIMIT_RTPRIO", libc::RLIMIT_RTPRIO),
        ("RLIMIT_RTTIME", libc::RLIMIT_RTTIME),
    ];
    for (name, number) in numbers {
        let rlimits = process("/process/rlimits", json!([{"type": name}])).rlimits;
        assert_eq!(i64::from(rlimits[0].resource), i64::from(number), "{name}");
    }
}

#[test]
fn capabilities_are_bits_by_number() {
    let sets = json!({
        "bounding": ["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"], "effective": ["CAP_KILL"],
        "inheritable": ["CAP_SYS_ADMIN"], "permitted": ["CAP_KILL", "CAP_KILL"], "ambient": ["CAP_AUDIT_READ"],
    });
    let config = accepted(&with("/process/capabilities", sets));
    let capabilities = config.process.unwrap().capabilities;
    assert_eq!(capabilities.bounding, 1 | 1 << 40);
    assert_eq!((capabilities.effective, capabilities.permitted), (1 << 5, 1 << 5));
    assert_eq!((capabilities.inheritable, capabilities.ambient), (1 << 21, 1 << 37));
    assert!(config.warnings.is_empty());
}

#[test]
fn every_capability_has_its_number() {
    for capability in caps::all() {
        let list = json!({"bounding": [capability.to_string()]});
        let config = accepted(&with("/process/capabilities", list));
        assert_eq!(config.process.unwrap().capabilities.bounding, capability.bitmask(), "{capability}");
    }
}

#[test]
fn unknown_capabilities_are_left_out_with_one_warning() {
    let sets = json!({"bounding": ["CAP_NEW", "CAP_KILL", "KILL"], "ambient": ["CAP_NEW", "CAP_NEWER"]});
    let config = accepted(&with("/process/capabilities", sets));
    assert_eq!(config.process.unwrap().capabilities.bounding, 1 << 5);
    let expected = Warning {
        pointer: "/process/capabilities".into(),
        message: "unknown capabilities are left out: CAP_NEW, KILL, CAP_NEWER".into(),
    };
    assert_eq!(config.warnings, [expected]);
}

#[test]
fn an_empty_label_is_absent() {
    let labelled = process("/process/apparmorProfile", json!("docker-default"));
    assert_eq!(labelled.apparmor_profile.as_deref(), Some("docker-default"));
    assert_eq!(process("/process/apparmorProfile", json!("")).apparmor_profile, None);
    assert_eq!(process("/process/selinuxLabel", json!("a:b:c")).selinux_label.as_deref(), Some("a:b:c"));
    assert_eq!(process("/process/selinuxLabel", json!("")).selinux_label, None);
    for key in ["/process/apparmorProfile", "/process/selinuxLabel"] {
        refused(&with(key, json!("a\u{0}")), key);
    }
}
