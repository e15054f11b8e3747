//! `ps`: which processes a container has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;

use integration::harness::*;
use integration::on_hosts;

fn numbers(sandbox: &Sandbox) -> Vec<u32> {
    let text = sandbox.command(&["ps", "-f", "json", "ID"]).success().stdout();
    let mut pids: Vec<u32> = serde_json::from_str(&text).unwrap();
    pids.sort_unstable();
    pids
}

fn with_orphans(sandbox: &Sandbox) -> Container<'_> {
    let mut container = sandbox.started(&["orphans", "2"], |_| {});
    assert_eq!(container.line(), "ready");
    container
}

on_hosts! {
    fn processes_are_listed_by_the_hosts_numbers(host: Host) {
        let sandbox = Sandbox::on(host);
        let container = with_orphans(&sandbox);
        let pids = numbers(&sandbox);
        assert_eq!(pids.len(), 3, "{pids:?}");
        assert!(pids.contains(&container.pid()), "{pids:?}");
        for pid in pids {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
            assert_eq!(line.split_terminator('\0').collect::<Vec<_>>(), ["/probe", "orphans", "2"]);
        }
    }

    fn cgroups_below_are_searched_too(host: Host) {
        let sandbox = Sandbox::on(host);
        let container = with_orphans(&sandbox);
        let before = numbers(&sandbox);
        let other = before.iter().find(|pid| **pid != container.pid()).unwrap();
        for cgroup in cgroups_named(sandbox.id()).iter().filter(|cgroup| !cgroup.join("cpuset.cpus").exists()) {
            fs::create_dir_all(cgroup.join("below/deeper")).unwrap();
            fs::write(cgroup.join("below/deeper/cgroup.procs"), other.to_string()).unwrap();
        }
        assert_eq!(numbers(&sandbox), before);
        drop(container);
        sandbox.command(&["delete", "--force", "ID"]).success();
        sandbox.assert_nothing_left();
    }
}

#[test]
fn the_table_is_that_of_ps_without_other_processes() {
    let sandbox = Sandbox::new();
    let container = with_orphans(&sandbox);
    let pids = numbers(&sandbox);
    for (options, title) in [
        (&[][..], "UID"),
        (&["-o", "pid,comm"], "PID"),
        (&["-eo", "user,pid,args"], "USER"),
        (&["aux"], "USER"),
    ] {
        let words: Vec<&str> = ["ps", "ID"].iter().chain(options).copied().collect();
        let table = sandbox.command(&words).success().stdout();
        let mut lines = table.lines();
        assert!(lines.next().unwrap().trim_start().starts_with(title), "{table}");
        if options.first() == Some(&"-o") {
            // Without -e ps(1) shows only what belongs to the caller's terminal.
            continue;
        }
        let shown: Vec<&str> = lines.collect();
        assert_eq!(shown.len(), 3, "{table}");
        for line in shown {
            let pid = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            assert!(pids.contains(&pid), "{table}");
        }
    }
    drop(container);
}

#[test]
fn mistakes_are_told() {
    let sandbox = Sandbox::new();
    sandbox.command(&["ps", "ID"]).fails_saying("container does not exist");
    sandbox.command(&["ps"]).exits_with(1);
    let container = with_orphans(&sandbox);
    sandbox.command(&["ps", "-f", "xml", "ID"]).fails_saying("invalid format option");
    sandbox.command(&["ps", "ID", "-o", "comm"]).fails_saying("couldn't find PID field in ps output");
    sandbox.command(&["ps", "ID", "--no-such-option"]).exits_with(1);
    drop(container);
}

#[test]
fn a_stopped_container_has_none() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
    });
    let container = sandbox.create();
    container.start();
    assert_eq!(container.wait(), 0);
    assert_eq!(sandbox.command(&["ps", "ID"]).success().stdout().lines().count(), 1, "the title");
    container.delete();
}
