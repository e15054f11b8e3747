//! Nothing in the child allocates or locks: it runs under an allocator that ends it, and under a filter that ends it on
//! the system calls that allocators and locks make.
#![allow(unsafe_code, reason = "a control must run code between fork and exec")]

use std::hint::black_box;
use std::os::unix::process::CommandExt;
use std::process::Command;

use integration::harness::*;
use libcontainer::ExitStatus;
use libcontainer::planner::Injection;

use super::{bundles, watch};

fn passes_trapped(sandbox: &Sandbox) {
    let embedder = Embedder::new(sandbox);
    watch::begin();
    let options = embedder.options().inject([Injection::Trap]);
    let container = embedder.runtime.create(&embedder.id, &embedder.bundle(), &options).unwrap();
    container.start().unwrap();
    // The trap is set until the end, and catches the program as soon as that allocates.
    assert_eq!(container.wait().unwrap(), Some(ExitStatus::Signal(libc::SIGSYS)));
    embedder.delete(container);
    assert_eq!(embedder.left(), Vec::<String>::new());
}

#[test]
fn the_default_plan() {
    alone(Host::Native, "trap::the_default_plan", || passes_trapped(&bundles::default()));
}

#[test]
fn the_default_plan_on_v2() {
    alone(Host::V2, "trap::the_default_plan_on_v2", || passes_trapped(&bundles::default()));
}

#[test]
fn a_plan_with_a_user_namespace() {
    let test = "trap::a_plan_with_a_user_namespace";
    alone(Host::Native, test, || passes_trapped(&bundles::user_namespace()));
}

#[test]
fn a_plan_with_joined_namespaces() {
    alone(Host::Native, "trap::a_plan_with_joined_namespaces", || {
        let (sandbox, _holder) = bundles::joined();
        passes_trapped(&sandbox);
    });
}

#[test]
fn a_plan_with_clocks_and_scheduling() {
    alone(Host::Native, "trap::a_plan_with_clocks_and_scheduling", || {
        let (sandbox, _holder) = bundles::scheduled();
        passes_trapped(&sandbox);
    });
}

#[test]
fn a_plan_with_prepared_volumes() {
    alone(
        Host::Native,
        "trap::a_plan_with_prepared_volumes",
        || passes_trapped(&bundles::prepared_volumes()),
    );
}

#[test]
fn dockers_plan() {
    alone(Host::Native, "trap::dockers_plan", || passes_trapped(&bundles::docker()));
}

#[test]
fn a_child_that_locks_is_caught() {
    alone(Host::Native, "trap::a_child_that_locks_is_caught", || {
        let sandbox = bundles::default();
        let embedder = Embedder::new(&sandbox);
        let bundle = embedder.bundle();
        let tripping = embedder.options().inject([Injection::Trip]);
        // Without the trap the call is as harmless as any lock is most of the time.
        let container = embedder.runtime.run(&embedder.id, &bundle, &tripping).unwrap();
        assert_eq!(container.wait().unwrap(), Some(ExitStatus::Code(7)));
        embedder.delete(container);
        let trapped = tripping.inject([Injection::Trap]);
        let error = embedder.runtime.run(&embedder.id, &bundle, &trapped).unwrap_err().to_string();
        assert!(error.contains("the container's first process was killed by signal 31"), "{error}");
        assert_eq!(embedder.left(), Vec::<String>::new());
    });
}

#[test]
fn a_child_that_allocates_is_caught() {
    alone(Host::Native, "trap::a_child_that_allocates_is_caught", || {
        watch::begin();
        let code_of = |between: fn()| {
            let mut command = Command::new("true");
            let hook = move || {
                between();
                Ok(())
            };
            // SAFETY: what an allocation after fork may do to this child is what the test is about.
            unsafe { command.pre_exec(hook) };
            command.status().unwrap().code()
        };
        assert_eq!(code_of(|| {}), Some(0));
        assert_eq!(code_of(|| drop(black_box(Box::new(7)))), Some(watch::ALLOCATED));
    });
}
