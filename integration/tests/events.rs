//! `events`: statistics, memory that runs out, and the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Command;

use integration::harness::*;
use integration::{differs_from, on_hosts, skip};
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use serde_json::{Value, json};

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
}

fn stats_of(sandbox: &Sandbox) -> Value {
    let text = sandbox.command(&["events", "--stats", "ID"]).success().stdout();
    assert_eq!(text.lines().count(), 1, "{text}");
    let event = parse(&text);
    assert_eq!((&event["type"], &event["id"]), (&json!("stats"), &json!(sandbox.id())));
    event["data"].clone()
}

/// Watches the container; returns when the watch has begun.
fn watching(sandbox: &Sandbox) -> Running {
    let mut watch = sandbox.runtime(&["events", "--interval", "100ms", sandbox.id()]).spawn();
    assert_eq!(parse(&watch.line())["type"], "stats");
    watch
}

/// The types of the events that a watch printed until its end, which must come by itself.
fn types_until_end(watch: Running) -> Vec<String> {
    let text = watch.wait().success().stdout();
    text.lines().map(|line| parse(line)["type"].as_str().unwrap().to_owned()).collect()
}

fn paused(sandbox: &Sandbox) -> Container<'_> {
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    container
}

on_hosts! {
    fn statistics_are_those_of_the_container(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = sandbox.started(&["orphans", "2"], |_| {});
        assert_eq!(container.line(), "ready");
        let stats = stats_of(&sandbox);
        assert!(stats["cpu"]["usage"]["total"].as_u64().unwrap() > 0, "{stats}");
        assert_eq!(stats["pids"]["current"], 3, "{stats}");
        if host.has_controller("memory") {
            assert!(stats["memory"]["usage"]["usage"].as_u64().unwrap() > 0, "{stats}");
            assert!(stats["memory"]["raw"].is_object(), "{stats}");
        }
        if !host.has_v1() && std::path::Path::new("/proc/pressure").exists() {
            assert!(stats["cpu"]["psi"]["some"]["total"].is_u64(), "{stats}");
        }
    }

    fn the_watch_ends_with_the_container(host: Host) {
        differs_from!("runc", "it watches until the cgroup is removed");
        let sandbox = Sandbox::on(host);
        let container = paused(&sandbox);
        let watch = watching(&sandbox);
        let slow = sandbox.runtime(&["events", "--interval", "10h", sandbox.id()]).spawn();
        container.kill("KILL");
        assert_eq!(container.wait(), 137);
        assert!(types_until_end(watch).iter().all(|kind| kind == "stats"));
        // If it came too late to watch, it says so.
        assert!([0, 1].contains(&slow.wait().code()));
        container.delete();
    }

    fn the_watch_ends_when_the_container_is_deleted(host: Host) {
        if !host.has_controller("memory") {
            differs_from!("runc", "it watches nothing without the memory controller");
        }
        for _ in 0..5 {
            let sandbox = Sandbox::on(host);
            let container = paused(&sandbox);
            let watch = watching(&sandbox);
            sandbox.command(&["delete", "--force", "ID"]).success();
            assert!(types_until_end(watch).iter().all(|kind| kind == "stats"));
            assert_eq!(container.wait(), 137);
            sandbox.assert_nothing_left();
        }
    }

    fn statistics_have_the_keys_of_runc(host: Host) {
        let runcs = reference_runcs();
        if runcs.is_empty() {
            skip!("no runc to compare with; name one in $RUNC");
        }
        let ours = Sandbox::on(host);
        let _container = paused(&ours);
        let ours = keys(&stats_of(&ours));
        for runc in runcs {
            let theirs = stats_by(&runc, host);
            if theirs["cpu"]["psi"].is_null() && ours.contains("/cpu/psi") {
                println!("{} knows no pressure; not compared", runc.display());
                continue;
            }
            assert_eq!(ours, keys(&theirs), "compared with {}", runc.display());
        }
    }
}

/// Every runc that is installed.
fn reference_runcs() -> Vec<PathBuf> {
    let peers = std::env::var_os("PEERS_DIR").map(|folder| PathBuf::from(folder).join("runc"));
    let named = std::env::var_os("RUNC").map(PathBuf::from);
    let known = [named, peers, Some("runc".into())].into_iter().flatten();
    known.filter(|path| Command::new(path).arg("--version").output().is_ok()).collect()
}

/// What another runtime says of a container like ours.
fn stats_by(runc: &std::path::Path, host: Host) -> Value {
    let sandbox = Sandbox::on(host);
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let root = sandbox.file("runc");
    let call = |arguments: &[&str]| {
        let mut words: Vec<&str> = host.wrapper().to_vec();
        words.extend([runc.to_str().unwrap(), "--root", &root]);
        words.extend(arguments);
        Invocation::new(&words).env("TEST_SANDBOX", sandbox.id()).output().success()
    };
    let bundle = sandbox.bundle();
    let mut running = call(&["run", "--detach", "--bundle", bundle.to_str().unwrap(), sandbox.id()]);
    assert_eq!(running.next_line(), "\"ready\"");
    let stats = parse(&call(&["events", "--stats", sandbox.id()]).stdout())["data"].clone();
    let pid = parse(&call(&["state", sandbox.id()]).stdout())["pid"].as_i64().unwrap();
    call(&["delete", "--force", sandbox.id()]);
    // This one, and no child of a test beside this one.
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    waitpid(Some(pid), WaitOptions::empty()).unwrap();
    stats
}

/// The keys of a document as paths. What depends on the moment, and not on the runtime, is left out: devices that were
/// read from, the page cache, periods of the CPU quota; and huge pages, which runc does not look for in the unified
/// hierarchy of a hybrid host.
fn keys(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect_keys(value, "", &mut found);
    let by_chance = ["/blkio/io", "/blkio/sectors", "/memory/cache", "/cpu/throttling/", "/hugetlb/"];
    found.retain(|path| !by_chance.iter().any(|start| path.starts_with(start)));
    found
}

fn collect_keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}/{key}");
        collect_keys(value, &path, found);
        found.insert(path);
    }
}

/// A created container that is going to ask for more memory than it may have.
fn hungry(sandbox: &Sandbox) -> Container<'_> {
    sandbox.configure(|config| {
        config.probe(&["alloc", &(128 << 20).to_string()]);
        config["linux"]["resources"]["memory"] = json!({ "limit": 32 << 20, "swap": 32 << 20 });
    });
    sandbox.create()
}

macro_rules! needs_memory {
    ($host:expr) => {
        if !$host.has_controller("memory") {
            skip!("needs the memory controller");
        }
    };
}

on_hosts! {
    fn memory_that_runs_out_is_an_event(host: Host) {
        differs_from!("runc", "it watches until the cgroup is removed");
        needs_memory!(host);
        let sandbox = Sandbox::on(host);
        let container = hungry(&sandbox);
        let watch = watching(&sandbox);
        container.start();
        assert_eq!(container.wait(), 137);
        let types = types_until_end(watch);
        assert!(types.iter().any(|kind| kind == "oom"), "{types:?}");
        container.delete();
    }

    fn it_is_not_lost_when_the_container_is_deleted_before_anybody_looks(host: Host) {
        differs_from!("runc", "it takes the removal of the cgroup for the end, whatever happened before");
        needs_memory!(host);
        let sandbox = Sandbox::on(host);
        let container = hungry(&sandbox);
        let watch = watching(&sandbox);
        watch.signal(Signal::STOP);
        container.start();
        assert_eq!(container.wait(), 137);
        sandbox.command(&["delete", "ID"]).success();
        watch.signal(Signal::CONT);
        let types = types_until_end(watch);
        assert_eq!(types.iter().filter(|kind| *kind == "oom").count(), 1, "{types:?}");
    }

    fn no_event_is_made_up_for_a_container_that_just_ends(host: Host) {
        needs_memory!(host);
        let sandbox = Sandbox::on(host);
        let container = paused(&sandbox);
        let watch = watching(&sandbox);
        watch.signal(Signal::STOP);
        container.kill("KILL");
        assert_eq!(container.wait(), 137);
        sandbox.command(&["delete", "ID"]).success();
        watch.signal(Signal::CONT);
        let types = types_until_end(watch);
        assert!(types.iter().all(|kind| kind == "stats"), "{types:?}");
    }
}

#[test]
fn what_cannot_be_watched_is_told() {
    let sandbox = Sandbox::new();
    for flags in [&[][..], &["--stats"]] {
        let words: Vec<&str> = ["events"].iter().chain(flags).chain(&["ID"]).copied().collect();
        sandbox.command(&words).fails_saying("container does not exist");
    }
    let container = paused(&sandbox);
    for interval in ["0", "0s", "-5s"] {
        let output = sandbox.command(&["events", "--interval", interval, "ID"]);
        assert_eq!(output.code(), 1, "{interval}: {}", output.stderr());
    }
    sandbox.command(&["events", "--interval", "0", "ID"]).fails_saying("interval must be greater than 0");
    sandbox.command(&["events", "--interval", "soon", "ID"]).exits_with(1);
    container.kill("KILL");
    assert_eq!(container.wait(), 137);
    for flags in [&[][..], &["--stats"]] {
        let words: Vec<&str> = ["events"].iter().chain(flags).chain(&["ID"]).copied().collect();
        sandbox.command(&words).fails_saying(&format!("container with id {} is not running", sandbox.id()));
    }
    container.delete();
}

#[test]
fn created_and_paused_containers_have_statistics() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let mut container = sandbox.create();
    // A reference runtime has threads as long as it waits.
    assert!(stats_of(&sandbox)["pids"]["current"].as_u64().unwrap() >= 1);
    container.start();
    assert_eq!(container.line(), "ready");
    sandbox.command(&["pause", "ID"]).success();
    assert_eq!(stats_of(&sandbox)["pids"]["current"], 1);
    sandbox.command(&["resume", "ID"]).success();
}

/// A pipe whose reader is gone, or is there until the second half is dropped.
fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
}

#[test]
fn without_a_reader_it_ends_quietly() {
    differs_from!("runc", "it goes on and reports every line that it could not write");
    let sandbox = Sandbox::new();
    let _container = paused(&sandbox);
    for words in [&["--stats"][..], &["--interval", "50ms"], &["--interval", "10h"]] {
        let (reader, stdout) = pipe();
        let (errors, stderr) = pipe();
        drop(reader);
        let words: Vec<&str> = ["events"].iter().chain(words).chain(&[sandbox.id()]).copied().collect();
        let output = sandbox.runtime(&words).stdout_and_stderr(stdout, stderr).output();
        assert_eq!(output.code(), 0, "{words:?}");
        assert_eq!(
            Stream::over(errors).rest(std::time::Instant::now() + std::time::Duration::from_secs(60)),
            ""
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_noticed_at_once() {
    differs_from!("runc", "it writes on");
    let sandbox = Sandbox::new();
    let _container = paused(&sandbox);
    let (reader, stdout) = pipe();
    let (_errors, stderr) = pipe();
    let watch = sandbox
        .runtime(&["events", "--interval", "10h", sandbox.id()])
        .stdout_and_stderr(stdout, stderr)
        .spawn();
    drop(reader);
    watch.wait().success();
}

#[test]
fn statistics_of_containers_that_vanish_are_complete_or_an_error() {
    for _ in 0..10 {
        let sandbox = Sandbox::new();
        let container = paused(&sandbox);
        let asking: Vec<Running> =
            (0..4).map(|_| sandbox.runtime(&["events", "--stats", sandbox.id()]).spawn()).collect();
        sandbox.command(&["delete", "--force", "ID"]).success();
        for output in asking.into_iter().map(Running::wait) {
            match output.code() {
                0 => assert!(parse(&output.stdout())["data"]["cpu"].is_object()),
                _ => assert_eq!(output.stderr().lines().count(), 1, "{}", output.stderr()),
            }
        }
        assert_eq!(container.wait(), 137);
        sandbox.assert_nothing_left();
    }
}
