//! What has to be allowed by an option: without it the error names the option, with it the program goes on.

use std::fs;
use std::io::Read;
use std::os::unix::net::{UnixDatagram, UnixListener};

use integration::harness::*;
use integration::{differs_from, skip};
use serde_json::json;

use super::counter::{Counter, count_to};

/// A container that holds what `words` say, in a root that it can write to.
fn holding(words: &[&str], path: &'static str, change: impl FnOnce(&mut Config)) -> Counter {
    Counter::new(Host::Native, path).counting(words, |config| {
        config["root"]["readonly"] = json!(false);
        change(config);
    })
}

/// Both commands need `option`.
#[track_caller]
fn needs(counter: &Counter, option: &str) {
    let mut container = counter.started();
    count_to(&mut container, 1);
    let error = counter.checkpoint(&[]).fails_saying("criu failed");
    if runtime().is_ours() {
        assert!(error.contains(option), "the error does not say {option}: {error}");
    }
    count_to(&mut container, 2);
    counter.checkpoint(&[option]).success();
    assert_eq!(container.wait(), 137);
    counter.sandbox.assert_nothing_left();
    counter.goes_on(counter.restored(&[option]));
}

#[test]
fn a_connection_inside_goes_on() {
    differs_from!("runc", "criu finds the network unreachable when it restores the connection");
    needs(&holding(&["tcp"], need_criu!(), |_| {}), "--tcp-established");
}

#[test]
fn a_file_that_was_locked_is_locked_again() {
    needs(&holding(&["locked", "/tmp/file"], need_criu!(), |_| {}), "--file-locks");
}

#[test]
fn a_file_that_was_removed_is_found_by_its_other_names() {
    let counter = holding(&["removed", "/tmp/file"], need_criu!(), |_| {});
    let mut container = counter.started();
    count_to(&mut container, 1);
    let error = counter.checkpoint(&[]).fails_saying("criu failed");
    if runtime().is_ours() {
        assert!(error.contains("link-remap"), "{error}");
    }
    count_to(&mut container, 2);
    counter.checkpoint(&["--link-remap"]).success();
    assert_eq!(container.wait(), 137);
    let folder = counter.sandbox.rootfs().join("tmp");
    counter.goes_on(counter.restored(&[]));
    assert_eq!(fs::read(folder.join("file.other")).unwrap(), [1, 2, 3]);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
}

#[test]
fn a_socket_of_the_outside_is_connected_again() {
    let path = need_criu!();
    let folder = tempfile::tempdir().unwrap();
    // CRIU asks the network namespace of the container for sockets, and connects by the name that this one was given.
    let name = folder.path().join("socket");
    let socket = UnixDatagram::bind(&name).unwrap();
    let counter = holding(&["datagram", name.to_str().unwrap()], path, |config| {
        config.bind(folder.path(), folder.path().to_str().unwrap(), &["bind"]);
        config.without_namespace("network");
    });
    needs(&counter, "--ext-unix-sk");
    let mut numbers = [0; 3];
    for number in &mut numbers {
        socket.recv(std::slice::from_mut(number)).unwrap();
    }
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn a_socket_of_another_network_namespace_cannot_be_dumped() {
    let path = need_criu!();
    let folder = tempfile::tempdir().unwrap();
    let _socket = UnixDatagram::bind(folder.path().join("socket")).unwrap();
    let counter = holding(&["datagram", "/outside/socket"], path, |config| {
        config.bind(folder.path(), "/outside", &["bind"]);
    });
    let mut container = counter.started();
    count_to(&mut container, 1);
    let error = counter.checkpoint(&["--ext-unix-sk"]).fails_saying("criu failed");
    if runtime().is_ours() {
        assert!(error.contains("hint: ") && error.contains("network namespace"), "{error}");
    }
    count_to(&mut container, 2);
    counter.goes_on(container);
}

#[test]
fn a_connection_to_a_socket_of_the_outside_cannot_be_dumped() {
    let path = need_criu!();
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
    let counter = holding(&["stream", "/outside/socket"], path, |config| {
        config.bind(folder.path(), "/outside", &["bind"]);
    });
    let mut container = counter.started();
    let mut connection = listener.accept().unwrap().0;
    count_to(&mut container, 1);
    counter.checkpoint(&["--ext-unix-sk"]).fails_saying("criu failed");
    count_to(&mut container, 2);
    count_to(&mut container, 3);
    let mut numbers = [0; 3];
    connection.read_exact(&mut numbers).unwrap();
    assert_eq!(numbers, [1, 2, 3]);
    container.kill("KILL");
    container.wait();
    container.delete();
}

#[test]
fn an_empty_network_namespace_is_filled_by_hooks() {
    let counter = holding(&["tcp"], need_criu!(), |_| {});
    let mut container = counter.started();
    count_to(&mut container, 1);
    count_to(&mut container, 2);
    let flags = ["--tcp-established", "--empty-ns", "network"];
    counter.checkpoint(&flags).success();
    container.wait();
    // There is nothing in the new one: the connection needs an interface.
    let restoring = || counter.restoring(&[&["--detach"], &flags[..]].concat()).output();
    restoring().fails_saying("criu failed");
    counter.sandbox.assert_nothing_left();
    counter.sandbox.configure(|config| {
        config.probe(&["count", "tcp"]);
        config.shell_hook(
            "createRuntime",
            "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); nsenter --net=/proc/$pid/ns/net ip link set lo up",
        );
    });
    counter.goes_on(counter.restored(&flags));
}

#[test]
fn cgroups_are_those_that_the_runtime_has_made_in_every_mode() {
    let path = need_criu!();
    for mode in ["soft", "full", "ignore"] {
        let counter = Counter::new(Host::Native, path).configure(|_| {});
        let mut container = counter.started();
        count_to(&mut container, 1);
        count_to(&mut container, 2);
        counter.checkpoint(&["--manage-cgroups-mode", mode]).success();
        container.wait();
        let container = counter.restored(&["--manage-cgroups-mode", mode]);
        for cgroup in cgroups_named(counter.sandbox.id()) {
            let processes = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap();
            assert_eq!(processes, format!("{}\n", container.pid()), "{mode}: {}", cgroup.display());
        }
        counter.goes_on(container);
    }
}

#[test]
fn cgroups_that_must_not_exist_are_refused_for_the_runtime_makes_them() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    counter.checkpointed();
    let restore = counter.restoring(&["--detach", "--manage-cgroups-mode", "strict"]).output();
    let error = restore.fails_saying("existing cgroups");
    if runtime().is_ours() {
        assert!(error.contains("hint: ") && error.contains("--manage-cgroups-mode soft"), "{error}");
    }
    counter.sandbox.assert_nothing_left();
}

#[test]
fn one_pipe_for_two_streams_is_one_again() {
    let counter = Counter::new(Host::Native, need_criu!()).configure(|_| {});
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let (reader2, writer2) = rustix::pipe::pipe().unwrap();
    let create = counter.sandbox.with_bundle("create", &[]);
    let output = create.stdout_and_stderr(writer.try_clone().unwrap(), writer).output().success();
    let container = Container::of(&counter.sandbox, output);
    container.start();
    let mut lines = Stream::over(reader);
    let soon = || std::time::Instant::now() + PATIENCE;
    assert_eq!(lines.line(soon()), "0");
    counter.checkpoint(&[]).success();
    container.wait();
    let restore = counter.restoring(&["--detach"]);
    let output = restore.stdout_and_stderr(writer2.try_clone().unwrap(), writer2).output().success();
    let container = Container::of(&counter.sandbox, output);
    let mut lines = Stream::over(reader2);
    container.signal(rustix::process::Signal::USR1);
    assert_eq!(lines.line(soon()), "1");
    container.signal(rustix::process::Signal::TERM);
    container.wait();
    container.delete();
}
