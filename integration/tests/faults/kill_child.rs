//! The child is killed before every step that follows its birth.

use integration::harness::*;
use integration::skip;
use libcontainer::Error;
use libcontainer::planner::{Action, Actor, Entry, HostStep, Injection, Plan};

use super::bundles;

fn is_killed_before_every_step(sandbox: &Sandbox) {
    let embedder = Embedder::new(sandbox);
    let (bundle, options) = (embedder.bundle(), embedder.options());
    let plan = embedder.runtime.plan(&embedder.id, &bundle, &options).unwrap();
    for before in birth(&plan)..plan.entries().len() {
        let options = options.clone().inject([Injection::KillChild { before }]);
        let error = match embedder.runtime.create(&embedder.id, &bundle, &options) {
            Err(error) => error,
            // The step is behind the gate.
            Ok(container) => {
                let error = container.start().unwrap_err();
                embedder.delete(container);
                error
            }
        };
        assert_names(&error, &plan, before);
        assert_eq!(embedder.left(), Vec::<String>::new(), "{error}");
    }
}

/// As above for `run`, whose plan has neither a gate nor a step that waits at it.
fn run_is_killed_before_every_step(sandbox: &Sandbox) {
    let embedder = Embedder::new(sandbox);
    let (bundle, options) = (embedder.bundle(), embedder.options());
    let plan = embedder.runtime.plan(&embedder.id, &bundle, &options).unwrap();
    for before in birth(&plan)..plan.entries().len() - 2 {
        let options = options.clone().inject([Injection::KillChild { before }]);
        let error = embedder.runtime.run(&embedder.id, &bundle, &options).unwrap_err().to_string();
        assert!(error.contains(": step") && error.contains(": the container's first process "), "{error}");
        assert_eq!(embedder.left(), Vec::<String>::new(), "{error}");
    }
}

/// The index behind the child's birth. In the plan of `run` it is one less, for nothing opens a gate.
fn birth(plan: &Plan) -> usize {
    let clones = |entry: &Entry| matches!(entry.action, Action::Host(HostStep::Clone { .. }));
    plan.entries().iter().position(clones).unwrap() + 1
}

/// Whoever is killed says nothing: known are the steps that it had to do, and how it ended. Where the host goes on for a
/// while, it fails when it needs the child.
fn assert_names(error: &Error, plan: &Plan, before: usize) {
    let text = error.to_string();
    let steps = text.split_once(": step").unwrap_or_else(|| panic!("no step: {text}")).1;
    let step: usize = steps.split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse().ok()).unwrap();
    let actor = |index: usize| plan.entries()[index].actor;
    let is_change = actor(before - 1) != actor(before) || actor(before) == Actor::Host;
    if is_change {
        assert!(step >= before, "killed before {before}: {text}");
        assert!(text.contains("the container's first process was killed by signal 9"), "{text}");
    } else {
        let turn = (0..before).rev().find(|index| actor(*index) == Actor::Host).unwrap() + 1;
        assert!((turn..=before).contains(&step), "killed before {before}: {text}");
        assert!(text.contains("the container's first process ended with code 137"), "{text}");
    }
}

#[test]
fn the_default_plan() {
    let test = "kill_child::the_default_plan";
    alone(Host::Native, test, || is_killed_before_every_step(&bundles::default()));
}

#[test]
fn the_default_plan_on_v2() {
    let test = "kill_child::the_default_plan_on_v2";
    alone(Host::V2, test, || is_killed_before_every_step(&bundles::default()));
}

#[test]
fn the_default_plan_of_run() {
    let test = "kill_child::the_default_plan_of_run";
    alone(Host::Native, test, || run_is_killed_before_every_step(&bundles::default()));
}

#[test]
fn a_plan_with_a_user_namespace() {
    let test = "kill_child::a_plan_with_a_user_namespace";
    alone(Host::Native, test, || is_killed_before_every_step(&bundles::user_namespace()));
}

#[test]
fn a_plan_in_the_mount_namespace_of_the_host() {
    alone(Host::Native, "kill_child::a_plan_in_the_mount_namespace_of_the_host", || {
        if !has_detached_mounts() {
            skip!("a tree of mounts that is attached nowhere needs Linux 6.15");
        }
        is_killed_before_every_step(&bundles::host_mounts());
    });
}

#[test]
fn a_plan_with_joined_namespaces() {
    alone(Host::Native, "kill_child::a_plan_with_joined_namespaces", || {
        let (sandbox, _holder) = bundles::joined();
        is_killed_before_every_step(&sandbox);
    });
}

#[test]
fn a_plan_with_clocks_and_scheduling() {
    alone(Host::Native, "kill_child::a_plan_with_clocks_and_scheduling", || {
        let (sandbox, _holder) = bundles::scheduled();
        is_killed_before_every_step(&sandbox);
    });
}

#[test]
fn a_plan_with_prepared_volumes() {
    alone(Host::Native, "kill_child::a_plan_with_prepared_volumes", || {
        is_killed_before_every_step(&bundles::prepared_volumes());
    });
}
