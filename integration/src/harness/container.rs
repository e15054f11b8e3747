//! A container that was created, until its process ends.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use serde_json::Value;

use super::invocation::{Output, PATIENCE};
use super::report::Report;
use super::sandbox::Sandbox;
use super::stream::{Stream, wait_readable};

/// A created container.
pub struct Container<'a> {
    sandbox: &'a Sandbox,
    pid: u32,
    pidfd: OwnedFd,
    /// The container's standard output.
    pub stdout: Stream,
    /// The container's standard error, and that of `create`.
    pub stderr: Stream,
}

impl<'a> Container<'a> {
    /// The container that the call behind `output` (`create` or `run --detach`) has made.
    #[track_caller]
    pub fn of(sandbox: &'a Sandbox, output: Output) -> Self {
        let state = sandbox.state();
        let pid = state["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a pid");
        let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a running container has a pid");
        let pidfd = pidfd_open(raw, PidfdFlags::empty()).expect("pidfd_open");
        Self { sandbox, pid, pidfd, stdout: output.stdout, stderr: output.stderr }
    }

    /// The first process, as the host sees it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The path of a file in the first process's folder of /proc.
    #[must_use]
    pub fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.pid)
    }

    /// `start`, which must work.
    #[track_caller]
    pub fn start(&self) {
        drop(self.sandbox.command(&["start", "ID"]).success());
    }

    /// `status` of the state document.
    #[track_caller]
    #[must_use]
    pub fn status(&self) -> String {
        self.sandbox.state()["status"].as_str().expect("a status").to_owned()
    }

    /// The next line that the container printed, as JSON.
    #[track_caller]
    pub fn line(&mut self) -> Value {
        let line = self.stdout.line(Instant::now() + PATIENCE);
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }

    /// The next line that the container printed, as the probe's report.
    #[track_caller]
    pub fn report(&mut self) -> Report {
        Report::parse(&self.stdout.line(Instant::now() + PATIENCE))
    }

    /// `kill ID SIGNAL`, which must work.
    #[track_caller]
    pub fn kill(&self, signal: &str) {
        drop(self.sandbox.command(&["kill", "ID", signal]).success());
    }

    /// Signals the first process without the runtime.
    pub fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.pidfd, signal).expect("pidfd_send_signal");
    }

    /// Waits for the end of the first process, which must be our child by now, and reaps it.
    /// Returns its exit code, or 128 + signal.
    #[track_caller]
    pub fn wait(&self) -> i32 {
        let ended = wait_readable(&[self.pidfd.as_fd()], Instant::now() + PATIENCE)[0];
        assert!(ended, "the container's process still runs; it printed {:?}", self.stdout.text());
        let status = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
        let status = status.expect("the process was reparented to the caller of create").expect("it ended");
        status
            .exit_status()
            .or_else(|| status.terminating_signal().map(|signal| 128 + signal))
            .expect("a status")
    }

    /// `delete`, which must work, and leave nothing.
    #[track_caller]
    pub fn delete(self) {
        drop(self.sandbox.command(&["delete", "ID"]).success());
        self.sandbox.assert_nothing_left();
    }
}
