use super::super::fixture::{Cgroup, Fixture, Process, answer};
use super::super::gate::tests::{accept_go, close};
use super::super::record::{Phase, Stored};
use super::*;

#[test]
fn a_running_container_is_deleted_only_by_force() {
    let fixture = Fixture::new();
    let process = Process::new();
    let container = fixture.running(&process);
    let error = container.delete(Delete::Stopped).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::WrongStatus(Status::Running));
    assert_eq!(fixture.status(), Status::Running);
    container.delete(Delete::Force).unwrap();
    assert!(!fixture.path().exists());
    assert_eq!(container.wait().unwrap(), None, "the parent's zombie is reaped");
    assert_eq!(container.delete(Delete::Force).unwrap_err().kind(), &ErrorKind::NotFound);
}

#[test]
fn a_stopped_container_is_deleted_with_its_cgroup_and_the_zombie() {
    let Some(cgroup) = Cgroup::new("stopped") else { return };
    let fixture = Fixture::new();
    let process = Process::within(&cgroup);
    let container = fixture.running(&process);
    process.end();
    container.delete(Delete::Stopped).unwrap();
    assert!(!fixture.path().exists());
    assert!(!cgroup.exists());
}

#[test]
fn a_container_that_was_never_started_is_ended_first() {
    let fixture = Fixture::new();
    let process = Process::new();
    let (container, _listener) = fixture.created(&process);
    container.delete(Delete::Stopped).unwrap();
    assert!(!fixture.path().exists());
    assert_eq!(container.pidfd().unwrap_err().kind(), &ErrorKind::NoProcess);
}

#[test]
fn force_ends_processes_that_no_pid_namespace_holds_in_cgroups_below_too() {
    let Some(cgroup) = Cgroup::new("force") else { return };
    let below = cgroup.below("below");
    let fixture = Fixture::new();
    let init = Process::within(&cgroup);
    let mut others = [Process::within(&cgroup), Process::within(&below)];
    let record = Stored { phase: Phase::Running, own_pid_namespace: false, ..init.record() };
    fixture.make(record).delete(Delete::Force).unwrap();
    assert!(!cgroup.exists());
    assert!(others.iter_mut().all(|other| !other.child.wait().unwrap().success()));
}

#[test]
fn a_process_that_joined_the_cgroup_from_elsewhere_does_not_keep_it() {
    let Some(cgroup) = Cgroup::new("stranger") else { return };
    let fixture = Fixture::new();
    let init = Process::within(&cgroup);
    let mut stranger = Process::within(&cgroup);
    fixture.running(&init).delete(Delete::Force).unwrap();
    assert!(!cgroup.exists());
    assert!(!stranger.child.wait().unwrap().success());
}

#[test]
fn a_frozen_container_is_deleted_by_force() {
    let Some(cgroup) = Cgroup::new("frozen-delete") else { return };
    let fixture = Fixture::new();
    let init = Process::within(&cgroup);
    let container = fixture.running(&init);
    cgroup.freeze();
    let error = container.delete(Delete::Stopped).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::WrongStatus(Status::Paused));
    container.delete(Delete::Force).unwrap();
    assert!(!cgroup.exists() && !fixture.path().exists());
}

#[test]
fn what_a_killed_creator_left_is_deleted_completely() {
    let Some(cgroup) = Cgroup::new("half-made") else { return };
    let fixture = Fixture::new();
    // Killed after the clone into the cgroup and before it could record the process.
    let mut init = Process::within(&cgroup);
    let record = Stored { phase: Phase::Creating, init: None, ..init.record() };
    let container = fixture.make(record);
    std::fs::write(fixture.path().join(".state.json.tmp"), b"{").unwrap();
    container.delete(Delete::Force).unwrap();
    assert!(!cgroup.exists() && !fixture.path().exists());
    assert!(!init.child.wait().unwrap().success());
}

#[test]
fn half_made_containers_without_a_record_or_with_a_corrupt_one_need_force() {
    for leftover in [None, Some("{\"vers")] {
        let fixture = Fixture::new();
        drop(fixture.claim());
        if let Some(text) = leftover {
            std::fs::write(fixture.path().join("state.json"), text).unwrap();
        }
        let container = fixture.load();
        container.delete(Delete::Stopped).unwrap_err();
        assert!(fixture.path().exists());
        container.delete(Delete::Force).unwrap();
        assert!(!fixture.path().exists());
    }
}

#[test]
fn the_record_of_another_version_is_not_thrown_away() {
    let fixture = Fixture::new();
    drop(fixture.claim());
    std::fs::write(fixture.path().join("state.json"), "{\"version\":2}").unwrap();
    let error = fixture.load().delete(Delete::Force).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unsupported { pointer: String::new() });
    assert!(fixture.path().exists());
}

#[test]
fn an_interrupted_delete_can_be_repeated() {
    let Some(cgroup) = Cgroup::new("repeated") else { return };
    let fixture = Fixture::new();
    let process = Process::within(&cgroup);
    let (container, listener) = fixture.created(&process);
    close(&listener);
    process.end();
    std::fs::remove_dir(&cgroup.0).unwrap();
    std::fs::remove_file(fixture.path().join("gate")).unwrap();
    container.delete(Delete::Stopped).unwrap();
    assert!(!fixture.path().exists());
}

#[test]
fn what_cannot_be_removed_is_told_and_the_container_stays() {
    let fixture = Fixture::new();
    let process = Process::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not-a-cgroup");
    std::fs::write(&file, b"").unwrap();
    let record = Stored { cgroups: vec![file.clone()], own_pid_namespace: false, ..process.record() };
    let container = fixture.make(record);
    let error = container.delete(Delete::Force).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Cgroup);
    // Both what could not be killed and what could not be removed.
    assert_eq!(error.to_string().matches(file.to_str().unwrap()).count(), 2, "{error}");
    process.end();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(fixture.status(), Status::Stopped);
    fixture.load().delete(Delete::Stopped).unwrap();
    assert!(!fixture.path().exists());
}

#[test]
fn force_ends_a_start_that_hangs_and_then_deletes() {
    let fixture = Fixture::new();
    let process = Process::new();
    let (container, listener) = fixture.created(&process);
    let (said_go, go) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let init = scope.spawn(|| {
            let _caller = accept_go(&listener);
            said_go.send(()).unwrap();
            // Like a hook that never ends: the connection closes when the process is killed.
            let init = process.record().process().unwrap().unwrap();
            init.wait_ended(None).unwrap();
        });
        let start = scope.spawn(|| container.start());
        go.recv().unwrap();
        fixture.load().delete(Delete::Force).unwrap();
        init.join().unwrap();
        let _ = start.join().unwrap();
    });
    assert!(!fixture.path().exists());
}

#[test]
fn a_container_that_is_being_created_is_taken_from_its_creator() {
    let fixture = Fixture::new();
    let process = Process::new();
    let claim = fixture.claim();
    claim.save(&Stored { phase: Phase::Creating, ..process.record() }).unwrap();
    let container = fixture.load();
    let init = process.record().process().unwrap().unwrap();
    std::thread::scope(|scope| {
        let creator = scope.spawn(|| {
            init.wait_ended(None).unwrap();
            claim.remove().unwrap();
        });
        // The creator undoes its work, which leaves nothing to delete.
        assert_eq!(container.delete(Delete::Force).unwrap_err().kind(), &ErrorKind::NotFound);
        creator.join().unwrap();
    });
}

#[test]
fn racing_deletes_have_one_winner_and_the_others_find_nothing() {
    let fixture = Fixture::new();
    let process = Process::new();
    let container = fixture.running(&process);
    process.end();
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| container.delete(Delete::Force))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), 7);
    assert!(errors.iter().all(|error| error.kind() == &ErrorKind::NotFound), "{errors:?}");
}

#[test]
fn the_whole_life() {
    let fixture = Fixture::new();
    let process = Process::new();
    let (container, listener) = fixture.created(&process);
    let init = answer(listener, None);
    container.start().unwrap();
    init.join().unwrap();
    container.kill(libc::SIGTERM, crate::Signals::Init).unwrap();
    assert_eq!(container.wait().unwrap(), Some(crate::ExitStatus::Signal(libc::SIGTERM)));
    container.delete(Delete::Stopped).unwrap();
    assert_eq!(fixture.runtime.list().unwrap().len(), 0);
}
