//! Words that clients look for.

use std::fs;

use integration::harness::*;
use integration::{differs_from, on_hosts, skip};
use libcontainer::{ContainerId, ExecOptions, Runtime, Stdio};
use serde_json::json;

#[test]
fn every_command_says_that_a_name_is_unknown() {
    let sandbox = Sandbox::new();
    for (words, code) in [
        (&["state", "ID"][..], 1),
        (&["start", "ID"], 1),
        (&["kill", "ID", "KILL"], 1),
        (&["kill", "--all", "ID", "KILL"], 1),
        (&["delete", "ID"], 1),
        (&["pause", "ID"], 1),
        (&["resume", "ID"], 1),
        (&["ps", "ID"], 1),
        (&["events", "--stats", "ID"], 1),
        (&["update", "--pids-limit", "5", "ID"], 1),
        (&["exec", "ID", "true"], 255),
    ] {
        let output = sandbox.command(words).exits_with(code);
        assert!(output.stderr().contains("container does not exist"), "{words:?}: {}", output.stderr());
        assert_eq!(output.stdout(), "", "{words:?}");
    }
    sandbox.command(&["delete", "--force", "ID"]).success();
}

#[test]
fn a_process_that_has_gone_meanwhile_has_finished() {
    differs_from!("runc", "it has no library for this");
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    let loaded = Runtime::new(sandbox.root()).load(&ContainerId::new(sandbox.id()).unwrap()).unwrap();
    let options = ExecOptions::new(["/probe", "exit", "0"]).stdio(Stdio::Null);
    let program = loaded.exec(options.allow_unsealed_executable(true)).unwrap();
    assert_eq!(program.wait().unwrap().shell_code(), 0);
    let error = program.kill(15).unwrap_err().to_string();
    assert!(error.contains("process already finished"), "{error}");
    container.kill("KILL");
    container.wait();
    container.delete();
}

#[test]
fn a_file_on_a_folder_and_the_reverse_are_not_a_directory() {
    for (source, destination) in [("/etc", "/etc/passwd"), ("/etc/passwd", "/tmp")] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.bind(source, destination, &["bind"]);
        });
        sandbox.with_bundle("create", &[]).output().fails_saying("not a directory");
        sandbox.assert_nothing_left();
    }
}

on_hosts! {
    fn a_frozen_cgroup_is_not_taken(host: Host) {
        let (file, frozen) = match host.has_v1() {
            true => ("freezer.state", "FROZEN"),
            false => ("cgroup.freeze", "1"),
        };
        let Some(hierarchy) = host.hierarchy("freezer") else { skip!("no hierarchy has a freezer") };
        let sandbox = Sandbox::on(host);
        let name = format!("{}-frozen", sandbox.id());
        let cgroup = hierarchy.join(&name);
        fs::create_dir(&cgroup).unwrap();
        fs::write(cgroup.join(file), frozen).unwrap();
        sandbox.configure(|config| config["linux"]["cgroupsPath"] = json!(format!("/{name}")));
        let error = sandbox.with_bundle("create", &[]).output();
        // Whoever made it removes it.
        fs::remove_dir(&cgroup).unwrap();
        error.fails_saying("container's cgroup unexpectedly frozen");
        sandbox.assert_nothing_left();
    }
}
