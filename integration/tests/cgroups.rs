//! Where the container's processes are accounted, and what limits them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::ffi::OsString;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use integration::harness::*;
use integration::{differs_from, on_hosts, skip};
use rustix::fs::{Mode, OFlags, mkdirat, openat};
use serde_json::{Value, json};

/// The container's cgroup in v1 `controller`.
fn folder(sandbox: &Sandbox, controller: &str) -> PathBuf {
    let hierarchy = Host::Native.hierarchy(controller).unwrap();
    let found = cgroups_named(sandbox.id()).into_iter().find(|path| path.starts_with(&hierarchy));
    found.unwrap_or_else(|| panic!("no cgroup of {controller}"))
}

fn file(sandbox: &Sandbox, controller: &str, name: &str) -> String {
    fs::read_to_string(folder(sandbox, controller).join(name)).unwrap().trim().to_owned()
}

/// Files of the cgroup of a running container with `resources`, on a v1 host.
#[track_caller]
fn assert_files(resources: Value, expected: &[(&str, &str, &str)]) {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |config| {
        for (name, value) in resources.as_object().unwrap() {
            config["linux"]["resources"][name] = value.clone();
        }
    });
    assert_eq!(container.line(), "ready");
    for (controller, name, value) in expected {
        assert_eq!(file(&sandbox, controller, name), *value, "{controller}/{name}");
    }
}

macro_rules! needs_v1 {
    () => {
        if !Host::Native.has_v1() {
            skip!("needs cgroup v1 controllers");
        }
    };
}

#[test]
fn memory_limits_are_written() {
    needs_v1!();
    assert_files(
        json!({ "memory": { "limit": 64 << 20, "reservation": 32 << 20, "swappiness": 10 } }),
        &[
            ("memory", "memory.limit_in_bytes", "67108864"),
            ("memory", "memory.soft_limit_in_bytes", "33554432"),
            ("memory", "memory.swappiness", "10"),
        ],
    );
}

#[test]
fn memory_limits_of_minus_one_are_none() {
    needs_v1!();
    assert_files(
        json!({ "memory": { "limit": -1 } }),
        &[("memory", "memory.limit_in_bytes", "9223372036854771712")],
    );
}

#[test]
fn cpu_limits_are_written() {
    needs_v1!();
    assert_files(
        json!({ "cpu": { "shares": 512, "quota": 50_000, "period": 200_000, "cpus": "0", "mems": "0" } }),
        &[
            ("cpu", "cpu.shares", "512"),
            ("cpu", "cpu.cfs_quota_us", "50000"),
            ("cpu", "cpu.cfs_period_us", "200000"),
            ("cpuset", "cpuset.cpus", "0"),
            ("cpuset", "cpuset.mems", "0"),
        ],
    );
}

#[test]
fn a_limit_of_processes_is_written() {
    needs_v1!();
    assert_files(json!({ "pids": { "limit": 77 } }), &[("pids", "pids.max", "77")]);
    assert_files(json!({ "pids": { "limit": -1 } }), &[("pids", "pids.max", "max")]);
}

#[test]
fn the_process_runs_only_on_its_cpus() {
    needs_v1!();
    let report = Sandbox::new().report(|config| config["linux"]["resources"]["cpu"] = json!({ "cpus": "0" }));
    assert_eq!(report["process"]["cpus"], "0");
}

#[test]
fn a_process_above_its_memory_limit_is_killed() {
    if !Host::Native.has_controller("memory") {
        skip!("needs the memory controller");
    }
    let sandbox = Sandbox::new();
    let limit = |config: &mut Config| {
        config["linux"]["resources"]["memory"] = json!({ "limit": 32 << 20, "swap": 32 << 20 })
    };
    let output = sandbox.run_probe(&["alloc", &(128 << 20).to_string()], limit);
    assert_eq!(output.code(), 137, "{}", output.stderr());
    sandbox.assert_nothing_left();
    sandbox.run_probe(&["alloc", &(8 << 20).to_string()], limit).success();
}

#[test]
fn no_more_processes_than_the_limit() {
    if !Host::Native.has_controller("pids") {
        skip!("needs the pids controller");
    }
    let sandbox = Sandbox::new();
    let output = sandbox.run_probe(&["processes", "20"], |config| {
        config["linux"]["resources"]["pids"] = json!({ "limit": 8 })
    });
    let found: Value = serde_json::from_str(&output.success().stdout()).unwrap();
    assert_eq!(found, json!({ "made": 7, "errno": libc::EAGAIN }));
}

on_hosts! {
    fn the_process_is_in_a_cgroup_of_its_own(host: Host) {
        let sandbox = Sandbox::on(host);
        let report = sandbox.report(|_| {});
        let paths = report["cgroups"].as_object().unwrap();
        if host.has_v1() {
            for controller in ["cpu", "memory", "devices", "freezer", "pids", "name=systemd"] {
                let path = paths[controller].as_str().unwrap();
                assert!(path.ends_with(sandbox.id()), "{controller}: {path}");
            }
        } else {
            assert!(paths[""].as_str().unwrap().ends_with(sandbox.id()), "{paths:?}");
        }
    }

    fn an_absolute_path_is_taken_from_the_top_of_the_hierarchy(host: Host) {
        let sandbox = Sandbox::on(host);
        let path = format!("/{}-absolute", sandbox.id());
        let report = sandbox.report(|config| config["linux"]["cgroupsPath"] = json!(path));
        let key = if host.has_v1() { "pids" } else { "" };
        assert_eq!(report["cgroups"][key], json!(path));
        sandbox.assert_nothing_left();
    }

    fn a_relative_path_is_below_the_callers_cgroup_or_the_top(host: Host) {
        let sandbox = Sandbox::on(host);
        let path = format!("{}-relative", sandbox.id());
        let report = sandbox.report(|config| config["linux"]["cgroupsPath"] = json!(path));
        let key = if host.has_v1() { "pids" } else { "" };
        let found = report["cgroups"][key].as_str().unwrap();
        assert!(found.ends_with(&format!("/{path}")), "{found}");
        sandbox.assert_nothing_left();
    }

    fn a_cgroup_that_is_in_use_is_refused(host: Host) {
        let first = Sandbox::on(host);
        let path = format!("/{}", first.id());
        let mut container = first.started(&["pause"], |config| config["linux"]["cgroupsPath"] = json!(path));
        assert_eq!(container.line(), "ready");
        let second = Sandbox::on(host);
        second.configure(|config| config["linux"]["cgroupsPath"] = json!(path));
        second.with_bundle("create", &[]).output().fails_saying("container's cgroup is not empty");
        second.assert_nothing_left();
        assert_eq!(container.status(), "running", "the first container is not disturbed");
        let still_there = cgroups_named(first.id());
        assert!(!still_there.is_empty(), "nor is its cgroup removed");
        container.kill("TERM");
        assert_eq!(container.wait(), 0);
        container.delete();
    }

    fn two_hundred_containers_leave_no_cgroup(host: Host) {
        let sandbox = Sandbox::on(host);
        sandbox.configure(|config| {
            config.probe(&["pause"]);
            if host.has_controller("pids") {
                config["linux"]["resources"]["pids"] = json!({ "limit": 50 });
            }
        });
        for _ in 0..200 {
            let streams = sandbox.with_bundle("create", &[]).output().success();
            sandbox.command(&["delete", "--force", "ID"]).success();
            drop(streams);
        }
        sandbox.assert_nothing_left();
    }

    fn cgroups_of_the_containers_own_are_removed_with_it(host: Host) {
        let sandbox = Sandbox::on(host);
        let top = if host.has_v1() { "/sys/fs/cgroup/pids" } else { "/sys/fs/cgroup" };
        let (below, deeper) = (format!("{top}/below"), format!("{top}/below/deeper"));
        let errnos = sandbox.attempt(&["mkdir", &below, "--", "mkdir", &deeper], |config| {
            config.namespace("cgroup").without_mount("/sys/fs/cgroup");
            config.mount(json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup" }));
        });
        assert_eq!(errnos, [0, 0]);
        sandbox.assert_nothing_left();
    }
}

/// A container in a user namespace with its own cgroup mounted writable.
fn delegated(config: &mut Config) {
    config.user_namespace(100_000, 65_536);
    config.namespace("cgroup").without_mount("/sys/fs/cgroup");
    config.mount(json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup" }));
}

#[test]
fn the_user_namespaces_root_may_divide_its_cgroup() {
    differs_from!("crun", "it gives the cgroup to the user of the namespace only under systemd");
    let sandbox = Sandbox::on(Host::V2);
    let in_cgroup = |name: &str| format!("/sys/fs/cgroup/{name}");
    let (below, procs) = (in_cgroup("below"), in_cgroup("below/cgroup.procs"));
    let (freeze, control) = (in_cgroup("cgroup.freeze"), in_cgroup("cgroup.subtree_control"));
    let operations = [
        "mkdir",
        &below,
        "--",
        "write",
        &procs,
        "0",
        "--",
        "write",
        &control,
        "",
        "--",
        "open-write",
        &freeze,
    ];
    assert_eq!(sandbox.attempt(&operations, delegated), [0, 0, 0, libc::EACCES]);
    sandbox.assert_nothing_left();
}

#[test]
fn a_cgroup_that_is_mounted_read_only_is_not_given_away() {
    let sandbox = Sandbox::on(Host::V2);
    let mut container = sandbox.started(&["pause"], |config| {
        delegated(config);
        config.without_mount("/sys/fs/cgroup");
        config.mount(json!({
            "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]
        }));
    });
    assert_eq!(container.line(), "ready");
    for cgroup in cgroups_named(sandbox.id()) {
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(cgroup.join("cgroup.procs")).unwrap());
        assert_eq!(owner, 0, "{}", cgroup.display());
    }
}

#[test]
fn a_limit_that_the_host_cannot_set_is_an_error() {
    if Host::V2.has_controller("pids") {
        skip!("this host has the controllers on cgroup v2");
    }
    for (resources, pointer) in [
        (json!({ "pids": { "limit": 5 } }), "/linux/resources/pids"),
        (json!({ "memory": { "limit": 1 << 26 } }), "/linux/resources/memory"),
        (json!({ "cpu": { "quota": 50_000, "period": 100_000 } }), "/linux/resources/cpu"),
    ] {
        let sandbox = Sandbox::on(Host::V2);
        sandbox.configure(|config| config["linux"]["resources"] = resources);
        let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
        assert!(error.contains(pointer) || !runtime().is_ours(), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn paths_that_climb_out_of_the_hierarchy_do_not() {
    differs_from!("runc", "it makes the path absolute first, and then has nothing to refuse");
    let sandbox = Sandbox::new();
    let path = format!("../../../../{}", sandbox.id());
    sandbox.configure(|config| config["linux"]["cgroupsPath"] = json!(path));
    let output = sandbox.run();
    if output.code() != 0 {
        output.fails_saying("/linux/cgroupsPath");
    }
    sandbox.assert_nothing_left();
}

/// A parent that the first container has made is not its own: others may be in it when the first one is undone.
#[test]
fn a_container_that_is_undone_leaves_its_neighbours_alone() {
    let (sandbox, neighbour) = (Sandbox::new(), Sandbox::new());
    let place = |of: &Sandbox| json!(format!("/{}/{}", sandbox.id(), of.id()));
    neighbour.configure(|config| {
        config.probe(&["pause"]);
        config["linux"]["cgroupsPath"] = place(&neighbour);
    });
    let create = format!(
        "{} --root {} create --bundle {} {} </dev/null >/dev/null 2>&1; exit 1",
        runtime().path().display(),
        neighbour.root().display(),
        neighbour.bundle().display(),
        neighbour.id()
    );
    sandbox.configure(|config| {
        config["linux"]["cgroupsPath"] = place(&sandbox);
        config["hooks"]["createRuntime"] = json!([{"path": "/bin/sh", "args": ["sh", "-c", create]}]);
    });
    sandbox.with_bundle("create", &[]).output().exits_with(1);
    assert_eq!(neighbour.state()["status"], "created");
    neighbour.command(&["delete", "--force", "ID"]).success();
    let parents: Vec<_> = cgroups_named(sandbox.id()).into_iter().rev().collect();
    for parent in parents {
        fs::remove_dir(parent).unwrap();
    }
}

/// Processes that may write to the container's cgroup make cgroups of any name, and as deep as they like.
#[test]
fn cgroups_of_hostile_names_and_depth_are_removed() {
    differs_from!("runc", "it knows cgroups by their paths");
    differs_from!("crun", "it knows cgroups by their paths");
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    let name = OsString::from_vec([b"\xff".as_slice(), &[b'x'; 200]].concat());
    for cgroup in cgroups_named(sandbox.id()) {
        let mut here: OwnedFd = fs::File::open(cgroup).unwrap().into();
        for _ in 0..40 {
            mkdirat(&here, &name, Mode::RWXU).unwrap();
            here = openat(&here, &name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
    }
    sandbox.command(&["pause", "ID"]).success();
    sandbox.command(&["ps", "ID"]).success();
    sandbox.command(&["resume", "ID"]).success();
    sandbox.command(&["kill", "--all", "ID", "KILL"]).success();
    sandbox.command(&["delete", "--force", "ID"]).success();
    sandbox.assert_nothing_left();
}
