//! `kill`, by every name and number, and at every stage of a container's life.

use std::fs;

use integration::differs_from;
use integration::harness::*;
use rustix::process::Signal;

/// In our record, before the time at which the first process started.
const START: &str = "\"start_time\":";

/// The signals that the probe prints.
const PRINTED: [(&str, i32); 8] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("USR1", 10),
    ("USR2", 12),
    ("ALRM", 14),
    ("CONT", 18),
    ("WINCH", 28),
];

/// Every signal by name; what a container ignores or ends by is not told, but the name must be known.
const NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

#[test]
fn a_signal_has_a_name_with_and_without_sig_and_a_number() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["signals"], |_| {});
    assert_eq!(container.line(), "ready");
    for (name, number) in PRINTED {
        let spellings = [
            name.to_owned(),
            format!("SIG{name}"),
            number.to_string(),
            name.to_lowercase(),
            format!("sig{}", name.to_lowercase()),
        ];
        for spelling in spellings {
            container.kill(&spelling);
            assert_eq!(container.line(), number, "{spelling}");
        }
    }
    container.kill("KILL");
    assert_eq!(container.wait(), 137);
}

#[test]
fn every_name_is_known() {
    // A process without a handler in a pid namespace of its own ignores all but two of them.
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    let fatal = ["KILL", "STOP", "TERM"];
    for (name, number) in NAMES.iter().filter(|(name, _)| !fatal.contains(name)) {
        container.kill(name);
        container.kill(&number.to_string());
    }
    for number in [34, 50, 64] {
        container.kill(&number.to_string());
    }
    assert_eq!(container.status(), "running");
    container.kill("SIGKILL");
    assert_eq!(container.wait(), 137);
}

#[test]
fn real_time_signals_have_names() {
    differs_from!("runc", "it knows them by number only");
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |config| {
        config.without_namespace("pid");
    });
    assert_eq!(container.line(), "ready");
    container.kill("SIGRTMIN+3");
    assert_eq!(container.wait(), 128 + 37);
}

#[test]
fn a_container_is_killed_at_every_stage() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let container = sandbox.create();
    sandbox.command(&["kill", "ID", "0"]).success();
    container.kill("KILL");
    assert_eq!(container.wait(), 137);
    sandbox.command(&["kill", "ID", "KILL"]).fails_saying("container not running");
    sandbox.command(&["kill", "--all", "ID", "KILL"]).success();
    container.delete();
    sandbox.command(&["kill", "ID", "KILL"]).fails_saying("container does not exist");
    sandbox.command(&["kill", "--all", "ID", "KILL"]).fails_saying("container does not exist");
}

#[test]
fn a_zombie_is_a_stopped_container() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    container.signal(Signal::KILL);
    // Not reaped: the end of its output is what tells.
    container.stdout.rest(std::time::Instant::now() + std::time::Duration::from_secs(60));
    wait_for_zombie(container.pid());
    assert_eq!(container.status(), "stopped");
    sandbox.command(&["kill", "ID", "TERM"]).fails_saying("container not running");
    sandbox.command(&["delete", "ID"]).success();
    assert_eq!(container.wait(), 137);
}

fn wait_for_zombie(pid: u32) {
    let raw = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let pidfd = rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty()).unwrap();
    let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut fds, None).unwrap();
}

#[test]
fn a_number_that_changed_hands_is_nobodys_container() {
    differs_from!("runc", "its state has another layout");
    differs_from!("crun", "its state has another layout");
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["term", "0"], |_| {});
    assert_eq!(container.line(), "ready");
    let path = sandbox.root().join(sandbox.id()).join("state.json");
    let text = fs::read_to_string(&path).unwrap();
    let (before, after) = text.split_once(START).expect("a start time");
    let digits = after.trim_start().find(|c: char| !c.is_ascii_digit()).unwrap();
    fs::write(&path, format!("{before}{START}1{}", &after.trim_start()[digits..])).unwrap();
    assert_eq!(container.status(), "stopped");
    sandbox.command(&["kill", "ID", "KILL"]).fails_saying("container not running");
    sandbox.command(&["kill", "ID", "TERM"]).fails_saying("container not running");
    fs::write(&path, text).unwrap();
    assert_eq!(container.status(), "running", "the process was not touched");
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
    container.delete();
}
