//! Many containers at the same time from one program.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use integration::harness::*;
use libcontainer::{Delete, ErrorKind, ExitStatus, Status};
use serde_json::json;

const CONTAINERS: u8 = 50;

/// A whole life; returns what tells the container from the others.
fn live(sandbox: &Sandbox, code: u8, together: &Barrier) -> (i32, String) {
    let embedder = Embedder::new(sandbox);
    together.wait();
    let container = embedder.runtime.create(&embedder.id, &embedder.bundle(), &embedder.options()).unwrap();
    let state = container.state().unwrap();
    assert_eq!((state.status, state.id.as_str()), (Status::Created, sandbox.id()));
    let namespace = std::fs::read_link(format!("/proc/{}/ns/mnt", state.pid)).unwrap();
    together.wait();
    container.start().unwrap();
    assert_eq!(container.wait().unwrap(), Some(ExitStatus::Code(code.into())));
    assert_eq!(container.state().unwrap().status, Status::Stopped);
    together.wait();
    container.delete(Delete::Stopped).unwrap();
    assert_eq!(container.state().unwrap_err().kind(), &ErrorKind::NotFound);
    (state.pid, namespace.to_str().unwrap().to_owned())
}

fn fifty_at_once() {
    let sandboxes: Vec<Sandbox> = (0..CONTAINERS).map(with_code).collect();
    let embedder = Embedder::new(&sandboxes[0]);
    let together = Barrier::new(CONTAINERS.into());
    let together = &together;
    let lives: Vec<(i32, String)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CONTAINERS)
            .zip(&sandboxes)
            .map(|(code, sandbox)| scope.spawn(move || live(sandbox, code, together)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let pids: BTreeSet<_> = lives.iter().map(|(pid, _)| pid).collect();
    let namespaces: BTreeSet<_> = lives.iter().map(|(_, namespace)| namespace).collect();
    assert_eq!((pids.len(), namespaces.len()), (CONTAINERS.into(), CONTAINERS.into()), "{lives:?}");
    for sandbox in &sandboxes {
        sandbox.assert_nothing_left();
    }
    assert_eq!(embedder.left(), Vec::<String>::new());
}

fn with_code(code: u8) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", &code.to_string()]);
        config["hostname"] = json!(format!("host-{code}"));
    });
    sandbox
}

#[test]
fn fifty_at_once_on_this_host() {
    alone(Host::Native, "parallel::fifty_at_once_on_this_host", fifty_at_once);
}

#[test]
fn fifty_at_once_on_v2() {
    alone(Host::V2, "parallel::fifty_at_once_on_v2", fifty_at_once);
}
