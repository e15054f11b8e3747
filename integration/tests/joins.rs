//! Namespaces in combination: new ones, those of a process that holds them, and the host's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;

use integration::harness::*;
use integration::on_hosts;
use rustix::process::Signal;
use serde_json::json;

/// Names of config.json and of /proc/PID/ns.
const KINDS: [(&str, &str); 6] = [
    ("pid", "pid"),
    ("network", "net"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Host,
    New,
    Join,
}

const CHOICES: [Choice; 3] = [Choice::Host, Choice::New, Choice::Join];

/// One choice a kind. All 729 would take long; each number here differs from the next in every kind but one at most,
/// and every pair of choices of every pair of kinds is among them.
fn combinations() -> impl Iterator<Item = [Choice; 6]> {
    (0..729usize).step_by(38).map(|number| {
        let mut rest = number;
        [(); 6].map(|()| {
            let choice = CHOICES[rest % 3];
            rest /= 3;
            choice
        })
    })
}

#[test]
fn the_combinations_have_every_pair_of_choices() {
    for one in 0..6 {
        for other in 0..one {
            let pairs: Vec<_> = combinations().map(|choice| (choice[one], choice[other])).collect();
            for pair in CHOICES.iter().flat_map(|first| CHOICES.map(|second| (*first, second))) {
                assert!(pairs.contains(&pair), "{one} {other} {pair:?}");
            }
        }
    }
}

/// Leaves the container only what it can have in anybody's namespaces: a procfs, sysfs or mqueue belongs to one.
fn plain_mounts(config: &mut Config) {
    config.as_object_mut().unwrap().remove("hostname");
    for destination in ["/proc", "/sys", "/sys/fs/cgroup", "/dev/mqueue"] {
        config.without_mount(destination);
    }
    config.bind("/proc", "/proc", &["rbind"]);
    config["linux"]["maskedPaths"] = json!([]);
    config["linux"]["readonlyPaths"] = json!([]);
}

fn target(path: &str) -> String {
    fs::read_link(path).unwrap().to_str().unwrap().replace("_for_children", "")
}

/// The path of a namespace that `holder` has made, whose own process may be outside.
fn held(holder: &Holder, name: &str) -> String {
    let children = ["pid", "time"].contains(&name);
    holder.namespace(&if children { format!("{name}_for_children") } else { name.to_owned() })
}

fn check(choice: [Choice; 6], holder: &Holder, user: impl FnOnce(&mut Config), seen: impl Fn(&Report)) {
    let sandbox = Sandbox::new();
    let report = sandbox.report(|config| {
        plain_mounts(config);
        user(config);
        for ((kind, name), choice) in KINDS.iter().zip(choice) {
            match choice {
                Choice::Host => config.without_namespace(kind),
                Choice::New => config.namespace(kind),
                Choice::Join => config.join(kind, &held(holder, name)),
            };
        }
    });
    for ((kind, name), choice) in KINDS.iter().zip(choice) {
        let (found, host) = (report.namespace(name), target(&format!("/proc/self/ns/{name}")));
        let held = target(&held(holder, name));
        match choice {
            Choice::Host => assert_eq!(found, host, "{kind} of {choice:?}"),
            Choice::Join => assert_eq!(found, held, "{kind} of {choice:?}"),
            Choice::New => assert!(found != host && found != held, "{kind} of {choice:?}"),
        }
    }
    seen(&report);
    sandbox.assert_nothing_left();
}

fn holder() -> Holder {
    Holder::new(&["--net", "--ipc", "--uts", "--cgroup", "--time", "--pid", "--fork"])
}

#[test]
fn every_kind_can_be_new_joined_or_the_hosts_whatever_the_others_are() {
    let holder = holder();
    for choice in combinations() {
        check(
            choice,
            &holder,
            |_| {},
            |report| {
                assert_eq!(report.namespace("user"), target("/proc/self/ns/user"));
            },
        );
    }
}

#[test]
fn a_new_user_namespace_goes_with_every_combination() {
    let holder = holder();
    for choice in combinations() {
        let user = |config: &mut Config| {
            config.user_namespace(100_000, 65_536);
        };
        check(choice, &holder, user, |report| {
            assert_ne!(report.namespace("user"), target("/proc/self/ns/user"));
            assert_eq!(report["process"]["uid"]["effective"], 0);
        });
    }
}

#[test]
fn a_joined_user_namespace_goes_with_namespaces_that_it_does_not_own() {
    let owner = Sandbox::new();
    let mut first = owner.started(&["pause"], |config| {
        config.user_namespace(100_000, 65_536);
    });
    assert_eq!(first.line(), "ready");
    let path = first.proc("ns/user");
    let holder = holder();
    for choice in combinations().step_by(3) {
        let user = |config: &mut Config| {
            config.join("user", &path);
        };
        check(choice, &holder, user, |report| assert_eq!(report.namespace("user"), target(&path)));
    }
}

#[test]
fn namespaces_of_a_user_namespace_below_the_joined_one_are_joined_too() {
    let owner = Sandbox::new();
    let mut first = owner.started(&["pause"], |config| {
        config.user_namespace(100_000, 65_536);
    });
    assert_eq!(first.line(), "ready");
    let user = first.proc("ns/user");
    let below = Holder::through(&["nsenter", &format!("--user={user}")], &["--user", "--uts", "--ipc"]);
    let sandbox = Sandbox::new();
    let report = sandbox.report(|config| {
        plain_mounts(config);
        config.join("user", &user);
        for kind in ["uts", "ipc"] {
            config.join(kind, &below.namespace(kind));
        }
    });
    assert_eq!(report.namespace("user"), target(&user));
    assert_eq!(report.namespace("uts"), target(&below.namespace("uts")));
}

#[test]
fn a_mount_namespace_can_be_joined() {
    let sandbox = Sandbox::new();
    // Its root is the container's from then on, so it goes before what is left is counted.
    let holder = Holder::new(&["--mount", "--propagation", "private"]);
    let path = holder.namespace("mnt");
    let report = sandbox.report(|config| {
        config.join("mount", &path);
    });
    assert_eq!(report.namespace("mnt"), target(&path));
    assert_eq!(report.mount("/proc").unwrap()["type"], "proc");
}

#[test]
fn clocks_are_set_in_every_kind_of_user_namespace() {
    let offsets = json!({ "monotonic": { "secs": 1000, "nanosecs": 5 }, "boottime": { "secs": 2000 } });
    let holder = holder();
    let changes: [&dyn Fn(&mut Config); 4] = [
        &|_| {},
        &|config| {
            config.user_namespace(100_000, 65_536);
        },
        &|config| {
            config.join("pid", &held(&holder, "pid"));
        },
        &|config| {
            config.user_namespace(100_000, 65_536).join("uts", &holder.namespace("uts"));
        },
    ];
    for change in changes {
        let sandbox = Sandbox::new();
        let report = sandbox.report(|config| {
            plain_mounts(config);
            config.namespace("time");
            change(config);
            config["linux"]["timeOffsets"] = offsets.clone();
        });
        let words: Vec<&str> = report["timeOffsets"].as_str().unwrap().split_whitespace().collect();
        assert_eq!(words, ["monotonic", "1000", "5", "boottime", "2000", "0"]);
        assert_ne!(report.namespace("time"), target("/proc/self/ns/time"));
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_clock_that_cannot_be_is_an_error_that_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.namespace("time");
        config["linux"]["timeOffsets"] = json!({ "boottime": { "secs": -1_000_000_000 } });
    });
    let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
    if runtime().is_ours() {
        assert!(error.contains("/linux/timeOffsets") && error.contains("negative"), "{error}");
    }
    sandbox.assert_nothing_left();
    let unknown = Sandbox::new();
    unknown.configure(|config| {
        config.namespace("time");
        config["linux"]["timeOffsets"] = json!({ "realtime": { "secs": 1 } });
    });
    unknown.with_bundle("create", &[]).output().exits_with(1);
    unknown.assert_nothing_left();
}

/// A container whose program leaves processes behind that its end does not end, in a pid namespace of others.
fn with_orphans<'a>(sandbox: &'a Sandbox, holder: Option<&Holder>) -> Container<'a> {
    let mut container = sandbox.started(&["orphans", "3"], |config| {
        match holder {
            Some(holder) => config.join("pid", &held(holder, "pid")),
            None => config.without_namespace("pid"),
        };
    });
    drop(container.line());
    assert!(processes_of(sandbox.id()).len() > 3);
    container
}

on_hosts! {
    fn kill_in_a_pid_namespace_of_others_ends_the_whole_cgroup(host: Host) {
        let holder = holder();
        for holder in [None, Some(&holder)] {
            let sandbox = Sandbox::on(host);
            let container = with_orphans(&sandbox, holder);
            container.kill("KILL");
            assert_eq!(container.wait(), 137);
            wait_until_gone(sandbox.id());
            container.delete();
        }
    }

    fn delete_in_a_pid_namespace_of_others_ends_the_whole_cgroup(host: Host) {
        let holder = holder();
        for holder in [None, Some(&holder)] {
            let sandbox = Sandbox::on(host);
            let container = with_orphans(&sandbox, holder);
            sandbox.command(&["delete", "--force", "ID"]).success();
            assert_eq!(container.wait(), 137);
            sandbox.assert_nothing_left();
        }
    }

    fn delete_of_a_stopped_container_ends_what_its_program_left(host: Host) {
        let holder = holder();
        for holder in [None, Some(&holder)] {
            let sandbox = Sandbox::on(host);
            let container = with_orphans(&sandbox, holder);
            container.signal(Signal::KILL);
            assert_eq!(container.wait(), 137);
            assert_eq!(container.status(), "stopped");
            container.delete();
        }
    }
}
