//! Every step of a plan fails once.

use integration::harness::*;
use integration::skip;
use libcontainer::planner::{Injection, Plan};
use libcontainer::{Delete, Error, ErrorKind, ExitStatus};

use super::bundles;

/// No step fails with this by itself.
const ERRNO: i32 = libc::EDOM;

fn fails_at_every_step(sandbox: &Sandbox) {
    fails_at_every_step_and(sandbox, |_| {});
}

/// `then` is told after each failure whether the container had been created before, and looks at what only the test
/// knows of.
fn fails_at_every_step_and(sandbox: &Sandbox, then: impl Fn(bool)) {
    let embedder = Embedder::new(sandbox);
    let (bundle, options) = (embedder.bundle(), embedder.options());
    let plan = embedder.runtime.plan(&embedder.id, &bundle, &options).unwrap();
    for index in 0..plan.entries().len() {
        let options = options.clone().inject([Injection::Fail { index, errno: ERRNO }]);
        let (error, created) = match embedder.runtime.create(&embedder.id, &bundle, &options) {
            Err(error) => (error, false),
            // The step is behind the gate.
            Ok(container) => {
                let error = container.start().unwrap_err();
                embedder.delete(container);
                (error, true)
            }
        };
        assert_names(&error, &plan, index);
        assert_eq!(embedder.left(), Vec::<String>::new(), "{error}");
        then(created);
    }
    let container = embedder.runtime.create(&embedder.id, &bundle, &options).unwrap();
    container.start().unwrap();
    assert_eq!(container.wait().unwrap(), Some(ExitStatus::Code(7)), "the plan works where nothing fails");
    embedder.delete(container);
    assert_eq!(embedder.left(), Vec::<String>::new());
}

/// The error says what the plan says about the step, and with what it failed.
fn assert_names(error: &Error, plan: &Plan, index: usize) {
    let ErrorKind::Setup(failure) = error.kind() else { panic!("step {index}: {error:?}") };
    let document = plan.to_json();
    let entry = &document["entries"][index];
    assert_eq!((failure.index, failure.total), (index, plan.entries().len()), "{error}");
    assert_eq!((failure.operation, failure.errno), ("verify", ERRNO), "{error}");
    assert_eq!(Some(failure.step.as_str()), entry["step"].as_str(), "{error}");
    assert_eq!(failure.pointer.as_deref(), entry["pointer"].as_str(), "{error}");
    for part in [&format!("step {index} of {}", failure.total), &failure.step, "errno 33"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// The steps of `run`, which has no gate: as many as fail, and then none.
fn run_fails_at_every_step(sandbox: &Sandbox) {
    let embedder = Embedder::new(sandbox);
    let bundle = embedder.bundle();
    let mut index = 0;
    let container = loop {
        let options = embedder.options().inject([Injection::Fail { index, errno: ERRNO }]);
        match embedder.runtime.run(&embedder.id, &bundle, &options) {
            Ok(container) => break container,
            Err(error) => {
                let ErrorKind::Setup(failure) = error.kind() else { panic!("step {index}: {error:?}") };
                assert_eq!((failure.index, failure.errno), (index, ERRNO), "{error}");
                assert_eq!(embedder.left(), Vec::<String>::new(), "{error}");
            }
        }
        index += 1;
    };
    let steps = embedder.runtime.plan(&embedder.id, &bundle, &embedder.options()).unwrap().entries().len();
    assert_eq!(index, steps - 2, "all steps but the opening of the gate and the waiting at it");
    assert_eq!(container.wait().unwrap(), Some(ExitStatus::Code(7)));
    embedder.delete(container);
    assert_eq!(embedder.left(), Vec::<String>::new());
}

#[test]
fn the_default_plan() {
    alone(Host::Native, "fail::the_default_plan", || fails_at_every_step(&bundles::default()));
}

#[test]
fn the_default_plan_on_v2() {
    alone(Host::V2, "fail::the_default_plan_on_v2", || fails_at_every_step(&bundles::default()));
}

#[test]
fn the_default_plan_of_run() {
    let test = "fail::the_default_plan_of_run";
    alone(Host::Native, test, || run_fails_at_every_step(&bundles::default()));
}

#[test]
fn a_plan_with_a_user_namespace() {
    let test = "fail::a_plan_with_a_user_namespace";
    alone(Host::Native, test, || fails_at_every_step(&bundles::user_namespace()));
}

#[test]
fn a_plan_in_the_mount_namespace_of_the_host() {
    alone(Host::Native, "fail::a_plan_in_the_mount_namespace_of_the_host", || {
        if !has_detached_mounts() {
            skip!("a tree of mounts that is attached nowhere needs Linux 6.15");
        }
        fails_at_every_step(&bundles::host_mounts());
    });
}

#[test]
fn a_plan_with_joined_namespaces() {
    alone(Host::Native, "fail::a_plan_with_joined_namespaces", || {
        let (sandbox, _holder) = bundles::joined();
        fails_at_every_step(&sandbox);
    });
}

#[test]
fn a_plan_with_clocks_and_scheduling() {
    alone(Host::Native, "fail::a_plan_with_clocks_and_scheduling", || {
        let (sandbox, _holder) = bundles::scheduled();
        fails_at_every_step(&sandbox);
        run_fails_at_every_step(&sandbox);
    });
}

#[test]
fn a_plan_with_prepared_volumes() {
    alone(Host::Native, "fail::a_plan_with_prepared_volumes", || {
        fails_at_every_step(&bundles::prepared_volumes());
    });
}

#[test]
fn a_plan_with_a_network_device() {
    alone(Host::Native, "fail::a_plan_with_a_network_device", || {
        let Some(network) = bundles::network() else {
            skip!("no iproute2, or no veth devices in this kernel");
        };
        let before = network.device();
        fails_at_every_step_and(&bundles::network_device(), |created| match created {
            false => assert_eq!(network.device(), before),
            // It ended with the namespace of the container that it had gone to.
            true => assert!(network.make_device()),
        });
    });
}

#[test]
fn dockers_plan() {
    alone(Host::Native, "fail::dockers_plan", || fails_at_every_step(&bundles::docker()));
}

#[test]
fn leftovers_are_seen() {
    alone(Host::Native, "fail::leftovers_are_seen", || {
        let sandbox = bundles::default();
        let embedder = Embedder::new(&sandbox);
        let folder = std::fs::File::open("/").unwrap();
        let mut zombie =
            std::process::Command::new("true").stdout(std::process::Stdio::piped()).spawn().unwrap();
        // Nothing comes, and it is a zombie soon.
        std::io::Read::read_to_end(&mut zombie.stdout.take().unwrap(), &mut Vec::new()).unwrap();
        let container =
            embedder.runtime.create(&embedder.id, &embedder.bundle(), &embedder.options()).unwrap();
        let left = embedder.left();
        for what in ["process ", "cgroup ", "state ", "descriptor ", "child ", "(true)"] {
            assert!(left.iter().any(|line| line.contains(what)), "no {what} in {left:#?}");
        }
        container.delete(Delete::Force).unwrap();
        drop(container);
        drop(folder);
        zombie.wait().unwrap();
        assert_eq!(embedder.left(), Vec::<String>::new());
    });
}
