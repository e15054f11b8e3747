//! The `process` object: identity, privileges, limits, environment, working directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::os::unix::fs::PermissionsExt;

use integration::harness::*;
use integration::{differs_from, skip};
use serde_json::{Value, json};

fn ids(value: u32) -> Value {
    json!({ "real": value, "effective": value, "saved": value, "filesystem": value })
}

#[test]
fn user_and_group_are_set_in_all_four_kinds() {
    let report =
        Sandbox::new().report(|config| config["process"]["user"] = json!({ "uid": 1000, "gid": 1001 }));
    assert_eq!(report["process"]["uid"], ids(1000));
    assert_eq!(report["process"]["gid"], ids(1001));
}

#[test]
fn additional_groups_are_set() {
    let report = Sandbox::new().report(|config| {
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "additionalGids": [5, 29, 70000] });
    });
    assert_eq!(report["process"]["groups"], json!([5, 29, 70000]));
}

#[test]
fn the_callers_groups_do_not_leak() {
    let with_groups = ["setpriv", "--groups", "4,24,1234"];
    let absent = Sandbox::new().wrapped(&with_groups).report(|_| {});
    assert_eq!(absent["process"]["groups"], json!([]));
    let empty = Sandbox::new().wrapped(&with_groups).report(|config| {
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "additionalGids": [] });
    });
    assert_eq!(empty["process"]["groups"], json!([]));
}

#[test]
fn umask_is_0022_whatever_the_callers_unless_asked_for() {
    let default = Sandbox::new().after_shell("umask 077").report(|_| {});
    assert_eq!(default["process"]["umask"], "0022");
    let asked = Sandbox::new().report(|config| config["process"]["user"]["umask"] = json!(0o027));
    assert_eq!(asked["process"]["umask"], "0027");
}

#[test]
fn the_callers_signal_dispositions_do_not_leak() {
    let report = Sandbox::new().after_shell("trap '' HUP USR1 TERM").report(|_| {});
    // Go programs cannot see which signals were ignored before them, so references are not asked.
    if runtime().is_ours() {
        // The probe's own Rust runtime ignores SIGPIPE after it has started.
        assert_eq!(report["process"]["ignored"], json!([libc::SIGPIPE]));
    }
    assert_eq!(report["process"]["blocked"], json!([]));
}

#[test]
fn the_process_leads_a_session() {
    let report = Sandbox::new().report(|_| {});
    assert_eq!((&report["process"]["sid"], &report["process"]["pgid"]), (&json!(1), &json!(1)));
}

#[test]
fn cwd_is_entered_and_made_if_missing() {
    let existing = Sandbox::new().report(|config| config["process"]["cwd"] = json!("/home/app"));
    assert_eq!(existing["cwd"], "/home/app");
    let sandbox = Sandbox::new();
    let made = sandbox.report(|config| {
        config["root"]["readonly"] = json!(false);
        config["process"]["cwd"] = json!("/made/by/the/runtime");
    });
    assert_eq!(made["cwd"], "/made/by/the/runtime");
    let mode = fs::metadata(sandbox.rootfs().join("made/by/the")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o755);
}

#[test]
fn cwd_that_only_the_user_may_enter_is_entered_as_the_user() {
    let sandbox = Sandbox::new();
    let home = sandbox.rootfs().join("home/app");
    std::os::unix::fs::chown(&home, Some(1000), Some(1000)).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let report = sandbox.report(|config| {
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        config["process"]["cwd"] = json!("/home/app");
    });
    assert_eq!(report["cwd"], "/home/app");
}

#[test]
fn cwd_that_the_user_may_not_enter_is_an_error() {
    differs_from!("runc", "it enters the folder before it gives up its privileges");
    differs_from!("crun", "it enters the folder before it gives up its privileges");
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.rootfs().join("root"), fs::Permissions::from_mode(0o700)).unwrap();
    sandbox.configure(|config| {
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        config["process"]["cwd"] = json!("/root");
    });
    // Entering as root is allowed to work; what may not happen is a broken start.
    let output = sandbox.run();
    if output.code() == 0 {
        assert_eq!(Report::parse(&output.stdout())["cwd"], "/root");
    } else {
        output.fails_saying("chdir to cwd (\"/root\") set in config.json failed");
    }
    sandbox.assert_nothing_left();
}

#[test]
fn cwd_that_is_a_file_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| config["process"]["cwd"] = json!("/etc/passwd"));
    let error = sandbox.run().exits_with(1).stderr();
    assert!(error.contains("/etc/passwd") && error.contains("not a directory"), "{error}");
    sandbox.assert_nothing_left();
}

#[test]
fn home_comes_from_the_containers_passwd_file() {
    let root = Sandbox::new().report(|_| {});
    assert_eq!(root.env("HOME"), ["/root"]);
    let user =
        Sandbox::new().report(|config| config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 }));
    assert_eq!(user.env("HOME"), ["/home/app"]);
    let unknown =
        Sandbox::new().report(|config| config["process"]["user"] = json!({ "uid": 4321, "gid": 1 }));
    assert_eq!(unknown.env("HOME"), ["/"]);
}

#[test]
fn home_that_is_given_is_kept_and_an_empty_one_is_filled() {
    let given = Sandbox::new().report(|config| config["process"]["env"] = json!(["HOME=/tmp"]));
    assert_eq!(given.env("HOME"), ["/tmp"]);
    let empty = Sandbox::new().report(|config| config["process"]["env"] = json!(["HOME=", "A=1"]));
    assert_eq!(empty.env("HOME"), ["/root"]);
}

#[test]
fn home_is_read_after_the_mounts() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("passwd"), "root:x:0:0::/mounted/home:/bin/sh\n").unwrap();
    let report = sandbox.report(|config| {
        config.bind(sandbox.file("passwd"), "/etc/passwd", &["bind", "ro"]);
    });
    assert_eq!(report.env("HOME"), ["/mounted/home"]);
}

#[test]
fn a_passwd_file_that_is_missing_or_garbage_gives_the_root_folder() {
    differs_from!("runc", "it takes the missing field of a truncated row for an empty HOME");
    for content in [None, Some(vec![0xff; 5000]), Some(b"root:x:0:0".to_vec()), Some(vec![b':'; 100_000])] {
        let sandbox = Sandbox::new();
        let path = sandbox.rootfs().join("etc/passwd");
        match &content {
            None => fs::remove_file(path).unwrap(),
            Some(bytes) => fs::write(path, bytes).unwrap(),
        }
        assert_eq!(sandbox.report(|_| {}).env("HOME"), ["/"]);
    }
}

#[test]
fn the_environment_is_that_of_the_configuration_and_the_last_value_wins() {
    let sandbox = Sandbox::new();
    let report = sandbox.report(|config| {
        config["process"]["env"] = json!(["A=1", "B=2", "A=3", "EMPTY=", "EQUALS=a=b", "HOME=/"]);
    });
    assert_eq!(report.env("A"), ["3"]);
    assert_eq!(report.env("B"), ["2"]);
    assert_eq!(report.env("EMPTY"), [""]);
    assert_eq!(report.env("EQUALS"), ["a=b"]);
    assert!(report.env("TEST_SANDBOX").is_empty(), "the runtime's own environment does not leak");
    assert_eq!(report["env"].as_array().unwrap().len(), 5);
}

#[test]
fn a_program_name_is_looked_up_in_the_path_of_the_container() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.rootfs().join("programs")).unwrap();
    fs::rename(sandbox.rootfs().join("probe"), sandbox.rootfs().join("programs/tool")).unwrap();
    let report = sandbox.report(|config| {
        config["process"]["env"] = json!(["PATH=/nowhere:/programs"]);
        config["process"]["args"] = json!(["tool", "report"]);
    });
    assert_eq!(report["argv"], json!(["tool", "report"]));
}

#[test]
fn programs_that_cannot_be_run_are_found_by_create() {
    let cases: [(&str, &str, &str); 6] = [
        ("", "exec: \"\": executable file not found in $PATH", ""),
        ("tool", "exec: \"tool\": executable file not found in $PATH", ""),
        ("/no/tool", "exec: \"/no/tool\": stat /no/tool: no such file or directory", ""),
        ("/etc/passwd", "permission denied", "/etc/passwd"),
        ("/etc", "is a directory", "/etc"),
        ("/etc/passwd/tool", "not a directory", "/etc/passwd/tool"),
    ];
    for (program, text, name) in cases {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| config["process"]["args"] = json!([program]));
        let error = sandbox.with_bundle("create", &[]).output().fails_saying(text);
        assert!(error.contains(name), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn all_sixteen_limits_are_set() {
    // Hard limits are only lowered: the caller may lack CAP_SYS_RESOURCE.
    let limits = [
        ("RLIMIT_AS", 1 << 30, 1 << 31),
        ("RLIMIT_CORE", 0, 0),
        ("RLIMIT_CPU", 60, 120),
        ("RLIMIT_DATA", 1 << 29, 1 << 30),
        ("RLIMIT_FSIZE", 1 << 20, 1 << 21),
        ("RLIMIT_LOCKS", 100, 200),
        ("RLIMIT_MEMLOCK", 4096, 8192),
        ("RLIMIT_MSGQUEUE", 1000, 2000),
        ("RLIMIT_NICE", 0, 0),
        ("RLIMIT_NOFILE", 64, 128),
        ("RLIMIT_NPROC", 300, 400),
        ("RLIMIT_RSS", 1 << 30, 1 << 31),
        ("RLIMIT_RTPRIO", 0, 0),
        ("RLIMIT_RTTIME", 100_000, 200_000),
        ("RLIMIT_SIGPENDING", 100, 200),
        ("RLIMIT_STACK", 1 << 20, 1 << 21),
    ];
    let report = Sandbox::new().report(|config| {
        let limit =
            |(name, soft, hard): &(&str, u64, u64)| json!({ "type": name, "soft": soft, "hard": hard });
        config["process"]["rlimits"] = limits.iter().map(limit).collect();
    });
    for (name, soft, hard) in limits {
        assert_eq!(report["rlimits"][name], json!({ "soft": soft, "hard": hard }), "{name}");
    }
}

#[test]
fn limits_do_not_hinder_the_set_up() {
    differs_from!("runc", "it sets them before the set-up, which then lacks file descriptors");
    let report = Sandbox::new().report(|config| {
        config["process"]["rlimits"] = json!([{ "type": "RLIMIT_AS", "soft": 1 << 30, "hard": 1 << 30 },
            { "type": "RLIMIT_NOFILE", "soft": 16, "hard": 16 }]);
    });
    assert_eq!(report["rlimits"]["RLIMIT_AS"]["hard"], 1 << 30);
    assert_eq!(report["rlimits"]["RLIMIT_NOFILE"]["soft"], 16);
}

#[test]
fn limits_that_are_not_named_are_the_callers() {
    let sandbox = Sandbox::new().wrapped(&["prlimit", "--core=4096:8192", "--sigpending=77:88"]);
    let report = sandbox.report(|config| config["process"]["rlimits"] = json!([]));
    assert_eq!(report["rlimits"]["RLIMIT_CORE"], json!({ "soft": 4096, "hard": 8192 }));
    assert_eq!(report["rlimits"]["RLIMIT_SIGPENDING"], json!({ "soft": 77, "hard": 88 }));
}

/// Whether this process may raise hard limits and lower OOM scores: CAP_SYS_RESOURCE.
fn may_raise_limits() -> bool {
    const SYS_RESOURCE: u32 = 24;
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(set.trim(), 16).unwrap() & 1 << SYS_RESOURCE != 0
}

#[test]
fn hard_limits_above_the_callers_are_set_with_the_privilege() {
    if !may_raise_limits() {
        skip!("this user lacks CAP_SYS_RESOURCE");
    }
    let report = Sandbox::new().wrapped(&["prlimit", "--core=0:0", "--nofile=512:512"]).report(|config| {
        config["process"]["rlimits"] = json!([{ "type": "RLIMIT_CORE", "soft": 4096, "hard": 8192 },
            { "type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096 }]);
    });
    assert_eq!(report["rlimits"]["RLIMIT_CORE"], json!({ "soft": 4096, "hard": 8192 }));
    assert_eq!(report["rlimits"]["RLIMIT_NOFILE"], json!({ "soft": 1024, "hard": 4096 }));
}

#[test]
fn an_oom_score_below_the_callers_is_set_with_the_privilege() {
    if !may_raise_limits() {
        skip!("this user lacks CAP_SYS_RESOURCE");
    }
    let report = Sandbox::new().report(|config| config["process"]["oomScoreAdj"] = json!(-750));
    assert_eq!(report["oomScoreAdj"], "-750");
}

const SETS: [&str; 5] = ["bounding", "effective", "permitted", "inheritable", "ambient"];

#[test]
fn each_capability_set_is_as_asked_for() {
    let report = Sandbox::new().report(|config| {
        config["process"]["capabilities"] = json!({
            "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SYS_CHROOT"],
            "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
            "inheritable": ["CAP_KILL", "CAP_NET_RAW"],
            "effective": ["CAP_CHOWN", "CAP_KILL"],
            "ambient": ["CAP_KILL"],
        });
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
    assert_eq!(sorted(&report, "bounding"), ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SYS_CHROOT"]);
    // execve recomputes the sets of a process that is not root: what is ambient remains.
    assert_eq!(sorted(&report, "permitted"), ["CAP_KILL"]);
    assert_eq!(sorted(&report, "effective"), ["CAP_KILL"]);
    assert_eq!(sorted(&report, "ambient"), ["CAP_KILL"]);
    assert_eq!(sorted(&report, "inheritable"), ["CAP_KILL", "CAP_NET_RAW"]);
}

fn sorted<'a>(report: &'a Report, set: &str) -> Vec<&'a str> {
    report.capabilities(set).into_iter().collect()
}

#[test]
fn the_default_capabilities_of_root_are_not_inheritable() {
    let report = Sandbox::new().report(|_| {});
    let expected = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    for set in ["bounding", "effective", "permitted"] {
        assert_eq!(sorted(&report, set), expected, "{set}");
    }
    assert!(report.capabilities("inheritable").is_empty());
    assert!(report.capabilities("ambient").is_empty());
}

#[test]
fn no_capabilities_block_means_no_capabilities() {
    differs_from!("runc", "it keeps all that the caller has");
    let report = Sandbox::new().report(|config| {
        config["process"].as_object_mut().unwrap().remove("capabilities");
    });
    for set in SETS {
        assert!(report.capabilities(set).is_empty(), "{set}: {:?}", report.capabilities(set));
    }
}

#[test]
fn unknown_and_ungrantable_capabilities_are_dropped_with_a_warning() {
    differs_from!("runc", "it fails on a capability that it cannot grant");
    let sandbox = Sandbox::new();
    let wrapped = sandbox.wrapped(&["setpriv", "--bounding-set", "-sys_time"]);
    wrapped.configure(|config| {
        config.capabilities(&SETS[..3], &["CAP_KILL", "CAP_SYS_TIME", "CAP_OF_TOMORROW"]);
    });
    let output = wrapped.run().success();
    let report = Report::parse(&output.stdout());
    assert_eq!(sorted(&report, "bounding"), ["CAP_KILL"]);
    if runtime().is_ours() {
        let warning = output.stderr();
        assert_eq!(warning.lines().count(), 1, "one warning: {warning}");
        assert!(warning.contains("CAP_OF_TOMORROW") && warning.contains("CAP_SYS_TIME"), "{warning}");
    }
}

#[test]
fn no_new_privileges_is_as_asked_for() {
    for (asked, seen) in [(json!(true), 1), (json!(false), 0), (Value::Null, 0)] {
        let report = Sandbox::new().report(|config| config["process"]["noNewPrivileges"] = asked);
        assert_eq!(report["security"]["noNewPrivileges"], seen);
    }
}

#[test]
fn the_oom_score_is_set_for_the_container_only() {
    let before = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let report = Sandbox::new().report(|config| config["process"]["oomScoreAdj"] = json!(345));
    assert_eq!(report["oomScoreAdj"], "345");
    let untouched = Sandbox::new().wrapped(&["choom", "-n", "123", "--"]).report(|_| {});
    assert_eq!(untouched["oomScoreAdj"], "123", "absent means the caller's");
    assert_eq!(fs::read_to_string("/proc/self/oom_score_adj").unwrap(), before);
}

#[test]
fn a_session_keyring_of_its_own_unless_told_otherwise() {
    let outside = Sandbox::new().with_bundle("run", &["--no-new-keyring"]).output().success();
    let other = Sandbox::new().with_bundle("run", &["--no-new-keyring"]).output().success();
    let shared = Report::parse(&outside.stdout())["keyring"].clone();
    assert_eq!(shared, Report::parse(&other.stdout())["keyring"], "the caller's");
    assert_ne!(Sandbox::new().report(|_| {})["keyring"], shared);
}

#[test]
fn the_process_may_run_on_all_cpus_of_its_cpuset() {
    let sandbox = Sandbox::new().wrapped(&["taskset", "1"]);
    let report = sandbox.report(|_| {});
    let all = Sandbox::new().report(|_| {})["process"]["cpus"].clone();
    assert_eq!(report["process"]["cpus"], all, "the affinity of the caller is reset");
}

#[test]
fn many_and_long_arguments_and_variables_arrive_whole() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(100_000);
    let variables: Vec<String> = (0..1000).map(|n| format!("V{n}={n}")).collect();
    let report = sandbox.report(|config| {
        config["process"]["args"] = json!(["/probe", "report", "--read", long, "--read", "/ä ö\t\"'\\"]);
        config["process"]["env"] = json!(variables);
    });
    assert_eq!(report["argv"][3], json!(long));
    assert_eq!(report["argv"][5], "/ä ö\t\"'\\");
    assert_eq!(report.env("V999"), ["999"]);
}

#[test]
fn a_label_for_a_module_that_the_kernel_lacks_is_a_warning_that_nobody_overlooks() {
    differs_from!("runc", "it fails");
    differs_from!("crun", "it fails");
    let lacks = |file: &str| !std::path::Path::new(file).exists();
    for (field, module, label, sign) in [
        ("apparmorProfile", "AppArmor", "web", "/sys/module/apparmor"),
        ("selinuxLabel", "SELinux", "system_u:system_r:container_t:s0", "/sys/fs/selinux/enforce"),
    ] {
        if !lacks(sign) {
            print_skipped(&format!("this kernel has {module}"));
            continue;
        }
        let sandbox = Sandbox::new();
        sandbox.configure(|config| config["process"][field] = json!(label));
        let output = sandbox.run().success();
        let expected = format!("/process/{field}: the running kernel has no {module}");
        assert!(output.stderr().contains(&expected), "{}", output.stderr());
        let plan = sandbox.with_bundle("plan", &[]).output().success().stdout();
        assert!(plan.contains(&format!("warning: {expected}")), "{plan}");
    }
}

#[test]
fn the_user_may_open_the_standard_streams_again() {
    let open = ["write", "/proc/self/fd/2", "again\n", "--", "write", "/proc/self/fd/1", ""];
    let errnos = Sandbox::new().attempt(&open, |config| {
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
    assert_eq!(errnos, [0, 0]);
}

#[test]
fn streams_that_the_caller_has_closed_are_the_null_device() {
    for line in ["exec <&-", "exec <&- 2>&-"] {
        let errnos = Sandbox::new().after_shell(line).attempt(&["read", "/proc/self/fd/0"], |_| {});
        assert_eq!(errnos, [0], "{line}");
    }
}

#[test]
fn a_program_that_is_nowhere_in_the_path_does_not_exist() {
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.rootfs().join("root"), fs::Permissions::from_mode(0o700)).unwrap();
    sandbox.configure(|config| {
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        config["process"]["env"] = json!(["PATH=/root:/etc/passwd:/bin"]);
        config["process"]["args"] = json!(["nosuchprogram"]);
    });
    sandbox.with_bundle("create", &[]).output().fails_saying("executable file not found in $PATH");
    sandbox.assert_nothing_left();
}

#[test]
fn of_the_descriptors_to_be_passed_on_those_that_are_open_are() {
    differs_from!("runc", "it passes on its own in their place");
    let sandbox = Sandbox::new().after_shell("exec 5</etc/passwd 9</etc/passwd");
    sandbox.configure(|_| {});
    for (count, passed) in [("1", &[][..]), ("3", &["5"]), ("7", &["5", "9"])] {
        let output = sandbox.with_bundle("run", &["--preserve-fds", count]).output().success();
        let report = Report::parse(&output.stdout());
        let seen: Vec<_> = report.descriptors().into_iter().collect();
        assert_eq!(seen, [&["0", "1", "2"], passed].concat(), "{count}");
    }
    sandbox.with_bundle("run", &["--preserve-fds", "4000000000"]).output().success();
    sandbox.assert_nothing_left();
}
