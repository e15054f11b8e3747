//! Commands that race, and a runtime that is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::time::{Duration, Instant};

use integration::harness::*;
use integration::{differs_from, on_hosts};
use rustix::process::Signal;

/// Kills `command` at 30 moments spread over the time that it takes, and cleans up with `delete --force`.
fn killed_at_any_moment(host: Host, command: &str) {
    let mut time = Duration::ZERO;
    for moment in 0..=30_u32 {
        let sandbox = Sandbox::on(host);
        sandbox.configure(|config| {
            config.probe(&["pause"]);
        });
        // Held on to, for a container whose output nobody reads any more ends by itself.
        let created = (command == "start").then(|| sandbox.create());
        let begin = Instant::now();
        let running = if command == "start" {
            sandbox.runtime(&["start", sandbox.id()]).spawn()
        } else {
            sandbox.with_bundle(command, &["--detach"][..usize::from(command == "run")]).spawn()
        };
        let output =
            if moment == 0 { running.wait().success() } else { running.killed_after(time * moment / 30) };
        if moment == 0 {
            time = begin.elapsed();
        }
        let deleted = sandbox.command(&["delete", "--force", "ID"]);
        assert_eq!(deleted.code(), 0, "moment {moment} of 30: {}", deleted.stderr());
        drop((created, output));
        // A first process whose runtime is dead before it was named in the state ends by itself.
        wait_until_gone(sandbox.id());
        assert_eq!(sandbox.left(), Vec::<String>::new(), "moment {moment} of 30");
    }
}

on_hosts! {
    fn what_a_killed_create_left_can_be_deleted(host: Host) {
        differs_from!("runc", "it writes its state after the process and the cgroup were made");
        killed_at_any_moment(host, "create");
    }

    fn what_a_killed_start_left_can_be_deleted(host: Host) {
        killed_at_any_moment(host, "start");
    }

    fn what_a_killed_run_left_can_be_deleted(host: Host) {
        differs_from!("runc", "it writes its state after the process and the cgroup were made");
        killed_at_any_moment(host, "run");
    }
}

#[test]
fn a_killed_delete_can_be_repeated() {
    for moment in 0..20_u32 {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.probe(&["pause"]);
        });
        let _streams = sandbox.with_bundle("run", &["--detach"]).output().success();
        let deleting = sandbox.runtime(&["delete", "--force", sandbox.id()]).spawn();
        drop(deleting.killed_after(Duration::from_micros(u64::from(moment) * 300)));
        sandbox.command(&["delete", "--force", "ID"]).success();
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_container_outlives_its_runtime() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let mut running = sandbox.with_bundle("run", &[]).spawn();
    assert_eq!(running.line(), "\"ready\"");
    running.signal(Signal::KILL);
    let _streams = running.wait().exits_with(137);
    assert_eq!(sandbox.state()["status"], "running");
    sandbox.command(&["delete", "--force", "ID"]).success();
    sandbox.assert_nothing_left();
}

#[test]
fn a_first_process_killed_from_outside_is_a_stopped_container() {
    let sandbox = Sandbox::new();
    let container = sandbox.create();
    container.signal(Signal::KILL);
    assert_eq!(container.wait(), 137);
    assert_eq!(container.status(), "stopped");
    sandbox.command(&["start", "ID"]).exits_with(1);
    container.delete();
}

on_hosts! {
    fn of_racing_creates_of_one_name_one_wins(host: Host) {
        differs_from!("runc", "two racing creates can both find the name free");
        for _ in 0..5 {
            let sandbox = Sandbox::on(host);
            let racing: Vec<Running> = (0..6).map(|_| sandbox.with_bundle("create", &[]).spawn()).collect();
            let outputs: Vec<Output> = racing.into_iter().map(Running::wait).collect();
            let winners = outputs.iter().filter(|output| output.code() == 0).count();
            let errors: Vec<String> = outputs.iter().map(Output::stderr).collect();
            assert_eq!(winners, 1, "{errors:?}");
            for output in outputs.into_iter().filter(|output| output.code() != 0) {
                let error = output.fails_saying("container with given ID already exists");
                assert_eq!(error.lines().count(), 1, "{error}");
            }
            assert_eq!(sandbox.state()["status"], "created", "the winner is not damaged");
            sandbox.command(&["start", "ID"]).success();
        }
    }
}

#[test]
fn of_racing_starts_one_wins() {
    differs_from!("runc", "of several that found the container waiting, one waits for ever");
    for _ in 0..10 {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.probe(&["pause"]);
        });
        let mut container = sandbox.create();
        let racing: Vec<Running> =
            (0..4).map(|_| sandbox.runtime(&["start", sandbox.id()]).spawn()).collect();
        let outputs: Vec<Output> = racing.into_iter().map(Running::wait).collect();
        let errors: Vec<String> = outputs.iter().map(Output::stderr).collect();
        let winners = outputs.iter().filter(|output| output.code() == 0).count();
        assert_eq!(winners, 1, "{errors:?}");
        assert_eq!(container.line(), "ready");
        assert_eq!(container.status(), "running");
    }
}

#[test]
fn racing_start_and_delete_end_in_one_of_two_clear_ways() {
    for round in 0..20 {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.probe(&["pause"]);
        });
        let _streams = sandbox.create();
        let starting = sandbox.runtime(&["start", sandbox.id()]).spawn();
        let deleting = sandbox.runtime(&["delete", "--force", sandbox.id()]).spawn();
        let (started, deleted) = (starting.wait(), deleting.wait());
        assert!([0, 1].contains(&started.code()), "round {round}: {}", started.stderr());
        assert_eq!(started.code() == 0, started.stderr().is_empty(), "round {round}: {}", started.stderr());
        if runtime().is_ours() {
            assert_eq!(deleted.code(), 0, "round {round}: {}", deleted.stderr());
            assert!(started.stderr().lines().count() <= 1, "round {round}: {}", started.stderr());
        }
        sandbox.command(&["delete", "--force", "ID"]).success();
        wait_until_gone(sandbox.id());
        sandbox.assert_nothing_left();
    }
}

#[test]
fn racing_deletes_all_end_well() {
    for _ in 0..5 {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.probe(&["pause"]);
        });
        let _streams = sandbox.with_bundle("run", &["--detach"]).output().success();
        let racing: Vec<Running> =
            (0..4).map(|_| sandbox.runtime(&["delete", "--force", sandbox.id()]).spawn()).collect();
        for output in racing.into_iter().map(Running::wait) {
            assert!(output.code() == 0 || !runtime().is_ours(), "{}", output.stderr());
        }
        sandbox.command(&["delete", "--force", "ID"]).success();
        sandbox.assert_nothing_left();
    }
}

on_hosts! {
    fn many_containers_at_once(host: Host) {
        let sandboxes: Vec<Sandbox> = (0..24).map(|_| Sandbox::on(host)).collect();
        let creating: Vec<Running> = sandboxes
            .iter()
            .map(|sandbox| {
                sandbox.configure(|config| { config.probe(&["pause"]); });
                sandbox.with_bundle("run", &["--detach"]).spawn()
            })
            .collect();
        let _streams: Vec<Output> = creating.into_iter().map(|running| running.wait().success()).collect();
        for sandbox in &sandboxes {
            assert_eq!(sandbox.state()["status"], "running");
        }
        let deleting: Vec<Running> =
            sandboxes.iter().map(|sandbox| sandbox.runtime(&["delete", "--force", sandbox.id()]).spawn()).collect();
        for running in deleting {
            drop(running.wait().success());
        }
        for sandbox in &sandboxes {
            sandbox.assert_nothing_left();
        }
    }
}
