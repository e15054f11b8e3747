//! A restore fails at every step, and its caller is killed before every step: nothing is left that `delete` does not find.

use integration::harness::*;
use integration::{differs_from, skip};
use libcontainer::planner::Injection;
use libcontainer::{Bundle, ContainerId, ErrorKind, RestoreOptions, Runtime};
use serde_json::{Value, json};

use super::counter::Counter;

/// No step fails with this by itself.
const ERRNO: i32 = libc::EDOM;

/// What the process that will be killed has to restore.
const VICTIM: &str = "TEST_VICTIM";

/// A checkpoint of a container with hooks, whose restore has all steps.
fn checkpointed(path: &'static str) -> Counter {
    let counter = Counter::new(Host::Native, path).configure(|config| {
        config.shell_hook("createRuntime", "true").shell_hook("poststart", "true");
    });
    counter.checkpointed();
    counter
}

#[test]
fn every_step_fails_once() {
    let path = need_criu!();
    alone_with_path(path, Host::Native, "steps::every_step_fails_once", || {
        let counter = checkpointed(path);
        let embedder = Embedder::new(&counter.sandbox);
        let images = counter.images();
        let restore = |index| {
            let creation = embedder.options().inject([Injection::Fail { index, errno: ERRNO }]);
            let options = RestoreOptions::new(&images).creation(creation);
            embedder.runtime.restore(&embedder.id, &embedder.bundle(), &options)
        };
        let mut failed = 0;
        let container = loop {
            match restore(failed) {
                Ok(container) => break container,
                Err(error) => {
                    let ErrorKind::Setup(failure) = error.kind() else { panic!("step {failed}: {error:?}") };
                    assert_eq!((failure.index, failure.errno), (failed, ERRNO), "{error}");
                    assert_eq!(embedder.left(), Vec::<String>::new(), "{error}");
                    failed += 1;
                }
            }
        };
        assert!(failed > 8, "{failed} steps");
        container.delete(libcontainer::Delete::Force).unwrap();
        drop(container);
        assert_eq!(embedder.left(), Vec::<String>::new());
    });
}

/// Restores, and is killed in the midst of it.
fn play_victim(order: &str) {
    let order: Value = serde_json::from_str(order).unwrap();
    let text = |name: &str| order[name].as_str().unwrap();
    let before = usize::try_from(order["before"].as_u64().unwrap()).unwrap();
    let creation = libcontainer::CreateOptions::default()
        .allow_unsealed_executable(true)
        .inject([Injection::KillHost { before }]);
    let options = RestoreOptions::new(text("images")).creation(creation);
    let bundle = Bundle::open(text("bundle")).unwrap();
    Runtime::new(text("root")).restore(&ContainerId::new(text("id")).unwrap(), &bundle, &options).unwrap();
}

/// Whether it was killed before step `before`.
fn is_killed(counter: &Counter, path: &str, test: &str, before: usize) -> bool {
    let sandbox = &counter.sandbox;
    let order = json!({
        "root": sandbox.root(),
        "bundle": sandbox.bundle(),
        "images": counter.images(),
        "id": sandbox.id(),
        "before": before,
    });
    let output = again(Host::Native, test).env("PATH", path).env(VICTIM, &order.to_string()).output();
    let restored = output.code() == 0;
    assert!(restored || output.code() == 137, "step {before}: {}", output.stderr());
    let deleted = sandbox.command(&["delete", "--force", "ID"]);
    assert_eq!(deleted.code(), 0, "step {before}: {}", deleted.stderr());
    drop(output);
    wait_until_gone(sandbox.id());
    assert_eq!(sandbox.left(), Vec::<String>::new(), "step {before}");
    reap_all();
    !restored
}

#[test]
fn the_caller_is_killed_before_every_step() {
    differs_from!("runc", "it is not a library");
    if let Ok(order) = std::env::var(VICTIM) {
        return play_victim(&order);
    }
    let path = need_criu!();
    let test = "steps::the_caller_is_killed_before_every_step";
    alone_with_path(path, Host::Native, test, || {
        let counter = checkpointed(path);
        let kills = (0..).take_while(|before| is_killed(&counter, path, test, *before)).count();
        assert!(kills > 8, "{kills} steps");
        counter.goes_on(counter.restored(&[]));
    });
}
