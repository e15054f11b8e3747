//! Failures at every step of the plans of `exec`, and kills of either side: the container is left as it was.

use std::collections::BTreeSet;
use std::time::Duration;

use integration::harness::*;
use integration::skip;
use libcontainer::planner::{Action, Entry, HostStep, Injection, Plan};
use libcontainer::{Container, Delete, ErrorKind, ExecOptions, ExitStatus, Runtime, Stdio};
use serde_json::{Value, json};

use super::bundles;

/// No step fails with this by itself.
const ERRNO: i32 = libc::EDOM;

/// For dozens of programs one after the other, on a machine that has other work too.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the process that will be killed has to execute.
const VICTIM: &str = "TEST_VICTIM";

fn options() -> ExecOptions {
    ExecOptions::new(["/probe", "exit", "7"]).stdio(Stdio::Null).allow_unsealed_executable(true)
}

/// A sandbox's container, which waits for its start, and what there is of it.
struct Running<'a> {
    embedder: Embedder<'a>,
    container: Container,
    before: Vec<String>,
}

impl<'a> Running<'a> {
    fn of(sandbox: &'a Sandbox) -> Self {
        let embedder = Embedder::new(sandbox);
        let container =
            embedder.runtime.create(&embedder.id, &embedder.bundle(), &embedder.options()).unwrap();
        let before = embedder.left();
        Self { embedder, container, before }
    }

    #[track_caller]
    fn assert_unchanged(&self, what: &str) {
        assert_eq!(self.embedder.left(), self.before, "{what}");
    }

    fn plan(&self) -> Plan {
        self.container.plan_exec(&options()).unwrap()
    }

    /// A program can be executed where nothing fails.
    #[track_caller]
    fn end(self) {
        let exec = self.container.exec(options()).unwrap();
        assert_eq!(exec.wait().unwrap(), ExitStatus::Code(7));
        drop(exec);
        self.assert_unchanged("after an exec without failures");
        self.container.delete(Delete::Force).unwrap();
    }
}

fn fails_at_every_step(sandbox: &Sandbox) {
    let running = Running::of(sandbox);
    let plan = running.plan();
    for index in 0..plan.entries().len() {
        let error =
            running.container.exec(options().inject([Injection::Fail { index, errno: ERRNO }])).unwrap_err();
        let ErrorKind::Setup(failure) = error.kind() else { panic!("step {index}: {error:?}") };
        assert_eq!((failure.index, failure.total), (index, plan.entries().len()), "{error}");
        assert_eq!((failure.operation, failure.errno), ("verify", ERRNO), "{error}");
        running.assert_unchanged(&error.to_string());
    }
    running.end();
}

fn is_killed_before_every_step(sandbox: &Sandbox) {
    let running = Running::of(sandbox);
    let plan = running.plan();
    let clones = |entry: &Entry| matches!(entry.action, Action::Host(HostStep::Clone { .. }));
    let birth = plan.entries().iter().position(clones).unwrap() + 1;
    for before in birth..plan.entries().len() {
        let error = running.container.exec(options().inject([Injection::KillChild { before }])).unwrap_err();
        assert!(error.to_string().contains(": step"), "killed before {before}: {error}");
        running.assert_unchanged(&error.to_string());
    }
    running.end();
}

/// Executes a program, and is killed in the midst of it.
fn play_victim(order: &str) {
    let order: Value = serde_json::from_str(order).unwrap();
    let text = |name: &str| order[name].as_str().unwrap();
    let before = usize::try_from(order["before"].as_u64().unwrap()).unwrap();
    let id = libcontainer::ContainerId::new(text("id")).unwrap();
    let container = Runtime::new(text("root")).load(&id).unwrap();
    container.exec(options().inject([Injection::KillHost { before }])).unwrap().wait().unwrap();
}

/// The caller of `exec` is killed before every step; what it has made ends by itself, with nobody to end it.
fn caller_is_killed_before_every_step(host: Host, test: &str, sandbox: impl FnOnce() -> Sandbox) {
    if let Ok(order) = std::env::var(VICTIM) {
        return play_victim(&order);
    }
    alone_for(PATIENCE, host, test, || {
        let sandbox = sandbox();
        let running = Running::of(&sandbox);
        let own: BTreeSet<u32> = processes_of(sandbox.id()).into_iter().collect();
        let steps = running.plan().entries().len();
        for before in 0..steps {
            let order = json!({ "root": sandbox.root(), "id": sandbox.id(), "before": before });
            let output = again(Host::Native, test).env(VICTIM, &order.to_string()).output();
            assert_eq!(output.code(), 137, "step {before}: {}", output.stderr());
            // Its pipes are descriptors of ours.
            drop(output);
            wait_until_only(sandbox.id(), &own);
            reap_all();
            running.assert_unchanged(&format!("the caller was killed before step {before}"));
        }
        running.end();
    });
}

#[test]
fn fail() {
    alone_for(PATIENCE, Host::Native, "exec::fail", || fails_at_every_step(&bundles::default()));
}

#[test]
fn fail_on_v2() {
    alone_for(PATIENCE, Host::V2, "exec::fail_on_v2", || fails_at_every_step(&bundles::default()));
}

#[test]
fn fail_in_a_user_namespace() {
    alone_for(PATIENCE, Host::Native, "exec::fail_in_a_user_namespace", || {
        fails_at_every_step(&bundles::user_namespace());
    });
}

#[test]
fn fail_in_the_mount_namespace_of_the_host() {
    alone_for(PATIENCE, Host::Native, "exec::fail_in_the_mount_namespace_of_the_host", || {
        if !has_detached_mounts() {
            skip!("a tree of mounts that is attached nowhere needs Linux 6.15");
        }
        fails_at_every_step(&bundles::host_mounts());
    });
}

#[test]
fn kill_the_process() {
    alone_for(PATIENCE, Host::Native, "exec::kill_the_process", || {
        is_killed_before_every_step(&bundles::default())
    });
}

#[test]
fn kill_the_process_on_v2() {
    alone_for(PATIENCE, Host::V2, "exec::kill_the_process_on_v2", || {
        is_killed_before_every_step(&bundles::default())
    });
}

#[test]
fn kill_the_process_in_a_user_namespace() {
    alone_for(PATIENCE, Host::Native, "exec::kill_the_process_in_a_user_namespace", || {
        is_killed_before_every_step(&bundles::user_namespace());
    });
}

#[test]
fn kill_the_caller() {
    caller_is_killed_before_every_step(Host::Native, "exec::kill_the_caller", bundles::default);
}

#[test]
fn kill_the_caller_on_v2() {
    caller_is_killed_before_every_step(Host::V2, "exec::kill_the_caller_on_v2", bundles::default);
}

#[test]
fn kill_the_caller_in_a_user_namespace() {
    let test = "exec::kill_the_caller_in_a_user_namespace";
    caller_is_killed_before_every_step(Host::Native, test, bundles::user_namespace);
}
