//! Calls that a profile leaves to somebody else: the listener on its way to the agent, and what the agent decides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail
#![allow(unsafe_code, reason = "an agent talks to the kernel by ioctl")]

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::Instant;

use integration::differs_from;
use integration::harness::*;
use serde_json::{Value, json};

/// `struct seccomp_notif`
#[repr(C)]
#[derive(Default)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    data: [u64; 8],
}

/// `struct seccomp_notif_resp`
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const CONTINUE: u32 = 1;

/// What an agent answers to each call that it is asked about.
#[derive(Clone, Copy)]
enum Answer {
    Errno(i32),
    Continue,
}

/// Answers until nobody can ask any more; returns how many calls it was asked about.
fn answer(listener: &OwnedFd, answer: Answer) -> u32 {
    for count in 0.. {
        // At the end of the last process with the filter there is a hang-up instead.
        assert!(
            wait_readable(&[listener.as_fd()], Instant::now() + PATIENCE)[0],
            "nobody asks and nobody ends"
        );
        let mut asked = Notification::default();
        // SAFETY: the kernel writes one struct seccomp_notif, whose layout this is.
        if unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE as _, &raw mut asked) } != 0 {
            return count;
        }
        let (error, flags) = match answer {
            Answer::Errno(errno) => (-errno, 0),
            Answer::Continue => (0, CONTINUE),
        };
        let response = Response { id: asked.id, value: 0, error, flags };
        // SAFETY: the kernel reads one struct seccomp_notif_resp, whose layout this is.
        let sent = unsafe { libc::ioctl(listener.as_raw_fd(), SEND as _, &raw const response) };
        assert_eq!(sent, 0, "{}", std::io::Error::last_os_error());
    }
    unreachable!("the loop has no end")
}

/// An agent that waits for one listener; gives what came with that, and how many calls it was asked about.
fn agent(socket: Console, with: Answer) -> JoinHandle<(Value, u32)> {
    std::thread::spawn(move || {
        let (listener, message) = socket.receive();
        (serde_json::from_str(&message).unwrap(), answer(&listener, with))
    })
}

fn notify(config: &mut Config, names: &[&str], socket: &str) {
    config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": socket,
        "listenerMetadata": "for web", "syscalls": [{ "names": names, "action": "SCMP_ACT_NOTIFY" }] });
}

#[test]
fn an_agent_decides_calls_of_a_container_that_runs_at_once() {
    for no_new_privileges in [true, false] {
        let sandbox = Sandbox::new();
        let socket = Console::listen(sandbox.path());
        sandbox.configure(|config| {
            config.probe(&["try", "syscall", "getppid", "--", "syscall", "getpid"]);
            config["process"]["noNewPrivileges"] = json!(no_new_privileges);
            config["annotations"] = json!({ "a": "b" });
            notify(config, &["getppid"], socket.path());
        });
        let agent = agent(socket, Answer::Errno(77));
        let output = sandbox.run().success();
        assert_eq!(errnos(&output.stdout()), [77, 0], "{}", output.stderr());
        let (state, asked) = agent.join().unwrap();
        assert_eq!(asked, 1);
        assert_eq!(state["fds"], json!(["seccompFd"]));
        assert_eq!(state["metadata"], "for web");
        assert!(state["ociVersion"].is_string(), "{state}");
        let container = &state["state"];
        assert_eq!(container["id"], sandbox.id());
        assert_eq!(container["bundle"], sandbox.bundle().to_str().unwrap());
        assert_eq!(container["annotations"]["a"], "b");
        assert_eq!(container["pid"], state["pid"], "the first process has the filter");
        assert!(["creating", "created"].contains(&container["status"].as_str().unwrap()), "{state}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn the_agent_hears_of_a_created_container_before_its_program_runs() {
    let sandbox = Sandbox::new();
    let socket = Console::listen(sandbox.path());
    sandbox.configure(|config| {
        config.probe(&["try", "syscall", "getppid"]);
        notify(config, &["getppid"], socket.path());
    });
    let agent = agent(socket, Answer::Errno(78));
    let mut container = sandbox.create();
    let pid = container.pid();
    container.start();
    assert_eq!(container.line()[0]["errno"], 78);
    assert_eq!(container.wait(), 0);
    let (state, asked) = agent.join().unwrap();
    assert_eq!((state["pid"].as_u64().unwrap(), asked), (u64::from(pid), 1));
    container.delete();
}

#[test]
fn even_the_exec_of_the_program_can_be_left_to_the_agent() {
    let sandbox = Sandbox::new();
    let socket = Console::listen(sandbox.path());
    sandbox.configure(|config| {
        config.probe(&["exit", "6"]);
        notify(config, &["execve"], socket.path());
    });
    let agent = agent(socket, Answer::Continue);
    drop(sandbox.run().exits_with(6));
    assert_eq!(agent.join().unwrap().1, 1);
}

#[test]
fn an_agent_is_not_called_if_nothing_is_left_to_it() {
    let sandbox = Sandbox::new();
    let output = sandbox.run_probe(&["exit", "5"], |config| {
        config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": sandbox.file("nobody.sock"), "syscalls": [] });
    });
    let output = output.exits_with(5);
    if runtime().is_ours() {
        assert!(
            output.stderr().contains("/linux/seccomp/listenerPath: the listener is not called"),
            "{}",
            output.stderr()
        );
    }
}

#[test]
fn without_an_agent_nothing_starts() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "5"]);
        notify(config, &["getppid"], &sandbox.file("nobody.sock"));
    });
    let error = sandbox.run().exits_with(1).stderr();
    assert!(error.contains("nobody.sock"), "{error}");
    sandbox.assert_nothing_left();
    differs_from!("runc", "create sends the listener already");
    let container = sandbox.create();
    let error = sandbox.command(&["start", "ID"]).exits_with(1).stderr();
    assert!(error.contains("/linux/seccomp/listenerPath") && error.contains("nobody.sock"), "{error}");
    assert_eq!(container.wait(), 1);
    assert_eq!(container.status(), "stopped");
    container.delete();
}

#[test]
fn calls_that_bring_the_listener_to_the_agent_cannot_be_left_to_it() {
    differs_from!("runc", "it needs others");
    for name in ["sendmsg", "recvfrom"] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| notify(config, &[name], "/nonexistent.sock"));
        let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
        assert!(error.contains("/linux/seccomp: ") && error.contains(name), "{error}");
        assert!(error.contains("listener"), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn hooks_of_the_container_have_no_agent_and_are_told_so() {
    differs_from!("runc", "its hooks share the listener");
    let sandbox = Sandbox::new();
    let socket = Console::listen(sandbox.path());
    sandbox.configure(|config| {
        config.probe(&["try", "mkdir", "/tmp/program"]);
        notify(config, &["mkdir", "mkdirat"], socket.path());
        let mkdir = json!([{ "path": "/probe", "args": ["probe", "try", "mkdir", "/tmp/hook"] }]);
        config["hooks"] = json!({ "startContainer": mkdir });
    });
    let agent = agent(socket, Answer::Errno(79));
    let output = sandbox.run().success();
    assert_eq!(errnos(&output.stdout()), [79], "{}", output.stderr());
    assert_eq!(agent.join().unwrap().1, 1, "only the program asked");
    assert!(!sandbox.rootfs().join("tmp/hook").exists());
}

#[test]
fn a_program_of_exec_has_a_listener_of_its_own() {
    let sandbox = Sandbox::new();
    let first = Console::listen(sandbox.path());
    let path = first.path().to_owned();
    let init = agent(first, Answer::Continue);
    let mut container = sandbox.started(&["pause"], |config| notify(config, &["getppid"], &path));
    assert_eq!(container.line(), "ready");
    std::fs::remove_file(&path).unwrap();
    let program = agent(Console::listen(sandbox.path()), Answer::Errno(80));
    let output = sandbox.command(&["exec", "ID", "/probe", "try", "syscall", "getppid"]).success();
    assert_eq!(errnos(&output.stdout()), [80], "{}", output.stderr());
    let (state, asked) = program.join().unwrap();
    assert_eq!(asked, 1);
    assert_eq!(state["state"]["status"], "running");
    assert_eq!(state["state"]["pid"].as_u64().unwrap(), u64::from(container.pid()));
    assert_ne!(state["pid"], state["state"]["pid"], "the program has the filter");
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
    assert_eq!(init.join().unwrap().1, 0);
    container.delete();
}
