//! sd_notify(3): what the container's program says reaches the service manager that started the runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use integration::harness::*;
use integration::{differs_from, on_hosts};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, recvmsg};
use rustix::process::Signal;
use serde_json::json;

/// The service manager's side.
struct Manager {
    socket: UnixDatagram,
    path: String,
}

impl Manager {
    fn of(sandbox: &Sandbox) -> Self {
        let path = sandbox.file("manager.sock");
        Self::listening(UnixDatagram::bind(&path).unwrap(), path)
    }

    fn listening(socket: UnixDatagram, path: String) -> Self {
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { socket, path }
    }

    /// The next message, and how many descriptors came with it; they are closed, which is the manager's answer.
    fn message(&self) -> (String, usize) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 4096];
        let mut data = [IoSliceMut::new(&mut bytes)];
        let message = recvmsg(&self.socket, &mut data, &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
        let descriptors = control.drain().count();
        (String::from_utf8(bytes[..message.bytes].to_vec()).unwrap(), descriptors)
    }

    /// What comes when a program is ready, with the process that is to be watched.
    fn assert_ready(&self, pid: u32) {
        assert_eq!(self.message(), ("READY=1\n".to_owned(), 0));
        assert_eq!(self.message(), (format!("MAINPID={pid}\n"), 0));
        assert_eq!(self.message(), ("BARRIER=1".to_owned(), 1));
    }
}

/// A sandbox whose program is going to say `messages` at SIGUSR1.
fn telling(host: Host, messages: &[&str], change: impl FnOnce(&mut Config)) -> Sandbox {
    let sandbox = Sandbox::on(host);
    sandbox.configure(|config| {
        config.probe(&[&["notify"], messages].concat());
        change(config);
    });
    sandbox
}

/// One whose program says that it is ready, and the manager that hears it.
fn ready() -> (Sandbox, Manager) {
    let sandbox = telling(Host::Native, &["READY=1"], |_| {});
    let manager = Manager::of(&sandbox);
    (sandbox, manager)
}

fn created<'a>(sandbox: &'a Sandbox, manager: &Manager) -> Container<'a> {
    let output = sandbox.with_bundle("create", &[]).env("NOTIFY_SOCKET", &manager.path).output();
    Container::of(sandbox, output.success())
}

/// A container whose program runs, and the `start` that waits for its messages.
fn running<'a>(sandbox: &'a Sandbox, manager: &Manager) -> (Container<'a>, Running) {
    let mut container = created(sandbox, manager);
    let start = starting(sandbox, manager);
    assert_eq!(container.line(), "ready");
    (container, start)
}

fn starting(sandbox: &Sandbox, manager: &Manager) -> Running {
    sandbox.runtime(&["start", sandbox.id()]).env("NOTIFY_SOCKET", &manager.path).spawn()
}

fn run(sandbox: &Sandbox, manager: &Manager, flags: &[&str]) -> Running {
    sandbox.with_bundle("run", flags).env("NOTIFY_SOCKET", &manager.path).spawn()
}

/// The life of a container up to the moment at which the manager knows that it is ready.
fn becomes_ready<'a>(sandbox: &'a Sandbox, manager: &Manager) -> Container<'a> {
    let (container, start) = running(sandbox, manager);
    container.kill("USR1");
    manager.assert_ready(container.pid());
    start.wait().success();
    container
}

on_hosts! {
    fn start_waits_until_the_program_is_ready(host: Host) {
        let sandbox = telling(host, &["READY=1"], |_| {});
        let manager = Manager::of(&sandbox);
        let (mut container, start) = running(&sandbox, &manager);
        assert_eq!(container.status(), "running");
        assert!(start.goes_on());
        container.kill("USR1");
        manager.assert_ready(container.pid());
        start.wait().success();
        assert_eq!(container.line(), "told");
        container.kill("TERM");
        assert_eq!(container.wait(), 0);
        container.delete();
    }
}

#[test]
fn start_waits_for_the_managers_answer() {
    let (sandbox, manager) = ready();
    let (mut container, start) = running(&sandbox, &manager);
    container.kill("USR1");
    assert_eq!(container.line(), "told");
    assert_eq!(container.status(), "running");
    assert!(start.goes_on(), "nobody has read anything yet");
    manager.assert_ready(container.pid());
    start.wait().success();
}

#[test]
fn only_readiness_is_passed_on() {
    differs_from!("runc", "it looks at the beginning of a message only");
    let messages = ["STATUS=warming up", "WATCHDOG=1", "STATUS=done\nREADY=1\nMAINPID=7", "STATUS=later"];
    let sandbox = telling(Host::Native, &messages, |_| {});
    becomes_ready(&sandbox, &Manager::of(&sandbox));
}

#[test]
fn the_program_finds_one_socket_and_can_change_nothing() {
    let sandbox = Sandbox::new();
    let manager = Manager::of(&sandbox);
    sandbox.configure(|config| {
        config.probe(&["report", "--list", "/run/notify"]);
        config["process"]["env"] = json!(["A=1", "NOTIFY_SOCKET=/elsewhere"]);
    });
    let mut container = created(&sandbox, &manager);
    let start = starting(&sandbox, &manager);
    let report = container.report();
    assert_eq!(container.wait(), 0);
    start.wait().success();
    assert_eq!(report.env("NOTIFY_SOCKET").last(), Some(&"/run/notify/notify.sock"));
    assert_eq!(report["list"]["/run/notify"], json!(["notify.sock"]));
    let options = report.mount_options("/run/notify");
    for option in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(options.contains(&option), "{options:?}");
    }
    container.delete();
}

#[test]
fn a_user_of_a_user_namespace_may_speak() {
    let sandbox = telling(Host::Native, &["READY=1"], |config| {
        config.user_namespace(100_000, 65_536);
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "umask": 0o077 });
    });
    // Its root may make nothing in the image.
    std::fs::create_dir_all(sandbox.rootfs().join("run/notify")).unwrap();
    becomes_ready(&sandbox, &Manager::of(&sandbox));
}

#[test]
fn a_program_that_ends_without_a_word_was_started() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "3"]);
    });
    let manager = Manager::of(&sandbox);
    let container = created(&sandbox, &manager);
    let start = starting(&sandbox, &manager);
    assert_eq!(container.wait(), 3);
    start.wait().success();
    container.delete();
}

#[test]
fn detached_run_waits_as_well() {
    let (sandbox, manager) = ready();
    let mut run = run(&sandbox, &manager, &["--detach"]);
    assert_eq!(run.line(), "\"ready\"");
    assert!(run.goes_on());
    sandbox.command(&["kill", "ID", "USR1"]).success();
    let pid = u32::try_from(sandbox.state()["pid"].as_u64().unwrap()).unwrap();
    manager.assert_ready(pid);
    let _streams = run.wait().success();
}

#[test]
fn in_the_foreground_the_runtime_is_the_main_process() {
    let (sandbox, manager) = ready();
    let mut run = run(&sandbox, &manager, &[]);
    assert_eq!(run.line(), "\"ready\"");
    sandbox.command(&["kill", "ID", "USR1"]).success();
    manager.assert_ready(run.pid());
    assert_eq!(run.line(), "\"told\"");
    run.signal(Signal::TERM);
    run.wait().success();
    sandbox.assert_nothing_left();
}

#[test]
fn signals_reach_a_container_that_is_not_ready_yet() {
    differs_from!("runc", "it serves nothing else before the container is ready");
    let (sandbox, manager) = ready();
    let mut run = run(&sandbox, &manager, &[]);
    assert_eq!(run.line(), "\"ready\"");
    run.signal(Signal::TERM);
    run.wait().success();
    sandbox.assert_nothing_left();
}

#[test]
fn a_manager_may_have_an_abstract_name() {
    let sandbox = telling(Host::Native, &["READY=1"], |_| {});
    let address = SocketAddr::from_abstract_name(sandbox.id()).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    becomes_ready(&sandbox, &Manager::listening(socket, format!("@{}", sandbox.id())));
}

#[test]
fn a_manager_that_cannot_be_reached_is_told_before_anything_runs() {
    differs_from!("runc", "it looks for the manager when the container runs");
    let (sandbox, manager) = ready();
    let container = created(&sandbox, &manager);
    let nobody = sandbox.file("nobody");
    let start = || sandbox.runtime(&["start", sandbox.id()]).env("NOTIFY_SOCKET", &nobody).output();
    start().fails_saying("connect to $NOTIFY_SOCKET");
    assert_eq!(container.status(), "created");
    sandbox.command(&["delete", "--force", "ID"]).success();
    let run = sandbox.with_bundle("run", &[]).env("NOTIFY_SOCKET", &nobody).output();
    run.fails_saying("connect to $NOTIFY_SOCKET");
    assert_eq!(container.wait(), 137);
    sandbox.assert_nothing_left();
}

#[test]
fn either_half_alone_changes_nothing() {
    differs_from!("runc", "it fails to start a container that was created without a manager");
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let manager = Manager::of(&sandbox);
    for (create, start) in [(true, false), (false, true)] {
        let with =
            |words: Invocation, yes| if yes { words.env("NOTIFY_SOCKET", &manager.path) } else { words };
        let output = with(sandbox.with_bundle("create", &[]), create).output().success();
        let mut container = Container::of(&sandbox, output);
        with(sandbox.runtime(&["start", sandbox.id()]), start).output().success();
        assert_eq!(container.line(), "ready");
        container.kill("TERM");
        assert_eq!(container.wait(), 0);
        container.delete();
    }
}

#[test]
fn a_program_that_cannot_be_run_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config["process"]["args"] = json!(["/nope"]);
    });
    let manager = Manager::of(&sandbox);
    run(&sandbox, &manager, &[]).wait().fails_saying("no such file or directory");
    sandbox.assert_nothing_left();
}
