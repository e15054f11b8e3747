//! `pause` and `resume`, and what else may be done to a container meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;

use integration::harness::*;
use integration::skip;

/// The same on this host as it is, on cgroup v2 alone, and on the v1 hierarchies alone.
macro_rules! on_all_hosts {
    ($(fn $name:ident($host:ident: Host) $body:block)+) => {$(
        mod $name {
            use super::*;

            fn check($host: Host) $body

            #[test]
            fn native() {
                check(Host::Native);
            }

            #[test]
            fn v2() {
                check(Host::V2);
            }

            #[test]
            fn v1() {
                if !Host::V1.has_v1() {
                    skip!("needs cgroup v1 controllers");
                }
                check(Host::V1);
            }
        }
    )+};
}

/// What the kernel says of the container's freezers.
fn is_frozen(sandbox: &Sandbox) -> bool {
    cgroups_named(sandbox.id()).iter().any(|cgroup| {
        let read = |file: &str| fs::read_to_string(cgroup.join(file)).unwrap_or_default();
        read("freezer.state") == "FROZEN\n" || read("cgroup.events").contains("frozen 1")
    })
}

fn paused(sandbox: &Sandbox) -> Container<'_> {
    let mut container = sandbox.started(&["signals"], |_| {});
    assert_eq!(container.line(), "ready");
    sandbox.command(&["pause", "ID"]).success();
    container
}

on_all_hosts! {
    fn a_paused_container_stands_still_until_it_is_resumed(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = paused(&sandbox);
        assert_eq!(container.status(), "paused");
        assert!(is_frozen(&sandbox));
        container.kill("USR1");
        assert_eq!(container.stdout.text(), "", "a signal waits as well");
        sandbox.command(&["resume", "ID"]).success();
        assert!(!is_frozen(&sandbox));
        assert_eq!(container.line(), libc::SIGUSR1);
        assert_eq!(container.status(), "running");
        container.kill("TERM");
        assert_eq!(container.wait(), 0);
        container.delete();
    }

    fn it_can_be_killed(host: Host) {
        for words in [&["kill", "ID", "KILL"][..], &["kill", "--all", "ID", "KILL"]] {
            let sandbox = Sandbox::on(host);
            let container = paused(&sandbox);
            sandbox.command(words).success();
            assert_eq!(container.wait(), 137, "{words:?}");
            assert_eq!(container.status(), "stopped");
            container.delete();
        }
    }

    fn it_is_deleted_by_force_only(host: Host) {
        let sandbox = Sandbox::on(host);
        let container = paused(&sandbox);
        sandbox.command(&["delete", "ID"]).fails_saying("cannot delete container");
        assert_eq!(container.status(), "paused");
        sandbox.command(&["delete", "--force", "ID"]).success();
        assert_eq!(container.wait(), 137);
        sandbox.assert_nothing_left();
    }

    fn a_created_container_can_be_paused_before_its_start(host: Host) {
        let sandbox = Sandbox::on(host);
        sandbox.configure(|config| { config.probe(&["exit", "3"]); });
        let container = sandbox.create();
        sandbox.command(&["pause", "ID"]).success();
        assert_eq!(container.status(), "paused");
        sandbox.command(&["start", "ID"]).exits_with(1);
        sandbox.command(&["resume", "ID"]).success();
        assert_eq!(container.status(), "created");
        container.start();
        assert_eq!(container.wait(), 3);
        container.delete();
    }

    fn processes_in_cgroups_below_are_paused_too(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = sandbox.started(&["orphans", "1"], |_| {});
        assert_eq!(container.line(), "ready");
        for cgroup in cgroups_named(sandbox.id()) {
            let listed = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap();
            let other = listed.lines().find(|pid| *pid != container.pid().to_string()).unwrap();
            fs::create_dir(cgroup.join("below")).unwrap();
            for file in ["cpuset.cpus", "cpuset.mems"] {
                if let Ok(value) = fs::read_to_string(cgroup.join(file)) {
                    fs::write(cgroup.join("below").join(file), value).unwrap();
                }
            }
            fs::write(cgroup.join("below/cgroup.procs"), other).unwrap();
        }
        sandbox.command(&["pause", "ID"]).success();
        let below: Vec<_> = cgroups_named(sandbox.id()).into_iter().filter(|path| path.ends_with("below")).collect();
        let frozen = below.iter().any(|cgroup| {
            let read = |file: &str| fs::read_to_string(cgroup.join(file)).unwrap_or_default();
            read("freezer.state") == "FROZEN\n" || read("cgroup.events").contains("frozen 1")
        });
        assert!(frozen, "{below:?}");
        sandbox.command(&["delete", "--force", "ID"]).success();
        assert_eq!(container.wait(), 137);
        sandbox.assert_nothing_left();
    }
}

#[test]
fn wrong_states_are_told_in_the_words_that_clients_know() {
    let sandbox = Sandbox::new();
    for command in ["pause", "resume"] {
        sandbox.command(&[command, "ID"]).fails_saying("container does not exist");
    }
    let container = paused(&sandbox);
    sandbox.command(&["pause", "ID"]).fails_saying("container not running");
    sandbox.command(&["resume", "ID"]).success();
    sandbox.command(&["resume", "ID"]).fails_saying("container not paused");
    container.kill("KILL");
    assert_eq!(container.wait(), 137);
    sandbox.command(&["pause", "ID"]).fails_saying("container not running");
    sandbox.command(&["resume", "ID"]).fails_saying("container not paused");
    container.delete();
}

#[test]
fn pausing_and_deleting_race_to_a_clear_end() {
    for host in [Host::Native, Host::V1, Host::V2] {
        if host == Host::V1 && !host.has_v1() {
            continue;
        }
        for _ in 0..5 {
            let sandbox = Sandbox::on(host);
            let mut container = sandbox.started(&["pause"], |_| {});
            assert_eq!(container.line(), "ready");
            let pausing = sandbox.runtime(&["pause", sandbox.id()]).spawn();
            let deleting = sandbox.runtime(&["delete", "--force", sandbox.id()]).spawn();
            let (paused, deleted) = (pausing.wait(), deleting.wait());
            assert!([0, 1].contains(&paused.code()), "{}", paused.stderr());
            if runtime().is_ours() {
                assert_eq!(deleted.code(), 0, "{}", deleted.stderr());
            }
            sandbox.command(&["delete", "--force", "ID"]).success();
            assert_eq!(container.wait(), 137);
            sandbox.assert_nothing_left();
        }
    }
}
