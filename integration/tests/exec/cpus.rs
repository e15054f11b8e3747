//! The CPUs that a program runs on: those of its own that `execCPUAffinity` names, else all of the container's.

use std::path::PathBuf;

use integration::harness::*;
use integration::{on_hosts, skip};
use serde_json::{Value, json};

use super::{end, exec, report};

/// What every test here tells apart.
fn has_two_cpus() -> bool {
    ["0", "1"].iter().all(|cpu| Invocation::new(&["taskset", "-c", cpu, "true"]).output().code() == 0)
}

fn cpus(report: &Report) -> &Value {
    &report["process"]["cpus"]
}

/// Those of a program in a container that is configured with `affinity`, called from the first CPU only.
fn seen(host: Host, affinity: &Value) -> Value {
    let sandbox = Sandbox::on(host).wrapped(&["taskset", "-c", "0"]);
    let container = sandbox.started(&["pause"], |config| {
        config["process"]["execCPUAffinity"] = affinity.clone();
    });
    let seen = cpus(&report(&sandbox, &[])).clone();
    end(container);
    seen
}

/// The CPUs of a process that comes into the cgroups from CPU `first`: in v1 the kernel gives it all of the cpuset.
fn kept_of(first: &str, cgroups: &[PathBuf]) -> String {
    let enter = cgroups.iter().map(|path| format!("echo 0 > {}/cgroup.procs\n", path.display()));
    let line = format!("{}grep Cpus_allowed_list /proc/self/status", enter.collect::<String>());
    let output = Invocation::new(&["taskset", "-c", first, "sh", "-ec", &line]).output().success();
    output.stdout().split_whitespace().nth(1).unwrap().to_owned()
}

on_hosts! {
    fn without_a_wish_a_program_has_all_cpus_of_the_cpuset(host: Host) {
        if !has_two_cpus() {
            skip!("needs two CPUs");
        }
        let all = cpus(&Sandbox::on(host).report(|_| {})).clone();
        assert_ne!(all, "0");
        assert_eq!(seen(host, &Value::Null), all, "not those of the caller");
    }

    fn the_final_cpus_are_the_program_s(host: Host) {
        if !has_two_cpus() {
            skip!("needs two CPUs");
        }
        assert_eq!(seen(host, &json!({ "final": "1" })), "1");
        assert_eq!(seen(host, &json!({ "initial": "0", "final": "1" })), "1");
        let all = cpus(&Sandbox::on(host).report(|_| {})).clone();
        assert_eq!(seen(host, &json!({ "final": "0-1023" })), all, "as far as there are any");
    }

    fn the_initial_cpus_are_those_before_it_comes_into_the_cgroup(host: Host) {
        if !has_two_cpus() {
            skip!("needs two CPUs");
        }
        // Not the CPU of the caller, who starts on the first one.
        let sandbox = Sandbox::on(host).wrapped(&["taskset", "-c", "0"]);
        let container = sandbox.started(&["pause"], |config| {
            config["process"]["execCPUAffinity"] = json!({ "initial": "1" });
        });
        let expected = kept_of("1", &cgroups_named(sandbox.id()));
        assert_eq!(cpus(&report(&sandbox, &[])), &json!(expected));
        end(container);
    }
}

#[test]
fn a_process_file_brings_its_own() {
    if !has_two_cpus() {
        skip!("needs two CPUs");
    }
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |config| {
        config["process"]["execCPUAffinity"] = json!({ "final": "0" });
    });
    let mut process = json!({ "args": ["/probe", "report"], "cwd": "/", "user": { "uid": 0, "gid": 0 } });
    process["execCPUAffinity"] = json!({ "final": "1" });
    let file = sandbox.file("process.json");
    std::fs::write(&file, process.to_string()).unwrap();
    let output = sandbox.command(&["exec", "--process", &file, "ID"]).success();
    assert_eq!(cpus(&Report::parse(&output.stdout())), "1");
    assert_eq!(cpus(&report(&sandbox, &[])), "0");
    end(container);
}

#[test]
fn cpus_outside_of_the_cpuset_are_an_error() {
    if !has_two_cpus() || !Host::Native.has_controller("cpuset") {
        skip!("needs two CPUs and cpusets");
    }
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["report", "--wait"], |config| {
        config["linux"]["resources"]["cpu"] = json!({ "cpus": "1", "mems": "0" });
        config["process"]["execCPUAffinity"] = json!({ "final": "0" });
    });
    assert_eq!(cpus(&container.report()), "1");
    let output = exec(&sandbox, &[], &["exit", "0"]).exits_with(255);
    if runtime().is_ours() {
        assert!(output.stderr().contains("/process/execCPUAffinity/final"), "{}", output.stderr());
    }
    end(container);
}

#[test]
fn a_program_in_a_container_with_a_cpuset_has_all_of_that_and_no_more() {
    if !has_two_cpus() || !Host::Native.has_controller("cpuset") {
        skip!("needs two CPUs and cpusets");
    }
    let sandbox = Sandbox::new().wrapped(&["taskset", "-c", "0"]);
    let container = sandbox.started(&["pause"], |config| {
        config["linux"]["resources"]["cpu"] = json!({ "cpus": "1", "mems": "0" });
    });
    assert_eq!(cpus(&report(&sandbox, &[])), "1");
    end(container);
}
