//! Device nodes, links below /dev, and what the device cgroup allows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;

use integration::harness::*;
use integration::{differs_from, on_hosts};
use serde_json::{Value, json};

const MKNOD: [&str; 3] = ["bounding", "effective", "permitted"];

#[test]
fn the_default_devices_and_links_are_there_and_nothing_else() {
    let report = Sandbox::new().report(|_| {});
    let devices = [
        ("/dev/null", [1, 3]),
        ("/dev/zero", [1, 5]),
        ("/dev/full", [1, 7]),
        ("/dev/random", [1, 8]),
        ("/dev/urandom", [1, 9]),
        ("/dev/tty", [5, 0]),
    ];
    for (path, number) in devices {
        let node = &report["dev"][path];
        assert_eq!(node["type"], "character", "{path}");
        assert_eq!((&node["rdev"], &node["mode"]), (&json!(number), &json!("0666")), "{path}");
        assert_eq!((&node["uid"], &node["gid"]), (&json!(0), &json!(0)), "{path}");
    }
    let links = [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
        ("/dev/ptmx", "pts/ptmx"),
    ];
    for (path, target) in links {
        assert_eq!(report["dev"][path]["link"], target, "{path}");
    }
    let mut expected: Vec<&str> =
        devices.iter().map(|(path, _)| *path).chain(links.iter().map(|(path, _)| *path)).collect();
    expected.extend(["/dev/mqueue", "/dev/pts", "/dev/pts/ptmx", "/dev/shm"]);
    let found = report["dev"].as_object().unwrap().keys().map(String::as_str);
    // /dev/core exists on hosts with /proc/kcore.
    let unexpected: Vec<&str> =
        found.filter(|path| !expected.contains(path) && *path != "/dev/core").collect();
    assert_eq!(unexpected, Vec::<&str>::new());
    assert_eq!(report["dev"]["/dev/pts/ptmx"]["mode"], "0666");
    assert_eq!(report["dev"]["/dev/shm"]["mode"], "1777");
}

#[test]
fn the_callers_umask_does_not_weaken_the_modes_of_devices() {
    let report = Sandbox::new().after_shell("umask 077").report(|_| {});
    assert_eq!(report["dev"]["/dev/null"]["mode"], "0666");
}

#[test]
fn configured_devices_have_their_mode_and_owner() {
    let report = Sandbox::new().report(|config| {
        config["linux"]["devices"] = json!([
            { "path": "/dev/other-null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 7, "gid": 8 },
            { "path": "/dev/below/a/folder", "type": "b", "major": 7, "minor": 99, "fileMode": 0o600 },
            { "path": "/dev/pipe", "type": "p", "fileMode": 0o622 },
            { "path": "/dev/unbuffered", "type": "u", "major": 1, "minor": 5 },
        ]);
    });
    let dev = &report["dev"];
    let other = &dev["/dev/other-null"];
    assert_eq!((&other["type"], &other["rdev"]), (&json!("character"), &json!([1, 3])));
    assert_eq!((&other["mode"], &other["uid"], &other["gid"]), (&json!("0640"), &json!(7), &json!(8)));
    assert_eq!(
        (&dev["/dev/below/a/folder"]["type"], &dev["/dev/below/a/folder"]["rdev"]),
        (&json!("block"), &json!([7, 99]))
    );
    assert_eq!((&dev["/dev/pipe"]["type"], &dev["/dev/pipe"]["mode"]), (&json!("fifo"), &json!("0622")));
    assert_eq!(dev["/dev/unbuffered"]["type"], "character");
}

#[test]
fn a_device_may_be_outside_dev() {
    let sandbox = Sandbox::new();
    let report = sandbox.report_with(&["--stat", "/tmp/null"], |config| {
        config["root"]["readonly"] = json!(false);
        config["linux"]["devices"] =
            json!([{ "path": "/tmp/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666 }]);
    });
    assert_eq!(report["stat"]["/tmp/null"]["rdev"], json!([1, 3]));
    assert_eq!(report["stat"]["/tmp/null"]["mode"], "0666");
}

#[test]
fn a_default_device_that_is_configured_takes_the_configured_mode() {
    let report = Sandbox::new().report(|config| {
        config["linux"]["devices"] = json!([{ "path": "/dev/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o600, "uid": 3, "gid": 4 }]);
    });
    let zero = &report["dev"]["/dev/zero"];
    assert_eq!((&zero["mode"], &zero["uid"], &zero["gid"]), (&json!("0600"), &json!(3), &json!(4)));
}

on_hosts! {
    fn only_allowed_devices_can_be_opened(host: Host) {
        // Made by the container itself: making nodes is allowed, using them is not.
        let attempts = ["mknod", "c", "1", "11", "/dev/kmsg", "--", "open", "/dev/kmsg",
            "--", "mknod", "c", "1", "3", "/dev/more", "--", "open", "/dev/more"];
        let errnos = Sandbox::on(host).attempt(&attempts, |config| { config.capabilities(&MKNOD, &["CAP_MKNOD"]); });
        assert_eq!(errnos, [0, libc::EPERM, 0, 0]);
    }

    fn a_rule_allows_a_device_for_reading_only(host: Host) {
        let attempts = ["mknod", "c", "1", "11", "/dev/kmsg", "--", "open", "/dev/kmsg", "--", "open-write", "/dev/kmsg"];
        let errnos = Sandbox::on(host).attempt(&attempts, |config| {
            config.capabilities(&MKNOD, &["CAP_MKNOD", "CAP_SYSLOG"]);
            config["linux"]["resources"]["devices"] = json!([
                { "allow": false, "access": "rwm" },
                { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "rm" },
            ]);
        });
        assert_eq!(errnos, [0, 0, libc::EPERM]);
    }

    fn default_devices_work(host: Host) {
        let attempts = ["write", "/dev/null", "x", "--", "write", "/dev/full", "x", "--", "open", "/dev/zero",
            "--", "open", "/dev/random", "--", "open", "/dev/urandom", "--", "open", "/dev/ptmx", "--", "open", "/dev/tty"];
        let errnos = Sandbox::on(host).attempt(&attempts, |_| {});
        assert_eq!(errnos, [0, libc::ENOSPC, 0, 0, 0, 0, libc::ENXIO], "there is no controlling terminal");
    }

    fn everything_may_be_allowed(host: Host) {
        let attempts = ["mknod", "c", "1", "11", "/dev/kmsg", "--", "open", "/dev/kmsg"];
        let errnos = Sandbox::on(host).attempt(&attempts, |config| {
            config.capabilities(&MKNOD, &["CAP_MKNOD", "CAP_SYSLOG"]);
            config["linux"]["resources"]["devices"] = json!([{ "allow": true, "access": "rwm" }]);
        });
        assert_eq!(errnos, [0, 0]);
    }
}

#[test]
fn a_fifo_may_carry_numbers_or_none() {
    differs_from!("runc", "it refuses a FIFO with numbers");
    let report = Sandbox::new().report(|config| {
        config["linux"]["devices"] = json!([
            { "path": "/dev/with", "type": "p", "major": 10, "minor": 200, "fileMode": 0o600, "uid": 7, "gid": 8 },
            { "path": "/dev/without", "type": "p" },
        ]);
    });
    let with = &report["dev"]["/dev/with"];
    assert_eq!((&with["type"], &with["mode"], &with["uid"]), (&json!("fifo"), &json!("0600"), &json!(7)));
    assert_eq!(report["dev"]["/dev/without"]["type"], "fifo");
}

/// Without the mounts at and below /dev.
fn without_dev(config: &mut Config) {
    let keep = |mount: &Value| !mount["destination"].as_str().unwrap().starts_with("/dev");
    config["mounts"].as_array_mut().unwrap().retain(keep);
}

#[test]
fn without_a_mount_for_dev_devices_and_links_are_made_in_the_image() {
    let sandbox = Sandbox::new();
    fs::remove_dir(sandbox.rootfs().join("dev")).unwrap();
    let report = sandbox.report(|config| {
        without_dev(config);
        config["linux"]["devices"] = json!([{ "path": "/dev/own", "type": "c", "major": 1, "minor": 5 }]);
    });
    let dev = &report["dev"];
    assert_eq!((&dev["/dev/null"]["rdev"], &dev["/dev/own"]["rdev"]), (&json!([1, 3]), &json!([1, 5])));
    assert_eq!(dev["/dev/stdin"]["link"], "/proc/self/fd/0");
    assert!(report.mount("/dev").is_none());
    differs_from!("runc", "it cannot make its links a second time");
    // They are there already when the image is used again.
    let again = sandbox.report(without_dev);
    assert_eq!(again["dev"]["/dev/own"]["rdev"], json!([1, 5]));
}

#[test]
fn a_dev_that_is_bound_is_the_hosts_and_gets_nothing_of_ours() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path().join("dev");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("marker"), "").unwrap();
    let report = sandbox.report(|config| {
        without_dev(config);
        config.bind(&folder, "/dev", &["rbind", "rw"]);
        config["linux"]["maskedPaths"] = json!([]);
    });
    assert_eq!(report["dev"].as_object().unwrap().keys().collect::<Vec<_>>(), ["/dev/marker"]);
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["marker"]);
}

#[test]
fn an_image_may_bring_the_very_device_but_no_other_file_of_its_name() {
    differs_from!("runc", "it takes whatever is there");
    let own = |config: &mut Config| {
        without_dev(config);
        config["linux"]["devices"] = json!([{ "path": "/dev/x", "type": "c", "major": 1, "minor": 5 }]);
    };
    let sandbox = Sandbox::new();
    let path = sandbox.file("bundle/rootfs/dev/x");
    let make = |line: &str| {
        let line = format!("rm -rf {path} && {}", line.replace("PATH", &path));
        drop(Invocation::new(&["sh", "-c", &line]).output().success());
    };
    make("mknod PATH c 1 5");
    assert_eq!(sandbox.report(own)["dev"]["/dev/x"]["rdev"], json!([1, 5]));
    sandbox.configure(own);
    for other in ["mknod PATH c 1 7", "mknod PATH b 1 5", "touch PATH", "mkdir PATH"] {
        make(other);
        let error = sandbox.with_bundle("create", &[]).output().fails_saying("/linux/devices/0");
        assert!(error.contains("/dev/x") && error.contains("EEXIST"), "{other}: {error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn in_a_user_namespace_a_configured_device_is_the_hosts_or_an_error() {
    differs_from!("runc", "it binds whatever the host has there, FIFOs included");
    let with = |device: Value| {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.user_namespace(100_000, 65_536);
            config["linux"]["devices"] =
                json!([{ "path": "/dev/pipe", "type": "p", "fileMode": 0o640 }, device]);
        });
        sandbox
    };
    let sandbox =
        with(json!({ "path": "/dev/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 0o666 }));
    let report = Report::parse(&sandbox.run().success().stdout());
    assert_eq!(report["dev"]["/dev/zero"]["rdev"], json!([1, 5]));
    assert_eq!(report["dev"]["/dev/pipe"]["type"], "fifo");
    for (device, why) in [
        (json!({ "path": "/dev/no-such-device", "type": "c", "major": 1, "minor": 5 }), "does not exist"),
        (json!({ "path": "/dev/zero", "type": "c", "major": 1, "minor": 7 }), "is not character device 1:7"),
        (json!({ "path": "/dev/zero", "type": "b", "major": 1, "minor": 5 }), "is not block device 1:5"),
        (
            json!({ "path": "/etc/passwd", "type": "c", "major": 1, "minor": 5 }),
            "is not character device 1:5",
        ),
    ] {
        let sandbox = with(device);
        let error = sandbox.with_bundle("create", &[]).output().fails_saying("/linux/devices/1: ");
        assert!(error.contains(why), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn wrong_devices_are_errors_that_name_the_value() {
    differs_from!("runc", "it takes a bad path as it comes");
    for (device, pointer) in [
        (json!({ "path": "/dev/x", "type": "q", "major": 1, "minor": 3 }), "/linux/devices/0/type"),
        (json!({ "path": "dev/x", "type": "c", "major": 1, "minor": 3 }), "/linux/devices/0/path"),
        (json!({ "path": "/dev/x", "type": "c", "major": -1, "minor": 3 }), "/linux/devices/0/major"),
        (json!({ "path": "/dev/x", "type": "c", "major": 1, "minor": 1_048_576 }), "/linux/devices/0/minor"),
        (json!({ "path": "/dev/x", "type": "p", "fileMode": 0o1_000_000 }), "/linux/devices/0/fileMode"),
        (json!({ "path": "/dev/x", "type": "p", "uid": -1 }), "/linux/devices/0/uid"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| config["linux"]["devices"] = json!([device]));
        sandbox.with_bundle("create", &[]).output().fails_saying(pointer);
        sandbox.assert_nothing_left();
    }
}

#[test]
fn no_device_is_made_in_a_folder_of_the_host() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("dev")).unwrap();
    let output = sandbox.run_probe(&["exit", "0"], |config| {
        config.bind(sandbox.file("dev"), "/dev", &["rbind"]);
        // They are covered by the container's null device, which this folder does not have.
        config["linux"]["maskedPaths"] = json!([]);
        config["linux"]["devices"] = json!([{ "path": "/dev/made", "type": "c", "major": 1, "minor": 3 }]);
    });
    assert_eq!(output.code(), 0, "{}", output.stderr());
    let names: Vec<_> =
        fs::read_dir(sandbox.file("dev")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.contains(&"made".into()), "{names:?}");
}
