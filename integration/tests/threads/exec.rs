//! A thousand programs executed in one container by a program with threads: none fails, and nothing of them stays.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use integration::harness::*;
use libcontainer::{Container, Delete, ExecOptions, ExitStatus, Stdio};

use super::busy::Shared;

/// On a machine that has other work too.
const PATIENCE: Duration = Duration::from_secs(600);
const EXECS: u32 = 1000;
const AT_ONCE: usize = 50;

/// Runs a program; its exit code and what it prints are its own.
fn execute(container: &Container, number: u32) {
    let code = i32::try_from(number % 200).unwrap();
    let options = ExecOptions::new(["/probe", "exit", &code.to_string()]);
    let exec = container.exec(options.stdio(Stdio::Null).allow_unsealed_executable(true)).unwrap();
    assert_eq!(exec.wait().unwrap(), ExitStatus::Code(code), "exec {number}");
}

fn in_one_container(sandbox: &Sandbox, execs: u32, at_once: usize) {
    let embedder = Embedder::new(sandbox);
    let container = embedder.runtime.create(&embedder.id, &embedder.bundle(), &embedder.options()).unwrap();
    let before = embedder.left();
    let next = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= execs {
                        break;
                    }
                    execute(&container, number);
                }
            });
        }
    });
    assert_eq!(embedder.left(), before, "no process, zombie or descriptor is left");
    container.delete(Delete::Force).unwrap();
}

#[test]
fn a_thousand_fifty_at_once() {
    alone_for(PATIENCE, Host::Native, "exec::a_thousand_fifty_at_once", || {
        in_one_container(&Sandbox::new(), EXECS, AT_ONCE);
    });
}

#[test]
fn a_thousand_fifty_at_once_on_v2() {
    alone_for(PATIENCE, Host::V2, "exec::a_thousand_fifty_at_once_on_v2", || {
        in_one_container(&Sandbox::new(), EXECS, AT_ONCE);
    });
}

#[test]
fn beside_eight_busy_threads() {
    alone_for(PATIENCE, Host::Native, "exec::beside_eight_busy_threads", || {
        let sandbox = Sandbox::new();
        let embedder = Embedder::new(&sandbox);
        let container =
            embedder.runtime.create(&embedder.id, &embedder.bundle(), &embedder.options()).unwrap();
        Shared::default().while_busy(|_| (0..200).for_each(|number| execute(&container, number)));
        container.delete(Delete::Force).unwrap();
    });
}

#[test]
fn pipes_carry_what_the_program_reads_and_prints() {
    alone_for(PATIENCE, Host::Native, "exec::pipes_carry_what_the_program_reads_and_prints", || {
        let sandbox = Sandbox::new();
        let embedder = Embedder::new(&sandbox);
        let container =
            embedder.runtime.create(&embedder.id, &embedder.bundle(), &embedder.options()).unwrap();
        let options = ExecOptions::new(["/probe", "echo"]).stdio(Stdio::Piped);
        let mut exec = container.exec(options.allow_unsealed_executable(true)).unwrap();
        rustix::io::write(exec.stdin.as_ref().unwrap(), b"hello\n").unwrap();
        exec.stdin = None;
        assert_eq!(read(exec.stdout.take()), "hello\n");
        assert_eq!(read(exec.stderr.take()), "6 bytes\n");
        assert_eq!(exec.wait().unwrap(), ExitStatus::Code(0));
        let again = exec.wait().unwrap_err();
        assert_eq!(again.kind(), &libcontainer::ErrorKind::NoProcess, "{again}");
        container.delete(Delete::Force).unwrap();
    });
}

fn read(pipe: Option<OwnedFd>) -> String {
    let mut text = String::new();
    std::fs::File::from(pipe.unwrap()).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn programs_that_lose_their_container_end_and_are_reaped() {
    alone_for(PATIENCE, Host::Native, "exec::programs_that_lose_their_container_end_and_are_reaped", || {
        let sandbox = Sandbox::new();
        let embedder = Embedder::new(&sandbox);
        let bundle = embedder.bundle();
        for round in 0..10 {
            let container = embedder.runtime.create(&embedder.id, &bundle, &embedder.options()).unwrap();
            thread::scope(|scope| {
                for _ in 0..4 {
                    // Until the container is gone: by then every error is that it has stopped.
                    scope.spawn(|| {
                        loop {
                            let options = ExecOptions::new(["/probe", "exit", "0"]).stdio(Stdio::Null);
                            match container.exec(options.allow_unsealed_executable(true)) {
                                Ok(exec) => drop(exec.wait().unwrap()),
                                Err(error) => break assert_stopped(&error),
                            }
                        }
                    });
                }
                for _ in 0..round {
                    execute(&container, 0);
                }
                container.kill(9, libcontainer::Signals::Init).unwrap();
            });
            container.wait().unwrap();
            container.delete(Delete::Stopped).unwrap();
        }
        assert_eq!(embedder.left(), Vec::<String>::new());
    });
}

fn assert_stopped(error: &libcontainer::Error) {
    let kind = libcontainer::ErrorKind::WrongStatus(libcontainer::Status::Stopped);
    assert_eq!(error.kind(), &kind, "{error}");
}
