//! Thousands of containers from one program whose other threads hold locks all the time: a child that waited for one of
//! them would wait for ever.
#![allow(unsafe_code, reason = "a control must run code between fork and exec")]

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use integration::harness::*;
use libcontainer::planner::Injection;
use libcontainer::{ContainerId, CreateOptions, Delete, Error, ExitStatus};
use rustix::process::Signal;
use serde_json::json;

use super::busy::Shared;

/// How many containers, unless `TORTURE_RUNS` says otherwise.
const RUNS: usize = 2000;

/// How many threads launch them.
const LAUNCHERS: usize = 2;

/// As little as a container can be, so that there can be many.
fn tiny() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "7"]);
        config.as_object_mut().unwrap().remove("hostname");
        config["mounts"] = json!([]);
        config["linux"] = json!({ "namespaces": [{ "type": "mount" }, { "type": "pid" }] });
    });
    sandbox
}

/// Runs `count` containers one after the other.
fn launch(
    embedder: &Embedder<'_>,
    launcher: usize,
    count: usize,
    options: &CreateOptions,
) -> Result<(), Error> {
    let bundle = embedder.bundle();
    for number in 0..count {
        let id = ContainerId::new(format!("{}-{launcher}-{number}", embedder.id))?;
        let container = embedder.runtime.run(&id, &bundle, options)?;
        assert_eq!(container.wait()?, Some(ExitStatus::Code(7)), "{id}");
        container.delete(Delete::Stopped)?;
    }
    Ok(())
}

#[test]
fn thousands_of_containers_beside_eight_busy_threads() {
    let runs = env::var("TORTURE_RUNS").map_or(RUNS, |runs| runs.parse().unwrap());
    // Far more than it takes: this is here to end a deadlock.
    let patience = Duration::from_secs(120).max(Duration::from_millis(60) * u32::try_from(runs).unwrap());
    let test = "torture::thousands_of_containers_beside_eight_busy_threads";
    alone_for(patience, Host::V2, test, || {
        let sandbox = tiny();
        let embedder = Embedder::new(&sandbox);
        Shared::default().while_busy(|_| {
            thread::scope(|scope| {
                for launcher in 0..LAUNCHERS {
                    let embedder = &embedder;
                    scope.spawn(move || {
                        launch(embedder, launcher, runs / LAUNCHERS, &embedder.options()).unwrap();
                    });
                }
            });
        });
        assert_eq!(embedder.left(), Vec::<String>::new());
    });
}

#[test]
fn one_child_that_makes_the_call_of_a_lock_fails_the_torture() {
    let test = "torture::one_child_that_makes_the_call_of_a_lock_fails_the_torture";
    alone(Host::V2, test, || {
        let sandbox = tiny();
        let embedder = Embedder::new(&sandbox);
        let trapped = embedder.options().inject([Injection::Trap, Injection::Trip]);
        let error = Shared::default().while_busy(|_| launch(&embedder, 0, 1, &trapped).unwrap_err());
        assert!(error.to_string().contains("was killed by signal 31"), "{error}");
        assert_eq!(embedder.left(), Vec::<String>::new());
    });
}

/// The threads do what they are there for: a child that takes a lock of the program soon waits for ever.
#[test]
fn a_child_that_takes_a_lock_hangs_beside_these_threads() {
    alone(Host::Native, "torture::a_child_that_takes_a_lock_hangs_beside_these_threads", || {
        let shared = Arc::new(Shared::default());
        let (alive, progress) = mpsc::channel();
        let locking = Arc::clone(&shared);
        let hook = move || {
            // So that it hangs no longer than the test.
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            drop(locking.lock.lock());
            Ok(())
        };
        shared.while_busy(|_| {
            thread::spawn(move || {
                let mut command = Command::new("true");
                // SAFETY: that this child can deadlock is what the test shows.
                unsafe { command.pre_exec(hook) };
                while command.status().is_ok_and(|status| status.success()) && alive.send(()).is_ok() {}
            });
            // Many may pass before one does not; that one says nothing any more, neither success nor an end.
            while progress.recv_timeout(Duration::from_secs(3)).is_ok() {}
            assert_eq!(progress.try_recv(), Err(mpsc::TryRecvError::Empty), "it failed instead of hanging");
        });
    });
}
