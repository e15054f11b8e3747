//! Device nodes, links below /dev, and what the device cgroup allows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use integration::harness::*;
use integration::{differs_from, on_hosts};
use serde_json::json;

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
fn wrong_devices_are_errors_that_name_the_value() {
    differs_from!("runc", "it takes a bad path as it comes");
    for (device, pointer) in [
        (json!({ "path": "/dev/x", "type": "q", "major": 1, "minor": 3 }), "/linux/devices/0/type"),
        (json!({ "path": "dev/x", "type": "c", "major": 1, "minor": 3 }), "/linux/devices/0/path"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| config["linux"]["devices"] = json!([device]));
        sandbox.with_bundle("create", &[]).output().fails_saying(pointer);
        sandbox.assert_nothing_left();
    }
}
