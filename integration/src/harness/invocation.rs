//! One call of the runtime under a watchdog.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::stream::{Stream, wait_readable};

/// How long any one thing may take; far beyond what a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A call that is being put together.
pub struct Invocation {
    command: Command,
    shown: String,
    streams: Streams,
    patience: Duration,
}

#[derive(PartialEq, Eq)]
enum Streams {
    Piped,
    AsGiven,
}

impl Invocation {
    /// Of any command, for a test's own preparations.
    #[must_use]
    pub fn new(words: &[impl AsRef<OsStr>]) -> Self {
        become_subreaper();
        let mut command = Command::new(words[0].as_ref());
        command.args(&words[1..]).stdin(Stdio::null());
        let shown: Vec<_> = words.iter().map(|word| word.as_ref().to_string_lossy().into_owned()).collect();
        Self { command, shown: shown.join(" "), streams: Streams::Piped, patience: PATIENCE }
    }

    /// Sets a variable of the runtime's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Lets it take longer than the usual.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts in `directory`.
    #[must_use]
    pub fn current_dir(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives the process this standard input instead of /dev/null.
    #[must_use]
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.command.stdin(stdin);
        self
    }

    /// Gives the process these streams instead of pipes to the harness.
    #[must_use]
    pub fn stdout_and_stderr(mut self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout).stderr(stderr);
        self.streams = Streams::AsGiven;
        self
    }

    /// Makes it the first of a process group of its own, as a shell does with a job.
    #[must_use]
    pub fn job(mut self) -> Self {
        self.command.process_group(0);
        self
    }

    /// Starts it and lets it run.
    pub fn spawn(mut self) -> Running {
        if self.streams == Streams::Piped {
            self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.shown));
        // The command holds the writing ends that it was given; the harness must not.
        drop(self.command);
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("pidfd_open");
        let stdout = child.stdout.take().map_or_else(closed, |pipe| Stream::over(pipe.into()));
        let stderr = child.stderr.take().map_or_else(closed, |pipe| Stream::over(pipe.into()));
        Running { child, pidfd, stdout, stderr, shown: self.shown, patience: self.patience }
    }

    /// Starts it and waits until it ends; what it started may still run.
    pub fn output(self) -> Output {
        self.spawn().wait()
    }
}

fn closed() -> Stream {
    let (reader, _) = rustix::pipe::pipe().expect("pipe");
    Stream::over(reader)
}

/// Containers' processes must come to us when the runtime ends, as they do to conmon and containerd's shim.
fn become_subreaper() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .expect("PR_SET_CHILD_SUBREAPER");
    });
}

/// A call that is going on.
pub struct Running {
    child: Child,
    pidfd: OwnedFd,
    /// Standard output, unless given to someone else.
    pub stdout: Stream,
    /// Standard error, unless given to someone else.
    pub stderr: Stream,
    shown: String,
    patience: Duration,
}

impl Running {
    /// The process, for looking at it in /proc.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still going on at this moment.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !wait_readable(&[self.pidfd.as_fd()], Instant::now())[0]
    }

    /// Sends the process a signal; that it may have ended already is no error.
    pub fn signal(&self, signal: Signal) {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => panic!("signal {}: {error}", self.shown),
        }
    }

    /// The next line of its standard output.
    pub fn line(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        self.stdout.line(deadline)
    }

    /// Waits for its end; after its patience it is killed and the test fails with what it said.
    pub fn wait(mut self) -> Output {
        let deadline = Instant::now() + self.patience;
        while !self.ended_before(deadline) {
            if Instant::now() >= deadline {
                self.child.kill().expect("kill");
                let (out, err, patience) = (self.stdout.text(), self.stderr.text(), self.patience);
                panic!("{} still runs after {patience:?}\nstdout: {out}\nstderr: {err}", self.shown);
            }
        }
        let status = self.child.wait().expect("wait");
        self.stdout.drain();
        self.stderr.drain();
        Output { status, stdout: self.stdout, stderr: self.stderr, shown: self.shown }
    }

    /// Lets it work for `time`, or until it ends, and then kills it.
    pub fn killed_after(mut self, time: Duration) -> Output {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline && !self.ended_before(deadline) {}
        self.signal(Signal::KILL);
        self.wait()
    }

    fn ended_before(&mut self, deadline: Instant) -> bool {
        let mut fds = vec![self.pidfd.as_fd()];
        fds.extend(self.stdout.fd());
        fds.extend(self.stderr.fd());
        let ended = wait_readable(&fds, deadline)[0];
        // Read all the while, for the process may be waiting for room in a pipe.
        self.stdout.drain();
        self.stderr.drain();
        ended
    }
}

/// A call that ended. Its streams may still be written to by a container.
pub struct Output {
    status: ExitStatus,
    pub(crate) stdout: Stream,
    pub(crate) stderr: Stream,
    shown: String,
}

impl Output {
    /// Exit code, or 128 + signal, as a shell would tell it.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().or_else(|| self.status.signal().map(|signal| 128 + signal)).expect("it ended")
    }

    /// The next line that a container, which still runs, writes to standard output.
    pub fn next_line(&mut self) -> String {
        self.stdout.line(Instant::now() + PATIENCE)
    }

    /// What has been written to standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Standard output, which a process that goes on may still write to.
    #[must_use]
    pub fn into_stdout(self) -> Stream {
        self.stdout
    }

    /// What has been written to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Fails the test unless the call exited with 0.
    #[track_caller]
    pub fn success(self) -> Self {
        self.exits_with(0)
    }

    /// Fails the test unless the call exited with `code`.
    #[track_caller]
    pub fn exits_with(self, code: i32) -> Self {
        let (out, err) = (self.stdout(), self.stderr());
        assert_eq!(self.code(), code, "exit code of {}\nstdout: {out}\nstderr: {err}", self.shown);
        self
    }

    /// Fails the test unless the call failed with 1 and its error says `text`; returns the error.
    #[track_caller]
    pub fn fails_saying(self, text: &str) -> String {
        // logrus, the logger of runc, writes quotes inside a message with backslashes.
        let error = self.exits_with(1).stderr().replace("\\\"", "\"");
        assert!(error.contains(text), "the error does not say {text:?}: {error}");
        error
    }
}
