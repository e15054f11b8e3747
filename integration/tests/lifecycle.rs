//! create → start → state → kill → delete, as container managers do it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::path::Path;

use integration::harness::*;
use integration::{differs_from, on_hosts, skip};
use rustix::process::Signal;
use serde_json::json;

/// A client's configuration from `fixtures/configs`, made to run the probe in this sandbox's bundle.
fn client_config(name: &str, host: Host, sandbox: &Sandbox) -> Option<Config> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/configs/{name}.json"));
    let mut config = Config::parse(&fs::read_to_string(path).ok()?);
    config.probe(&["term", "7"]);
    config["process"]["terminal"] = json!(false);
    config["root"]["path"] = json!("rootfs");
    config["linux"]["cgroupsPath"] = json!(format!("/{}", sandbox.id()));
    let file = sandbox.file("bound");
    fs::write(&file, "bound\n").unwrap();
    for mount in config["mounts"].as_array_mut().unwrap() {
        let source = mount["source"].as_str().unwrap_or_default();
        // The client's own files (resolv.conf and the like) are not on this host.
        if source.starts_with('/') && !Path::new(source).exists() {
            mount["source"] = json!(file);
        }
    }
    if !host.has_controller("pids") {
        // A limit that cannot be set is an error, and a test of its own.
        config["linux"]["resources"].as_object_mut().unwrap().retain(|name, _| name == "devices");
    }
    if !runtime().is_ours() && !Path::new("/sys/kernel/security/apparmor").exists() {
        config["process"].as_object_mut().unwrap().remove("apparmorProfile");
    }
    Some(config)
}

fn live_and_die(sandbox: &Sandbox) {
    let mut container = sandbox.create();
    assert_eq!(container.status(), "created");
    assert_eq!(container.stdout.text(), "", "nothing of the container runs before start");
    container.start();
    assert_eq!(container.line(), "ready");
    assert_eq!(container.status(), "running");
    container.kill("TERM");
    assert_eq!(container.wait(), 7);
    assert_eq!(container.status(), "stopped");
    container.delete();
    sandbox.command(&["state", "ID"]).fails_saying("container does not exist");
}

fn client_life_cycle(name: &str, host: Host) {
    let sandbox = Sandbox::on(host);
    let Some(config) = client_config(name, host, &sandbox) else { skip!("no fixtures/configs/{name}.json") };
    sandbox.write(&config);
    live_and_die(&sandbox);
}

on_hosts! {
    fn runtime_default_configuration(host: Host) {
        let sandbox = Sandbox::on(host);
        sandbox.configure(|config| { config.probe(&["term", "7"]); });
        live_and_die(&sandbox);
    }

    fn configuration_written_by_spec(host: Host) {
        client_life_cycle("runc-spec", host);
    }

    fn docker_default_configuration(host: Host) {
        client_life_cycle("docker", host);
    }

    fn containerd_default_configuration(host: Host) {
        client_life_cycle("containerd", host);
    }

    fn a_created_container_can_be_killed_and_deleted(host: Host) {
        let sandbox = Sandbox::on(host);
        sandbox.configure(|config| { config.probe(&["pause"]); });
        let container = sandbox.create();
        container.kill("KILL");
        assert_eq!(container.wait(), 137);
        assert_eq!(container.status(), "stopped");
        container.delete();
    }

    fn a_created_container_can_be_deleted_at_once(host: Host) {
        let sandbox = Sandbox::on(host);
        let container = sandbox.create();
        container.delete();
    }

    fn a_running_container_is_deleted_by_force(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = sandbox.started(&["orphans", "3"], |_| {});
        assert_eq!(container.line(), "ready");
        sandbox.command(&["delete", "--force", "ID"]).success();
        assert_eq!(container.wait(), 137);
        sandbox.assert_nothing_left();
    }

    fn without_a_pid_namespace_descendants_die_with_a_forced_delete(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = sandbox.started(&["orphans", "3"], |config| { config.without_namespace("pid"); });
        assert_eq!(container.line(), "ready");
        sandbox.command(&["delete", "--force", "ID"]).success();
        assert_eq!(container.wait(), 137);
        sandbox.assert_nothing_left();
    }
}

#[test]
fn the_program_is_not_executed_before_start() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["report", "--wait"]);
    });
    let mut container = sandbox.create();
    let executable = fs::read_link(container.proc("exe")).unwrap();
    assert!(!executable.ends_with("probe"), "the program was executed by create: {}", executable.display());
    container.start();
    let report = container.report();
    assert_eq!(report["argv"][0], "/probe");
    assert_eq!(report["process"]["pid"], 1);
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
}

#[test]
fn the_pid_file_names_the_process_of_the_state() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let container = sandbox.create_with(&["--pid-file", &sandbox.file("pid")]);
    let pid = fs::read_to_string(sandbox.file("pid")).unwrap();
    assert_eq!(pid, sandbox.state()["pid"].to_string(), "decimal, without a newline");
    assert_eq!(pid, container.pid().to_string());
}

#[test]
fn only_the_container_holds_the_callers_pipes_after_create() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["term", "0"], |_| {});
    assert_eq!(container.line(), "ready");
    container.signal(Signal::TERM);
    assert_eq!(container.wait(), 0);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    assert_eq!(container.stdout.rest(deadline), "", "the pipe ends with the container");
    container.stderr.rest(deadline);
    container.delete();
}

#[test]
fn create_and_start_print_nothing_when_they_succeed() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let created = sandbox.with_bundle("create", &[]).output().success();
    assert_eq!((created.stdout(), created.stderr()), (String::new(), String::new()));
    let started = sandbox.command(&["start", "ID"]).success();
    assert_eq!((started.stdout(), started.stderr()), (String::new(), String::new()));
}

#[test]
fn start_needs_a_created_container() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["term", "0"], |_| {});
    assert_eq!(container.line(), "ready");
    sandbox.command(&["start", "ID"]).fails_saying("cannot start");
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
    sandbox.command(&["start", "ID"]).fails_saying("cannot start");
    container.delete();
    sandbox.command(&["start", "ID"]).fails_saying("container does not exist");
}

#[test]
fn start_reports_a_program_that_the_kernel_refuses() {
    differs_from!("runc", "its init prints the error itself, and start exits with 0");
    let sandbox = Sandbox::new();
    let program = sandbox.rootfs().join("garbage");
    fs::write(&program, "\x01\x02 no format that the kernel knows").unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.configure(|config| config["process"]["args"] = json!(["/garbage"]));
    let container = sandbox.create();
    let error = sandbox.command(&["start", "ID"]).fails_saying("/garbage");
    assert!(error.contains("exec format error"), "{error}");
    container.wait();
    sandbox.command(&["delete", "--force", "ID"]).success();
    sandbox.assert_nothing_left();
}

#[test]
fn a_container_without_a_process_can_be_created_but_not_started() {
    differs_from!("runc", "it requires a process at create");
    differs_from!("crun", "it requires a process at create");
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.as_object_mut().unwrap().remove("process");
    });
    let container = sandbox.create();
    assert_eq!(container.status(), "created");
    sandbox.command(&["start", "ID"]).fails_saying("process");
    sandbox.command(&["delete", "--force", "ID"]).success();
    sandbox.assert_nothing_left();
}

#[test]
fn two_containers_live_side_by_side_in_one_state_folder() {
    let sandbox = Sandbox::new();
    let first = sandbox.started(&["pause"], |_| {});
    let second_id = format!("{}-second", sandbox.id());
    let bundle = sandbox.bundle();
    let arguments = ["create", "--bundle", bundle.to_str().unwrap(), &second_id];
    sandbox.runtime(&arguments).output().success();
    let listed = sandbox.command(&["list", "-q"]).success().stdout();
    assert_eq!(listed.lines().collect::<Vec<_>>(), [sandbox.id(), second_id.as_str()]);
    sandbox.command(&["delete", "--force", &second_id]).success();
    assert_eq!(first.status(), "running", "the other container is untouched");
}
