//! The attack of CVE-2019-5736 on an executable that sealed itself: keep a handle to `/proc/PID/exe`,
//! and write through it as soon as nobody executes the file any more.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which are exempt")]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, open};

/// Held while the example runs and is attacked: a file that anybody executes is busy, whatever protects it.
static EXAMPLE: Mutex<()> = Mutex::new(());

fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/sealed")
}

fn spawn(mut command: Command) -> (Child, serde_json::Value) {
    let mut child =
        command.env("SEALED_MARKER", "kept").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

/// The errno that an attacker gets who took a handle to the executable while it ran.
fn write_afterwards(mut child: Child) -> Option<i32> {
    let path = format!("/proc/{}/exe", child.id());
    let handle: OwnedFd = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let path = format!("/proc/self/fd/{}", handle.as_raw_fd());
    // The byte is the one that is there, lest a failing test ruins the example for the next run.
    let attack = OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(b"\x7f"));
    attack.err().and_then(|error| error.raw_os_error())
}

fn check_report(report: &serde_json::Value, child: &Child) {
    let program = example();
    assert_eq!(report["sealed"], true);
    assert_eq!(report["arguments"], serde_json::json!([program, "one", "two words", ""]));
    assert_eq!(report["marker"], "kept");
    assert_eq!(report["name"], "sealed");
    assert_eq!(report["pid"], child.id());
}

#[test]
fn with_the_right_to_mount_the_executable_is_on_a_read_only_mount() {
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: not root");
    }
    let _alone = EXAMPLE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(example());
    command.args(["one", "two words", ""]);
    let (child, report) = spawn(command);
    check_report(&report, &child);
    // Nor can anybody execute it: not even a program that is told to by a script in a container.
    let error = Command::new(format!("/proc/{}/exe", child.id())).spawn().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    let link = |name: &str| std::fs::read_link(format!("/proc/{}/{name}", child.id())).unwrap();
    let mut open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let is_executable = |name: &str| link(&format!("fd/{name}")) == link("exe");
    assert!(
        open.all(|fd| !is_executable(fd.unwrap().file_name().to_str().unwrap())),
        "the mount is left open"
    );
    assert_eq!(write_afterwards(child), Some(libc::EROFS));
}

#[test]
fn without_the_right_to_mount_the_executable_is_a_sealed_copy() {
    if !rustix::process::geteuid().is_root() {
        return println!("skipped: not root");
    }
    let _alone = EXAMPLE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-sys_admin").arg(example()).args(["one", "two words", ""]);
    if Command::new("setpriv").arg("--version").stdout(Stdio::null()).status().is_err() {
        return println!("skipped: no setpriv (util-linux)");
    }
    let (child, report) = spawn(command);
    check_report(&report, &child);
    let executable = std::fs::read_link(format!("/proc/{}/exe", child.id())).unwrap();
    assert!(executable.to_string_lossy().starts_with("/memfd:"), "{}", executable.display());
    assert_eq!(write_afterwards(child), Some(libc::EPERM));
}

#[test]
fn an_executable_that_did_not_seal_itself_can_be_overwritten() {
    // The negative control: the attack works, so the tests above show something.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("cat");
    // A child copies: a descriptor for writing in this process could be inherited by another test's child, and the
    // copy be busy.
    assert!(Command::new("cp").arg("/bin/cat").arg(&copy).status().unwrap().success());
    let child = Command::new(copy).stdin(Stdio::piped()).spawn().unwrap();
    assert_eq!(write_afterwards(child), None);
}
