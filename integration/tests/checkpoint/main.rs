//! `checkpoint` and `restore`, with a real CRIU.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

/// Ends the test, saying why, where no CRIU works.
macro_rules! need_criu {
    () => {
        match criu_path() {
            Ok(path) => path.as_str(),
            Err(reason) => skip!("{reason}"),
        }
    };
}

mod counter;
mod failures;
mod hostile;
mod memory;
mod mounts;
mod namespaces;
mod options;
mod steps;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use integration::harness::*;
use integration::{on_hosts, skip};
use rustix::process::Signal;
use serde_json::json;

use counter::{Counter, count_to};

on_hosts! {
    fn a_program_goes_on_from_where_it_was(host: Host) {
        let counter = Counter::new(host, need_criu!()).configure(|_| {});
        counter.checkpointed();
        let descriptors = fs::read_to_string(format!("{}/descriptors.json", counter.images())).unwrap();
        let descriptors: Vec<String> = serde_json::from_str(&descriptors).unwrap();
        assert!(descriptors[1].starts_with("pipe:["), "{descriptors:?}");
        let pid_file = counter.sandbox.file("pid");
        let container = counter.restored(&["--pid-file", &pid_file]);
        assert_eq!(fs::read_to_string(&pid_file).unwrap(), container.pid().to_string());
        counter.goes_on(container);
    }

    fn a_container_may_run_on_after_its_checkpoint(host: Host) {
        let counter = Counter::new(host, need_criu!()).configure(|_| {});
        let mut container = counter.started();
        count_to(&mut container, 1);
        count_to(&mut container, 2);
        counter.checkpoint(&["--leave-running"]).success();
        counter.goes_on(container);
        counter.goes_on(counter.restored(&[]));
    }

    fn limits_are_those_of_the_configuration(host: Host) {
        if !host.has_controller("pids") {
            skip!("needs the controller pids");
        }
        let limit = |config: &mut Config| config["linux"]["resources"]["pids"] = json!({ "limit": 77 });
        let counter = Counter::new(host, need_criu!()).configure(limit);
        counter.checkpointed();
        let container = counter.restored(&[]);
        let cgroups = cgroups_named(counter.sandbox.id());
        let limits = cgroups.iter().filter_map(|cgroup| fs::read_to_string(cgroup.join("pids.max")).ok());
        assert_eq!(limits.collect::<Vec<_>>(), ["77\n"]);
        let inside = cgroups.iter().filter(|cgroup| {
            let processes = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
            processes == format!("{}\n", container.pid())
        });
        assert_eq!(inside.count(), cgroups.len());
        counter.goes_on(container);
    }

    fn a_paused_container_is_checkpointed(host: Host) {
        let counter = Counter::new(host, need_criu!()).configure(|_| {});
        let mut container = counter.started();
        count_to(&mut container, 1);
        count_to(&mut container, 2);
        counter.call(&["pause", counter.sandbox.id()]).success();
        counter.checkpoint(&[]).success();
        container.wait();
        counter.goes_on(counter.restored(&[]));
    }

    fn a_paused_container_that_runs_on_stays_paused(host: Host) {
        let counter = Counter::new(host, need_criu!()).configure(|_| {});
        let mut container = counter.started();
        count_to(&mut container, 1);
        count_to(&mut container, 2);
        counter.call(&["pause", counter.sandbox.id()]).success();
        counter.checkpoint(&["--leave-running"]).success();
        assert_eq!(container.status(), "paused");
        counter.call(&["resume", counter.sandbox.id()]).success();
        counter.goes_on(container);
    }

    fn a_container_without_a_cgroup_namespace_finds_its_cgroups(host: Host) {
        let counter = Counter::new(host, need_criu!()).configure(|config| {
            config.without_namespace("cgroup");
        });
        counter.checkpointed();
        counter.goes_on(counter.restored(&[]));
    }
}

#[test]
fn the_null_device_on_a_stream_is_the_containers() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    let inside = fs::metadata(container.proc("root/dev/null")).unwrap();
    let stream = fs::metadata(container.proc("fd/0")).unwrap();
    assert_eq!((stream.dev(), stream.ino()), (inside.dev(), inside.ino()));
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
    container.delete();
}

#[test]
fn memory_is_copied_before() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    if !criu_has("mem_dirty_track") {
        skip!("this kernel does not tell which pages of memory were changed (CONFIG_MEM_SOFT_DIRTY)");
    }
    let mut container = counter.started();
    count_to(&mut container, 1);
    let before = counter.sandbox.file("before");
    counter.call(&["checkpoint", "--pre-dump", "--image-path", &before, counter.sandbox.id()]).success();
    assert_eq!(container.status(), "running");
    count_to(&mut container, 2);
    for (parent, problem) in [("/before", "must be relative"), ("../nowhere", "nowhere")] {
        counter.checkpoint(&["--parent-path", parent]).fails_saying(problem);
    }
    counter.checkpoint(&["--parent-path", "../before"]).success();
    container.wait();
    assert!(Path::new(&counter.images()).join("parent").exists());
    counter.goes_on(counter.restored(&[]));
}

#[test]
fn a_terminal_is_sent_to_the_console_socket() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|config| {
        config["process"]["terminal"] = json!(true);
    });
    let soon = || std::time::Instant::now() + PATIENCE;
    let console = Console::listen(counter.sandbox.path());
    let container = counter.sandbox.create_with(&["--console-socket", console.path()]);
    let (mut terminal, _) = console.terminal();
    container.start();
    assert_eq!(terminal.line(soon()), "0");
    container.signal(Signal::USR1);
    assert_eq!(terminal.line(soon()), "1");
    counter.checkpoint(&[]).success();
    container.wait();
    drop((terminal, console));
    let console = Console::listen(counter.sandbox.path());
    counter.restoring(&["--detach"]).output().fails_saying("console socket");
    let container = counter.restored(&["--console-socket", console.path()]);
    let (mut terminal, _) = console.terminal();
    container.signal(Signal::USR1);
    assert_eq!(terminal.line(soon()), "2");
    container.signal(Signal::TERM);
    assert_eq!(container.wait(), 2);
    container.delete();
}

#[test]
fn a_restore_in_the_foreground_ends_with_the_program() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    counter.checkpointed();
    let mut running = counter.restoring(&[]).spawn();
    // The program says nothing before it is asked.
    let deadline = std::time::Instant::now() + PATIENCE;
    let status = || {
        let output = counter.call(&["state", counter.sandbox.id()]);
        (output.code() == 0).then(|| serde_json::from_str::<serde_json::Value>(&output.stdout()).unwrap())
    };
    while status().is_none_or(|state| state["status"] != "running") {
        assert!(std::time::Instant::now() < deadline, "it is not restored");
    }
    counter.call(&["kill", counter.sandbox.id(), "USR1"]).success();
    assert_eq!(running.line(), "3");
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code(), 3);
    counter.sandbox.assert_nothing_left();
}

#[test]
fn hooks_run_where_their_kind_says() {
    let counter = Counter::new(Host::Native, need_criu!());
    let log = counter.sandbox.file("log");
    let counter = counter.configure(|config| {
        for kind in ["prestart", "createRuntime", "poststart", "poststop"] {
            config.shell_hook(
                kind,
                &format!("echo {kind} $(sed 's/.*\"status\":\"\\([a-z]*\\).*/\\1/') >> {log}"),
            );
        }
    });
    counter.checkpointed();
    fs::remove_file(&log).unwrap();
    let container = counter.restored(&[]);
    let hooks = fs::read_to_string(&log).unwrap();
    if runtime().is_ours() {
        assert_eq!(hooks, "prestart created\ncreateRuntime created\npoststart running\n");
    }
    counter.goes_on(container);
}
