use super::super::fixture::{Fixture, Process};
use super::super::gate::tests::close;
use super::super::record::Init;
use super::*;

#[test]
fn a_container_can_be_sent_and_shared() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Container>();
}

#[test]
fn the_status_follows_the_life() {
    let fixture = Fixture::new();
    let process = Process::new();
    let claim = fixture.claim();
    let mut record = Stored { phase: Phase::Creating, init: None, ..process.record() };
    claim.save(&record).unwrap();
    assert_eq!(fixture.status(), Status::Creating, "the creator holds the lock");
    record = Stored { phase: Phase::Creating, ..process.record() };
    claim.save(&record).unwrap();
    assert_eq!(fixture.status(), Status::Creating);
    let listener = claim.listen().unwrap();
    record.phase = Phase::Created;
    claim.save(&record).unwrap();
    drop(claim);
    assert_eq!(fixture.status(), Status::Created);
    close(&listener);
    assert_eq!(fixture.status(), Status::Running, "a `start` that was killed left the gate");
    std::fs::remove_file(fixture.path().join("gate")).unwrap();
    let state = fixture.load().state().unwrap();
    assert_eq!((state.status, state.pid), (Status::Running, process.pid().as_raw_nonzero().get()));
    process.end();
    let state = fixture.load().state().unwrap();
    assert_eq!((state.status, state.pid), (Status::Stopped, 0), "a zombie runs nothing");
}

#[test]
fn a_creator_killed_before_it_made_a_process_leaves_a_stopped_container() {
    let fixture = Fixture::new();
    let record = Stored { phase: Phase::Creating, init: None, ..Process::new().record() };
    fixture.make(record);
    assert_eq!(fixture.status(), Status::Stopped);
}

#[test]
fn another_process_with_the_same_pid_is_not_the_container_s() {
    let fixture = Fixture::new();
    let process = Process::new();
    let mut record = process.record();
    record.init = record.init.map(|init| Init { start_time: init.start_time + 1, ..init });
    let container = fixture.make(record);
    assert_eq!(fixture.status(), Status::Stopped);
    assert_eq!(container.pidfd().unwrap_err().kind(), &ErrorKind::NoProcess);
    assert_eq!(container.wait().unwrap(), None);
}

#[test]
fn the_state_is_what_was_recorded() {
    let fixture = Fixture::new();
    let process = Process::new();
    let record = process.record();
    let state = fixture.running(&process).state().unwrap();
    assert_eq!(state.oci_version, crate::SPEC_VERSION);
    assert_eq!((state.id, state.bundle, state.rootfs), (record.id, record.bundle, record.rootfs));
    assert_eq!(state.annotations, record.annotations);
    assert_eq!(state.owner, "root");
}

#[test]
fn an_unknown_name_is_not_found_with_and_without_a_root() {
    let fixture = Fixture::new();
    assert_eq!(fixture.runtime.load(&fixture.id).unwrap_err().kind(), &ErrorKind::NotFound);
    std::fs::create_dir(fixture.runtime.root()).unwrap();
    assert_eq!(fixture.runtime.load(&fixture.id).unwrap_err().kind(), &ErrorKind::NotFound);
    assert!(!fixture.path().exists(), "looking makes nothing");
}

#[test]
fn a_corrupt_record_is_an_error_and_left_out_of_lists() {
    let fixture = Fixture::new();
    let container = fixture.running(&Process::new());
    assert_eq!(fixture.runtime.list().unwrap().len(), 1);
    std::fs::write(fixture.path().join("state.json"), b"{\"vers").unwrap();
    let error = container.state().unwrap_err().to_string();
    assert!(error.starts_with("container web: ") && error.contains("state.json is corrupt"), "{error}");
    assert!(fixture.load().state().is_err());
    assert_eq!(fixture.runtime.list().unwrap().len(), 0);
    std::fs::remove_file(fixture.path().join("state.json")).unwrap();
    assert_eq!(fixture.load().state().unwrap_err().kind(), &ErrorKind::WrongStatus(Status::Creating));
    assert_eq!(fixture.runtime.list().unwrap().len(), 0);
}

#[test]
fn a_container_never_means_a_later_one_of_the_same_name() {
    let fixture = Fixture::new();
    let process = Process::new();
    let first = fixture.running(&process);
    std::fs::remove_dir_all(fixture.path()).unwrap();
    let record = Stored { created: "2001-01-01T00:00:00Z".into(), ..process.record() };
    let second = fixture.make(record);
    assert_eq!(first.state().unwrap_err().kind(), &ErrorKind::NotFound);
    assert_eq!(second.state().unwrap().created, "2001-01-01T00:00:00Z");
}

#[test]
fn the_parent_learns_how_the_process_ended_and_once() {
    let fixture = Fixture::new();
    let mut process = Process::new();
    let container = fixture.running(&process);
    drop(process.child.stdin.take());
    assert_eq!(container.wait().unwrap(), Some(ExitStatus::Code(0)));
    assert_eq!(container.wait().unwrap(), None);
}

#[test]
fn waiting_works_after_the_container_was_deleted() {
    let fixture = Fixture::new();
    let process = Process::new();
    let container = fixture.running(&process);
    std::fs::remove_dir_all(fixture.path()).unwrap();
    process.end();
    assert_eq!(container.wait().unwrap(), Some(ExitStatus::Signal(libc::SIGKILL)));
}
