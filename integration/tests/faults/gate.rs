//! A first process that dies at the gate was not started, whether it says why or cannot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::bundles;

/// Returns when process `pid` waits for what a socket has to say.
fn wait_for_answer(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let receives = format!("{} ", libc::SYS_recvmsg);
    while !fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap().starts_with(&receives) {
        assert!(Instant::now() < deadline, "process {pid} waits for nothing");
        std::thread::yield_now();
    }
}

#[test]
fn a_process_killed_before_it_heard_start() {
    let sandbox = bundles::default();
    let container = sandbox.create();
    container.signal(Signal::STOP);
    let start = sandbox.runtime(&["start", sandbox.id()]).spawn();
    wait_for_answer(start.pid());
    container.signal(Signal::KILL);
    let error = start.wait().fails_saying("the container's first process was killed by signal 9");
    assert!(error.contains("wait for start to exec /probe"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert_eq!(container.wait(), 137);
    assert_eq!(container.status(), "stopped");
    container.delete();
}

#[test]
fn a_process_whose_filter_forbids_it_to_say_that_exec_failed() {
    let sandbox = bundles::default();
    let broken = sandbox.rootfs().join("broken");
    fs::write(&broken, "neither ELF nor script").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.configure(|config| {
        config["process"]["args"] = json!(["/broken"]);
        config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{ "names": ["sendto", "sendmsg"], "action": "SCMP_ACT_ERRNO" }],
        });
    });
    let container = sandbox.create();
    let error = sandbox.command(&["start", "ID"]).fails_saying("exec /broken");
    assert!(error.contains("the container's first process ended with code 1"), "{error}");
    assert_eq!(container.status(), "stopped");
    container.delete();
    sandbox.run().fails_saying("exec /broken");
    sandbox.assert_nothing_left();
}
