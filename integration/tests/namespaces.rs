//! Namespaces: new, joined by path, or the caller's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;

use integration::harness::*;
use integration::{differs_from, on_hosts, skip};
use serde_json::json;

/// Names of config.json and of /proc/PID/ns.
const KINDS: [(&str, &str); 8] = [
    ("pid", "pid"),
    ("network", "net"),
    ("mount", "mnt"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("user", "user"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

fn of_host(name: &str) -> String {
    fs::read_link(format!("/proc/self/ns/{name}")).unwrap().to_str().unwrap().to_owned()
}

on_hosts! {
    fn the_default_namespaces_are_new_and_the_others_are_the_callers(host: Host) {
        let report = Sandbox::on(host).report(|_| {});
        for (kind, name) in KINDS {
            let new = ["pid", "network", "mount", "ipc", "uts"].contains(&kind);
            assert_eq!(report.namespace(name) != of_host(name), new, "{kind}");
        }
    }

    fn all_kinds_can_be_new(host: Host) {
        let report = Sandbox::on(host).report(|config| {
            config.namespace("cgroup").namespace("time").user_namespace(100_000, 65_536);
        });
        for (kind, name) in KINDS {
            assert_ne!(report.namespace(name), of_host(name), "{kind}");
        }
        assert_eq!(report["process"]["pid"], 1);
    }
}

#[test]
fn each_kind_can_be_joined_by_path() {
    for (kind, name) in
        [("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup"), ("time", "time")]
    {
        let flag = if kind == "network" { "--net".to_owned() } else { format!("--{kind}") };
        let holder = Holder::new(&[&flag]);
        // A time namespace is entered by the children of the process that made it.
        let path = holder.namespace(if kind == "time" { "time_for_children" } else { name });
        let expected = fs::read_link(&path).unwrap().to_str().unwrap().replace("_for_children", "");
        let report = Sandbox::new().report(|config| {
            config.as_object_mut().unwrap().remove("hostname");
            config.join(kind, &path);
        });
        assert_eq!(report.namespace(name), expected, "{kind}");
        assert_ne!(report.namespace(name), of_host(name), "{kind}");
        assert_eq!(report["process"]["pid"], 1, "its own pid namespace is new all the same");
    }
}

#[test]
fn the_pid_namespace_of_a_container_can_be_joined() {
    let first = Sandbox::new();
    let mut host = first.started(&["pause"], |_| {});
    assert_eq!(host.line(), "ready");
    let path = host.proc("ns/pid");
    let second = Sandbox::new();
    let report = second.report(|config| {
        config.join("pid", &path);
    });
    assert_eq!(report.namespace("pid"), fs::read_link(&path).unwrap().to_str().unwrap());
    assert!(report["process"]["pid"].as_u64().unwrap() > 1);
    second.assert_nothing_left();
    host.kill("TERM");
    assert_eq!(host.wait(), 0);
}

#[test]
fn a_container_in_a_joined_pid_namespace_is_killed_alone() {
    let first = Sandbox::new();
    let mut host = first.started(&["pause"], |_| {});
    assert_eq!(host.line(), "ready");
    let path = host.proc("ns/pid");
    let second = Sandbox::new();
    let mut guest = second.started(&["pause"], |config| {
        config.join("pid", &path);
    });
    assert_eq!(guest.line(), "ready");
    second.command(&["delete", "--force", "ID"]).success();
    assert_eq!(guest.wait(), 137);
    second.assert_nothing_left();
    assert_eq!(host.status(), "running");
}

#[test]
fn a_pod_shares_network_ipc_and_uts() {
    let pause = Sandbox::new();
    let mut infrastructure = pause.started(&["pause"], |config| config["hostname"] = json!("the-pod"));
    assert_eq!(infrastructure.line(), "ready");
    let member = Sandbox::new();
    let report = member.report(|config| {
        config.as_object_mut().unwrap().remove("hostname");
        for (kind, name) in [("network", "net"), ("ipc", "ipc"), ("uts", "uts")] {
            config.join(kind, &infrastructure.proc(&format!("ns/{name}")));
        }
    });
    assert_eq!(report["hostname"], "the-pod");
}

#[test]
fn a_user_namespace_can_be_joined_with_what_it_owns() {
    let owner = Sandbox::new();
    let mut first = owner.started(&["pause"], |config| {
        config.user_namespace(100_000, 65_536);
    });
    assert_eq!(first.line(), "ready");
    let member = Sandbox::new();
    let report = member.report(|config| {
        config.as_object_mut().unwrap().remove("hostname");
        for (kind, name) in [("user", "user"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts")] {
            config.join(kind, &first.proc(&format!("ns/{name}")));
        }
    });
    for name in ["user", "net", "ipc", "uts"] {
        let expected = fs::read_link(first.proc(&format!("ns/{name}"))).unwrap();
        assert_eq!(report.namespace(name), expected.to_str().unwrap(), "{name}");
    }
    assert_eq!(report["process"]["uid"]["effective"], 0);
}

on_hosts! {
    fn the_network_of_the_host_can_be_used(host: Host) {
        let report = Sandbox::on(host).report(|config| { config.without_namespace("network"); });
        let devices = report["net"].as_object().unwrap();
        for device in fs::read_dir("/sys/class/net").unwrap() {
            let name = device.unwrap().file_name().into_string().unwrap();
            assert!(devices.contains_key(&name), "{name} is not in {devices:?}");
        }
    }
}

#[test]
fn a_new_network_has_a_loopback_that_is_up_and_nothing_more() {
    let report = Sandbox::new().report(|_| {});
    let devices = report["net"].as_object().unwrap();
    let loopback = &devices["lo"];
    assert_eq!(loopback["up"], true);
    // Kernels with tunnel drivers built in put fallback devices into each namespace, all of them down.
    assert!(devices.iter().all(|(name, device)| name == "lo" || device["up"] == false), "{devices:?}");
}

#[test]
fn host_name_and_domain_name_are_set() {
    let report = Sandbox::new().report(|config| {
        config["hostname"] = json!("the-host");
        config["domainname"] = json!("the.domain");
    });
    assert_eq!((&report["hostname"], &report["domainname"]), (&json!("the-host"), &json!("the.domain")));
}

#[test]
fn a_host_name_needs_a_namespace_of_its_own() {
    for field in ["hostname", "domainname"] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.as_object_mut().unwrap().remove("hostname");
            config[field] = json!("name");
            config.without_namespace("uts");
        });
        let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
        assert!(error.to_lowercase().contains("uts"), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn system_controls_are_set_in_their_namespaces() {
    let report = Sandbox::new().report_with(
        &[
            "--sysctl",
            "net/ipv4/ip_forward",
            "--sysctl",
            "kernel/msgmax",
            "--sysctl",
            "net/ipv4/conf/lo/forwarding",
        ],
        |config| {
            config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1", "kernel.msgmax": "4321",
                "net/ipv4/conf/lo/forwarding": "0" });
        },
    );
    assert_eq!(report["sysctls"]["net/ipv4/ip_forward"], "1");
    assert_eq!(report["sysctls"]["kernel/msgmax"], "4321");
    assert_ne!(
        fs::read_to_string("/proc/sys/kernel/msgmax").unwrap().trim(),
        "4321",
        "the host's is its own"
    );
}

#[test]
fn a_slash_name_keeps_the_dots_of_a_device() {
    differs_from!("runc", "it takes the dots of a device for separators");
    let holder = Holder::new(&["--net"]);
    let enter = format!("--net={}", holder.namespace("net"));
    let add = Invocation::new(&[
        "nsenter", &enter, "ip", "link", "add", "v.1", "type", "veth", "peer", "name", "w.1",
    ]);
    if add.output().code() != 0 {
        skip!("the kernel cannot make veth devices");
    }
    let key = "net/ipv4/conf/v.1/forwarding";
    let report = Sandbox::new().report_with(&["--sysctl", key], |config| {
        config.join("network", &holder.namespace("net"));
        config["linux"]["sysctl"] = json!({ key: "1" });
    });
    assert_eq!(report["sysctls"][key], "1");
}

#[test]
fn system_controls_of_the_host_are_refused() {
    let unnamespaced = json!({ "kernel.panic": "5" });
    let without_ipc = json!({ "kernel.msgmax": "4321" });
    let without_network = json!({ "net.ipv4.ip_forward": "0" });
    for (sysctl, missing) in [(unnamespaced, ""), (without_ipc, "ipc"), (without_network, "network")] {
        let sandbox = Sandbox::new();
        let name = sysctl.as_object().unwrap().keys().next().unwrap().clone();
        sandbox.configure(|config| {
            config["linux"]["sysctl"] = sysctl;
            config.without_namespace(missing);
        });
        sandbox.with_bundle("create", &[]).output().fails_saying(&name);
        sandbox.assert_nothing_left();
    }
}

#[test]
fn time_offsets_are_set() {
    let report = Sandbox::new().report(|config| {
        config.namespace("time");
        config["linux"]["timeOffsets"] =
            json!({ "monotonic": { "secs": 1000, "nanosecs": 5 }, "boottime": { "secs": 2000 } });
    });
    let offsets = report["timeOffsets"].as_str().unwrap();
    let words: Vec<&str> = offsets.split_whitespace().collect();
    assert_eq!(words, ["monotonic", "1000", "5", "boottime", "2000", "0"]);
}

#[test]
fn time_offsets_need_a_time_namespace() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| config["linux"]["timeOffsets"] = json!({ "monotonic": { "secs": 1 } }));
    sandbox.with_bundle("create", &[]).output().fails_saying("time");
    sandbox.assert_nothing_left();
}

#[test]
fn a_path_to_a_namespace_of_another_kind_is_an_error() {
    for path in ["/proc/self/ns/uts", "/etc/passwd", "/no/such/namespace"] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.join("network", path);
        });
        let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
        if runtime().is_ours() {
            assert!(error.contains(path) && error.contains("/linux/namespaces/"), "{error}");
        }
        sandbox.assert_nothing_left();
    }
}

on_hosts! {
    fn root_of_a_user_namespace_is_someone_else_outside(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = sandbox.started(&["report", "--wait"], |config| { config.user_namespace(100_000, 65_536); });
        let report = container.report();
        assert_eq!(report["process"]["uid"]["real"], 0);
        assert_eq!(report["process"]["gid"]["real"], 0);
        let words: Vec<&str> = report["maps"]["uid"].as_str().unwrap().split_whitespace().collect();
        assert_eq!(words, ["0", "100000", "65536"]);
        let status = fs::read_to_string(container.proc("status")).unwrap();
        assert!(status.contains("Uid:\t100000\t100000\t100000\t100000"), "{status}");
        container.kill("TERM");
        assert_eq!(container.wait(), 0);
        container.delete();
    }

    fn devices_in_a_user_namespace_are_those_of_the_host(host: Host) {
        let attempts = ["write", "/dev/null", "x", "--", "open", "/dev/zero", "--", "write", "/dev/full", "x", "--", "open", "/dev/urandom"];
        let errnos = Sandbox::on(host).attempt(&attempts, |config| { config.user_namespace(100_000, 65_536); });
        assert_eq!(errnos, [0, 0, libc::ENOSPC, 0]);
        let report = Sandbox::on(host).report(|config| { config.user_namespace(100_000, 65_536); });
        assert_eq!(report["dev"]["/dev/null"]["rdev"], json!([1, 3]));
        assert_eq!(report.mount("/dev/null").unwrap()["type"], "devtmpfs", "bound, for nodes cannot be made");
    }
}

#[test]
fn a_user_other_than_root_in_a_user_namespace() {
    let report = Sandbox::new().report(|config| {
        config.user_namespace(100_000, 65_536);
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "additionalGids": [29] });
    });
    assert_eq!(report["process"]["uid"]["effective"], 1000);
    assert_eq!(report["process"]["groups"], json!([29]));
    assert_eq!(report.env("HOME"), ["/home/app"]);
}

#[test]
fn several_ranges_of_ids() {
    let report = Sandbox::new().report(|config| {
        config.user_namespace(100_000, 10);
        let maps = json!([{ "containerID": 0, "hostID": 100_000, "size": 10 }, { "containerID": 10, "hostID": 300_000, "size": 5 }]);
        config["linux"]["uidMappings"] = maps.clone();
        config["linux"]["gidMappings"] = maps;
        config.without_mount("/dev/pts");
    });
    let words: Vec<&str> = report["maps"]["gid"].as_str().unwrap().split_whitespace().collect();
    assert_eq!(words, ["0", "100000", "10", "10", "300000", "5"]);
}

#[test]
fn mappings_and_user_namespaces_belong_together() {
    let without_maps = Sandbox::new();
    without_maps.configure(|config| {
        config.namespace("user");
    });
    without_maps.with_bundle("create", &[]).output().exits_with(1);
    without_maps.assert_nothing_left();
    differs_from!("runc", "it ignores mappings without a user namespace");
    let without_namespace = Sandbox::new();
    without_namespace.configure(|config| {
        config["linux"]["uidMappings"] = json!([{ "containerID": 0, "hostID": 100_000, "size": 10 }]);
    });
    without_namespace.with_bundle("create", &[]).output().fails_saying("/linux/uidMappings");
    without_namespace.assert_nothing_left();
}
