//! The library in a program that embeds it: the test program itself, executed once more for one test, so that its
//! descriptors and children are the library's doing and nobody else's.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use libcontainer::{Bundle, Container, ContainerId, CreateOptions, Delete, Runtime};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::host::Host;
use super::invocation::{Invocation, PATIENCE};
use super::sandbox::Sandbox;

const ALONE: &str = "TEST_ALONE";

/// This test program once more, on `host`, for `test` only.
#[must_use]
pub fn again(host: Host, test: &str) -> Invocation {
    let program = env::current_exe().expect("own path");
    let mut words: Vec<&str> = host.wrapper().to_vec();
    words.push(program.to_str().expect("a plain path"));
    words.extend([test, "--exact", "--nocapture", "--test-threads=2"]);
    Invocation::new(&words).env(ALONE, "yes")
}

/// Plays `body`, the body of `test`, in a process of its own on `host`.
#[track_caller]
pub fn alone(host: Host, test: &str, body: impl FnOnce()) {
    alone_for(PATIENCE, host, test, body);
}

/// As [`alone`], where programs are found by `path`.
#[track_caller]
pub fn alone_with_path(path: &str, host: Host, test: &str, body: impl FnOnce()) {
    play(again(host, test).env("PATH", path), test, body);
}

/// As [`alone`], for bodies that take longer.
#[track_caller]
pub fn alone_for(patience: Duration, host: Host, test: &str, body: impl FnOnce()) {
    play(again(host, test).patience(patience), test, body);
}

#[track_caller]
fn play(again: Invocation, test: &str, body: impl FnOnce()) {
    if env::var_os(ALONE).is_some() {
        return body();
    }
    let output = again.output();
    // Why a test was skipped, among others.
    std::io::stderr().write_all(output.stderr().as_bytes()).expect("standard error");
    let output = output.success();
    assert!(output.stdout().contains("test result: ok. 1 passed"), "no test {test}: {}", output.stdout());
}

/// A program that uses the library for the container of a sandbox.
pub struct Embedder<'a> {
    sandbox: &'a Sandbox,
    /// Over the sandbox's state folder.
    pub runtime: Runtime,
    /// The container's name.
    pub id: ContainerId,
    before: BTreeSet<String>,
}

impl<'a> Embedder<'a> {
    /// Remembers what this process has now.
    #[must_use]
    pub fn new(sandbox: &'a Sandbox) -> Self {
        let id = ContainerId::new(sandbox.id()).expect("a name");
        Self { sandbox, runtime: Runtime::new(sandbox.root()), id, before: held() }
    }

    /// The sandbox's bundle as it is now.
    #[must_use]
    pub fn bundle(&self) -> Bundle {
        Bundle::open(self.sandbox.bundle()).expect("a bundle")
    }

    /// Options as a test needs them: its executable is not sealed.
    #[must_use]
    pub fn options(&self) -> CreateOptions {
        CreateOptions::default().allow_unsealed_executable(true)
    }

    /// What is left of the container on the host and in this process, one line each. Nothing else may run here.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let mut left = self.sandbox.left();
        let now = held();
        left.extend(now.difference(&self.before).cloned());
        left.extend(self.before.difference(&now).map(|line| format!("lost: {line}")));
        left
    }

    /// Deletes a container that has ended, and lets go of it: the handle holds a descriptor.
    #[track_caller]
    pub fn delete(&self, container: Container) {
        container.delete(Delete::Stopped).expect("delete");
    }
}

fn held() -> BTreeSet<String> {
    descriptors().into_iter().chain(children()).collect()
}

/// Reaps the children of this process that have ended, among them those of processes that were killed.
pub fn reap_all() {
    let ended = || waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    while let Ok(Some(_)) = ended() {}
}

/// Number and target of every open descriptor.
fn descriptors() -> Vec<String> {
    let folder = fs::read_dir("/proc/self/fd").expect("/proc/self/fd");
    let paths: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).collect();
    // The one that listed them is closed by now, and has no target.
    let target = |path: PathBuf| Some(format!("descriptor {path:?} {:?}", fs::read_link(&path).ok()?));
    paths.into_iter().filter_map(target).collect()
}

/// Number and name of every child of this process, dead or alive.
fn children() -> BTreeSet<String> {
    let myself = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("/proc").map(|entry| entry.expect("an entry").path());
    let described = |path: PathBuf| {
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        let (name, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let (_state, parent) = (fields.next()?, fields.next()?);
        (parent == myself).then(|| format!("child {name})"))
    };
    processes.filter_map(described).collect()
}
