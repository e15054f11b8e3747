//! Containers for tests: a folder, a record, and an ordinary child process in place of a container's.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use libcontainer_init::Record;
use rustix::fd::OwnedFd;
use rustix::process::Pid;

use super::gate::tests::wait_for_go;
use super::record::tests::{init_of, stored};
use super::record::{Phase, Stored};
use super::store::{Claim, claim};
use super::{Container, Runtime, Status};
use crate::ContainerId;

pub(super) struct Fixture {
    _folder: tempfile::TempDir,
    pub(super) runtime: Runtime,
    pub(super) id: ContainerId,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Runtime::new(folder.path().join("root"));
        Self { _folder: folder, runtime, id: ContainerId::new("web").unwrap() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.runtime.root().join(self.id.as_str())
    }

    pub(super) fn claim(&self) -> Claim {
        claim(self.runtime.root(), &self.id).unwrap()
    }

    pub(super) fn load(&self) -> Container {
        self.runtime.load(&self.id).unwrap()
    }

    pub(super) fn status(&self) -> Status {
        self.load().state().unwrap().status
    }

    /// A container without a gate, as `run` makes it.
    pub(super) fn running(&self, process: &Process) -> Container {
        self.make(Stored { phase: Phase::Running, ..process.record() })
    }

    /// A container with this record, whose creator has gone.
    pub(super) fn make(&self, record: Stored) -> Container {
        self.claim().save(&record).unwrap();
        self.load()
    }

    /// A container that waits at its gate, and what waits there.
    pub(super) fn created(&self, process: &Process) -> (Container, OwnedFd) {
        let claim = self.claim();
        let listener = claim.listen().unwrap();
        claim.save(&process.record()).unwrap();
        (self.load(), listener)
    }
}

/// Lets somebody pass the gate, like the process of a container.
pub(super) fn answer(listener: OwnedFd, answer: Option<Record>) -> JoinHandle<()> {
    std::thread::spawn(move || wait_for_go(listener, answer))
}

/// A child that lives until it is killed, or the test ends.
pub(super) struct Process {
    pub(super) child: Child,
    cgroups: Vec<PathBuf>,
}

impl Process {
    pub(super) fn new() -> Self {
        Self::spawn(Command::new("cat"), Vec::new())
    }

    /// In a cgroup.
    pub(super) fn within(cgroup: &Cgroup) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg("echo $$ > \"$0\"/cgroup.procs && echo && exec cat").arg(&cgroup.0);
        let mut process = Self::spawn(command, vec![cgroup.0.clone()]);
        // The shell tells when it is there.
        let mut line = String::new();
        let mut output = std::io::BufReader::new(process.child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        assert_eq!(line, "\n");
        process
    }

    fn spawn(mut command: Command, cgroups: Vec<PathBuf>) -> Self {
        let child = command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Self { child, cgroups }
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The record of a container with this process.
    pub(super) fn record(&self) -> Stored {
        Stored { init: Some(init_of(self.pid())), cgroups: self.cgroups.clone(), ..stored("web") }
    }

    /// Ends it and leaves a zombie.
    pub(super) fn end(&self) {
        let init = init_of(self.pid());
        let process = crate::sys::pidfd::Process::find(self.pid(), init.start_time).unwrap().unwrap();
        process.signal(libc::SIGKILL).unwrap();
        assert!(process.wait_ended(None).unwrap());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A real cgroup, removed with the test.
pub(super) struct Cgroup(pub(super) PathBuf);

impl Cgroup {
    /// `None`, and a word why, where the test may not make one.
    pub(super) fn new(name: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let Some(mount) = mounts.find(|fields| fields[2] == "cgroup2") else {
            println!("skipped: no cgroup2 mount");
            return None;
        };
        let path = Path::new(mount[1]).join(format!("libcontainer-test-{name}-{}", std::process::id()));
        if let Err(error) = fs::create_dir(&path) {
            println!("skipped: {}: {error}", path.display());
            return None;
        }
        Some(Self(path))
    }

    /// A cgroup below it.
    pub(super) fn below(&self, name: &str) -> Self {
        let path = self.0.join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn freeze(&self) {
        crate::cgroup::freeze(std::slice::from_ref(&self.0), super::store::PATIENCE).unwrap();
    }

    pub(super) fn exists(&self) -> bool {
        self.0.exists()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
