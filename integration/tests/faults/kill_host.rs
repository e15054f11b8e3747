//! The embedding process is killed before every step: what it left can be deleted, and the name be used again.

use std::time::Duration;

use integration::harness::*;
use libcontainer::planner::Injection;
use libcontainer::{Bundle, ContainerId, CreateOptions, Runtime};
use serde_json::{Value, json};

use super::bundles;

/// For a hundred lives one after the other, on a machine that has other work too.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the process that will be killed has to create.
const VICTIM: &str = "TEST_VICTIM";

/// Creates a container, and is killed in the midst of it.
fn play_victim(order: &str) {
    let order: Value = serde_json::from_str(order).unwrap();
    let text = |name: &str| order[name].as_str().unwrap();
    let before = usize::try_from(order["before"].as_u64().unwrap()).unwrap();
    let options =
        CreateOptions::default().allow_unsealed_executable(true).inject([Injection::KillHost { before }]);
    let bundle = Bundle::open(text("bundle")).unwrap();
    Runtime::new(text("root")).create(&ContainerId::new(text("id")).unwrap(), &bundle, &options).unwrap();
}

/// Plays `test` on `host`, in a process of its own that adopts the children of those that are killed.
fn is_killed_before_every_step(host: Host, test: &str, sandbox: impl FnOnce() -> (Sandbox, Option<Holder>)) {
    if let Ok(order) = std::env::var(VICTIM) {
        return play_victim(&order);
    }
    alone_for(PATIENCE, host, test, || {
        let (sandbox, _holder) = sandbox();
        go_through(test, &sandbox);
    });
}

fn go_through(test: &str, sandbox: &Sandbox) {
    // One that did not strike ends the search: the container was created.
    let kills = (0..).take_while(|before| is_killed(sandbox, test, *before)).count();
    let plan = sandbox.with_bundle("plan", &["--format", "json"]).output().success().stdout();
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let steps = plan["entries"].as_array().unwrap();
    let gate = steps.iter().position(|step| step["step"] == "wait for start").unwrap();
    assert_eq!(kills, gate + 1, "it can be killed before every step up to the gate");
}

/// Whether the process was killed before step `before`, and did not get as far as to create the container.
fn is_killed(sandbox: &Sandbox, test: &str, before: usize) -> bool {
    let order = json!({
        "root": sandbox.root(),
        "bundle": sandbox.bundle(),
        "id": sandbox.id(),
        "before": before,
    });
    let output = again(Host::Native, test).env(VICTIM, &order.to_string()).output();
    let created = output.code() == 0;
    assert!(created || output.code() == 137, "step {before}: {}", output.stderr());
    let deleted = sandbox.command(&["delete", "--force", "ID"]);
    assert_eq!(deleted.code(), 0, "step {before}: {}", deleted.stderr());
    drop(output);
    // A first process whose host is dead before it was named in the state ends by itself.
    wait_until_gone(sandbox.id());
    assert_eq!(sandbox.left(), Vec::<String>::new(), "step {before}");
    let container = sandbox.create();
    assert_eq!(container.status(), "created", "step {before}");
    container.delete();
    reap_all();
    !created
}

#[test]
fn the_default_plan() {
    let test = "kill_host::the_default_plan";
    is_killed_before_every_step(Host::Native, test, || (bundles::default(), None));
}

#[test]
fn the_default_plan_on_v2() {
    let test = "kill_host::the_default_plan_on_v2";
    is_killed_before_every_step(Host::V2, test, || (bundles::default(), None));
}

#[test]
fn a_plan_with_a_user_namespace() {
    let test = "kill_host::a_plan_with_a_user_namespace";
    is_killed_before_every_step(Host::Native, test, || (bundles::user_namespace(), None));
}

#[test]
fn a_plan_with_joined_namespaces() {
    is_killed_before_every_step(Host::Native, "kill_host::a_plan_with_joined_namespaces", || {
        let (sandbox, holder) = bundles::joined();
        (sandbox, Some(holder))
    });
}

#[test]
fn a_plan_with_clocks_and_scheduling() {
    is_killed_before_every_step(Host::Native, "kill_host::a_plan_with_clocks_and_scheduling", || {
        let (sandbox, holder) = bundles::scheduled();
        (sandbox, Some(holder))
    });
}

#[test]
fn a_plan_with_prepared_volumes() {
    is_killed_before_every_step(Host::Native, "kill_host::a_plan_with_prepared_volumes", || {
        (bundles::prepared_volumes(), None)
    });
}
