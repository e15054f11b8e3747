use super::super::fixture::{Cgroup, Fixture, Process};
use super::super::record::{Phase, Stored};
use super::super::{ExitStatus, Status};
use super::*;

#[test]
fn signals_reach_the_first_process_real_time_ones_too() {
    for signal in [libc::SIGTERM, libc::SIGRTMIN() + 1, 64] {
        let fixture = Fixture::new();
        let process = Process::new();
        let container = fixture.running(&process);
        container.kill(0, Signals::Init).unwrap();
        container.kill(signal, Signals::Init).unwrap();
        assert_eq!(container.wait().unwrap(), Some(ExitStatus::Signal(signal)));
    }
}

#[test]
fn a_container_that_waits_for_its_start_can_be_killed() {
    let fixture = Fixture::new();
    let process = Process::new();
    let (container, _listener) = fixture.created(&process);
    container.kill(libc::SIGKILL, Signals::Init).unwrap();
    container.wait().unwrap();
    assert_eq!(fixture.status(), Status::Stopped);
}

#[test]
fn a_stopped_container_has_no_first_process_and_no_others_to_signal() {
    let fixture = Fixture::new();
    let process = Process::new();
    let container = fixture.running(&process);
    process.end();
    let error = container.kill(libc::SIGTERM, Signals::Init).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::WrongStatus(Status::Stopped));
    container.kill(libc::SIGTERM, Signals::All).unwrap();
}

#[test]
fn numbers_that_are_no_signals_are_refused() {
    let fixture = Fixture::new();
    let process = Process::new();
    let container = fixture.running(&process);
    for signal in [-1, 65, i32::MAX] {
        let error = container.kill(signal, Signals::Init).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::InvalidOption);
    }
}

#[test]
fn all_means_every_process_of_the_cgroup() {
    for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGRTMIN()] {
        let Some(cgroup) = Cgroup::new(&format!("all-{signal}")) else { return };
        let fixture = Fixture::new();
        let (init, mut other) = (Process::within(&cgroup), Process::within(&cgroup));
        let container = fixture.running(&init);
        container.kill(signal, Signals::All).unwrap();
        assert_eq!(container.wait().unwrap(), Some(ExitStatus::Signal(signal)));
        assert!(!other.child.wait().unwrap().success());
    }
}

#[test]
fn without_a_pid_namespace_the_end_of_the_first_is_the_end_of_all() {
    let Some(cgroup) = Cgroup::new("host-pid") else { return };
    let fixture = Fixture::new();
    let (init, mut other) = (Process::within(&cgroup), Process::within(&cgroup));
    let record = Stored { phase: Phase::Running, own_pid_namespace: false, ..init.record() };
    let container = fixture.make(record);
    container.kill(libc::SIGKILL, Signals::Init).unwrap();
    assert_eq!(container.wait().unwrap(), Some(ExitStatus::Signal(libc::SIGKILL)));
    assert!(!other.child.wait().unwrap().success());
}

#[test]
fn a_frozen_container_is_paused_and_can_be_killed() {
    let Some(cgroup) = Cgroup::new("frozen") else { return };
    let fixture = Fixture::new();
    let process = Process::within(&cgroup);
    let container = fixture.running(&process);
    cgroup.freeze();
    assert_eq!(fixture.status(), Status::Paused);
    container.kill(libc::SIGKILL, Signals::Init).unwrap();
    assert_eq!(container.wait().unwrap(), Some(ExitStatus::Signal(libc::SIGKILL)));
}
