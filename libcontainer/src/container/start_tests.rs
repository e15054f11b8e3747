use std::sync::Barrier;

use super::super::fixture::{Fixture, Process, answer};
use super::super::gate::tests::{close, wait_for_go};
use super::super::record::LateStep;
use super::*;

#[test]
fn a_started_container_runs_and_cannot_be_started_again() {
    let fixture = Fixture::new();
    let process = Process::new();
    let (container, listener) = fixture.created(&process);
    let init = answer(listener, None);
    container.start().unwrap();
    init.join().unwrap();
    assert_eq!(fixture.status(), Status::Running);
    assert!(!fixture.path().join("gate").exists());
    let error = container.start().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::WrongStatus(Status::Running));
    assert_eq!(error.to_string(), "cannot start container web: it is running");
}

#[test]
fn of_eight_racing_starts_one_wins_and_the_others_see_it_running() {
    let fixture = Fixture::new();
    let process = Process::new();
    let (container, listener) = fixture.created(&process);
    let init = answer(listener, None);
    let barrier = Barrier::new(8);
    let results: Vec<_> = std::thread::scope(|scope| {
        let race = || {
            barrier.wait();
            container.start()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(race)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    init.join().unwrap();
    let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), 7);
    for error in errors {
        assert_eq!(error.kind(), &ErrorKind::WrongStatus(Status::Running));
    }
}

#[test]
fn a_failure_behind_the_gate_names_its_step() {
    let fixture = Fixture::new();
    let process = Process::new();
    let claim = fixture.claim();
    let listener = claim.listen().unwrap();
    let late = LateStep {
        index: 59,
        total: 60,
        pointer: Some("/process/args/0".into()),
        step: "exec /bin/sh".into(),
        subject: Some("/bin/sh".into()),
    };
    claim.save(&Stored { late: vec![late], ..process.record() }).unwrap();
    drop(claim);
    let record =
        Record { kind: Record::FAILED, index: 59, op: op::Op::Exec as u32, errno: libc::ENOENT, pid: 0 };
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            wait_for_go(listener, Some(record));
            process.end();
        });
        fixture.load().start().unwrap_err()
    });
    let ErrorKind::Setup(failure) = error.kind() else { panic!("{error:?}") };
    assert_eq!((failure.index, failure.errno), (59, libc::ENOENT));
    assert_eq!(failure.subject.as_deref(), Some("/bin/sh"));
    let message = error.to_string();
    assert!(
        message.starts_with("start web: step 59 of 60, /process/args/0: exec /bin/sh: execve: "),
        "{message}"
    );
    assert!(message.ends_with(": ENOENT: no such file or directory"), "{message}");
}

#[test]
fn without_a_process_in_the_configuration_only_start_is_an_error() {
    let fixture = Fixture::new();
    let process = Process::new();
    let container = fixture.make(Stored { has_process: false, ..process.record() });
    let error = container.start().unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidSpec { pointer: "/process".into() });
}

#[test]
fn a_stopped_container_cannot_be_started() {
    let fixture = Fixture::new();
    let process = Process::new();
    let (container, _listener) = fixture.created(&process);
    process.end();
    assert_eq!(container.start().unwrap_err().kind(), &ErrorKind::WrongStatus(Status::Stopped));
}

#[test]
fn a_start_that_was_killed_after_it_let_the_container_go_is_not_repeated() {
    let fixture = Fixture::new();
    let process = Process::new();
    let (container, listener) = fixture.created(&process);
    close(&listener);
    assert!(fixture.path().join("gate").exists());
    assert_eq!(container.start().unwrap_err().kind(), &ErrorKind::WrongStatus(Status::Running));
}
