//! Terminals: the console socket, sizes, and the foreground.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod jobs;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use integration::differs_from;
use integration::harness::*;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::json;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn window(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// The report of a container with a terminal that is created and started.
fn report_on_terminal(options: &[&str], change: impl FnOnce(&mut Config)) -> (Report, String) {
    let sandbox = Sandbox::new();
    let console = Console::listen(sandbox.path());
    sandbox.configure(|config| {
        let arguments: Vec<&str> = std::iter::once("report").chain(options.iter().copied()).collect();
        config["process"]["terminal"] = json!(true);
        config.probe(&arguments);
        change(config);
    });
    let container = sandbox.create_with(&["--console-socket", console.path()]);
    let (mut terminal, name) = console.terminal();
    container.start();
    let report = Report::parse(&terminal.line(soon()));
    assert_eq!(container.wait(), 0);
    terminal.rest(soon());
    container.delete();
    (report, name)
}

#[test]
fn the_master_is_sent_before_create_returns_and_the_slave_is_on_the_standard_streams() {
    let (report, name) = report_on_terminal(&[], |_| {});
    if runtime().is_ours() {
        // runc sends the name of the multiplexer; nobody depends on the text.
        assert_eq!(name, "/dev/pts/0");
    }
    assert_eq!(
        report["terminal"]["onlcr"], true,
        "Docker's client shows the output on a terminal in raw mode"
    );
    for fd in ["0", "1", "2"] {
        assert_eq!(report["fds"][fd], "/dev/pts/0");
    }
    assert_eq!(report["terminal"]["isTerminal"], true);
    assert_eq!(report["terminal"]["controlling"], true);
    assert_eq!(report["terminal"]["foreground"], 1, "its process group is in the foreground");
}

#[test]
fn the_terminal_belongs_to_the_user_and_is_the_console() {
    let options = ["--stat", "/dev/console", "--stat", "/dev/pts/0"];
    let (report, _) = report_on_terminal(&options, |config| {
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
    let (console, terminal) = (&report["stat"]["/dev/console"], &report["stat"]["/dev/pts/0"]);
    assert_eq!(console["rdev"], json!([136, 0]));
    assert_eq!(console["rdev"], terminal["rdev"]);
    assert_eq!(
        (&terminal["uid"], &terminal["gid"], &terminal["mode"]),
        (&json!(1000), &json!(5), &json!("0620"))
    );
    assert_eq!(report.mount("/dev/console").unwrap()["type"], "devpts");
}

#[test]
fn the_console_has_the_size_of_the_configuration() {
    let (report, _) = report_on_terminal(&[], |config| {
        config["process"]["consoleSize"] = json!({ "height": 43, "width": 132 });
    });
    assert_eq!((&report["terminal"]["rows"], &report["terminal"]["columns"]), (&json!(43), &json!(132)));
}

#[test]
fn a_new_size_of_the_master_reaches_the_container() {
    let sandbox = Sandbox::new();
    let console = Console::listen(sandbox.path());
    sandbox.configure(|config| {
        config["process"]["terminal"] = json!(true);
        config.probe(&["winsize"]);
    });
    let container = sandbox.create_with(&["--console-socket", console.path()]);
    let (master, _) = console.receive();
    tcsetwinsize(&master, window(11, 22)).unwrap();
    let mut terminal = Stream::over(master.try_clone().unwrap());
    container.start();
    assert_eq!(terminal.line(soon()), "[11,22]");
    tcsetwinsize(&master, window(33, 44)).unwrap();
    assert_eq!(terminal.line(soon()), "[33,44]");
    assert_eq!(container.wait(), 0);
    container.delete();
}

#[test]
fn a_terminal_needs_a_console_socket_and_the_reverse() {
    let sandbox = Sandbox::new();
    let console = Console::listen(sandbox.path());
    sandbox.configure(|config| config["process"]["terminal"] = json!(true));
    sandbox.with_bundle("create", &[]).output().fails_saying("console");
    sandbox.assert_nothing_left();
    sandbox.configure(|_| {});
    let flags = ["--console-socket", console.path()];
    sandbox.with_bundle("create", &flags).output().fails_saying("console");
    sandbox.assert_nothing_left();
}

#[test]
fn a_console_socket_that_nobody_listens_to_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| config["process"]["terminal"] = json!(true));
    let missing = sandbox.file("nobody.sock");
    sandbox.with_bundle("create", &["--console-socket", &missing]).output().exits_with(1);
    sandbox.assert_nothing_left();
}

/// A pseudo terminal that plays the user's.
fn user_terminal() -> (OwnedFd, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    (master, File::options().read(true).write(true).open(name).unwrap())
}

#[test]
fn a_foreground_run_relays_its_own_terminal_and_its_size() {
    let sandbox = Sandbox::new();
    let (master, slave) = user_terminal();
    tcsetwinsize(master.as_fd(), window(25, 90)).unwrap();
    sandbox.configure(|config| {
        config["process"]["terminal"] = json!(true);
        config.probe(&["winsize"]);
    });
    let mut screen = Stream::over(master.try_clone().unwrap());
    let running = sandbox
        .with_bundle("run", &[])
        .stdin(slave.try_clone().unwrap())
        .stdout_and_stderr(slave.try_clone().unwrap(), slave)
        .spawn();
    // The window may be told to the container before or after its process asks for the first time.
    let first = screen.line(soon());
    assert!(["[25,90]", "[0,0]"].contains(&first.as_str()), "{first}");
    tcsetwinsize(master.as_fd(), window(50, 60)).unwrap();
    running.signal(Signal::WINCH);
    let second = screen.line(soon());
    assert!(["[50,60]", "[25,90]"].contains(&second.as_str()), "{second}");
    running.wait().success();
}

/// `run` of a container with a terminal on a terminal of the user's; returns the user's side of that.
fn run_on_terminal(sandbox: &Sandbox, arguments: &[&str]) -> (Running, OwnedFd, File) {
    let (master, slave) = user_terminal();
    sandbox.configure(|config| {
        config["process"]["terminal"] = json!(true);
        config.probe(arguments);
    });
    let streams = || slave.try_clone().unwrap();
    let running =
        sandbox.with_bundle("run", &[]).stdin(streams()).stdout_and_stderr(streams(), streams()).spawn();
    (running, master, slave)
}

/// Waits for what nothing tells of.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = soon();
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

fn is_raw(terminal: &File) -> bool {
    !rustix::termios::tcgetattr(terminal).unwrap().local_modes.contains(rustix::termios::LocalModes::ICANON)
}

#[test]
fn control_characters_are_for_the_container_and_the_terminal_is_restored() {
    for (keys, code) in [("\u{3}", 130), ("\u{1c}", 131)] {
        let sandbox = Sandbox::new();
        // Not the first process of a pid namespace, which ignores what it does not handle.
        let (master, slave) = user_terminal();
        sandbox.configure(|config| {
            config["process"]["terminal"] = json!(true);
            config.probe(&["report", "--wait"]).without_namespace("pid");
        });
        let streams = || slave.try_clone().unwrap();
        let mut screen = Stream::over(master.try_clone().unwrap());
        let running =
            sandbox.with_bundle("run", &[]).stdin(streams()).stdout_and_stderr(streams(), streams()).spawn();
        screen.line(soon());
        assert!(is_raw(&slave));
        rustix::io::write(&master, keys.as_bytes()).unwrap();
        running.wait().exits_with(code);
        assert!(!is_raw(&slave), "after {keys:?}");
    }
}

#[test]
fn the_end_of_the_input_is_the_container_s_and_a_signal_restores_the_terminal() {
    let sandbox = Sandbox::new();
    let (running, master, slave) = run_on_terminal(&sandbox, &["echo"]);
    let mut screen = Stream::over(master.try_clone().unwrap());
    // What is typed before belongs to the terminal as it was.
    until("the terminal becomes raw", || is_raw(&slave));
    rustix::io::write(&master, b"hello\n\x04").unwrap();
    while !screen.line(soon()).contains("6 bytes") {}
    running.wait().success();
    assert!(!is_raw(&slave));
    let sandbox = Sandbox::new();
    let (running, master, slave) = run_on_terminal(&sandbox, &["pause"]);
    assert!(Stream::over(master.try_clone().unwrap()).line(soon()).contains("ready"));
    running.signal(Signal::TERM);
    running.wait().success();
    assert!(!is_raw(&slave));
}

#[test]
fn a_hundred_megabytes_arrive() {
    differs_from!("runc", "without a terminal of its own it refuses");
    let sandbox = Sandbox::new();
    let bytes = 100_usize << 20;
    sandbox.configure(|config| {
        config["process"]["terminal"] = json!(true);
        config.probe(&["print", &bytes.to_string()]);
    });
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let counter =
        std::thread::spawn(move || std::io::copy(&mut File::from(reader), &mut std::io::sink()).unwrap());
    let running = sandbox
        .with_bundle("run", &[])
        .patience(Duration::from_secs(600))
        .stdout_and_stderr(writer, std::process::Stdio::null())
        .spawn();
    running.wait().success();
    assert_eq!(counter.join().unwrap(), bytes as u64);
}

#[test]
fn a_reader_that_stops_does_not_keep_signals_away() {
    differs_from!("runc", "without a terminal of its own it refuses");
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config["process"]["terminal"] = json!(true);
        config.probe(&["print", &(1 << 30).to_string()]);
    });
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let running =
        sandbox.with_bundle("run", &[]).stdout_and_stderr(writer, std::process::Stdio::null()).spawn();
    let mut first = [0; 1];
    rustix::io::read(&reader, &mut first).unwrap();
    sandbox.command(&["kill", "ID", "KILL"]).success();
    // The container is gone with more to say than anybody reads. One that comes before the runtime knows is for it.
    let pid = rustix::process::Pid::from_raw(running.pid().cast_signed()).unwrap();
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    let a_while = rustix::event::Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let ends = || {
        let mut fds = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&a_while)).unwrap() > 0
    };
    let deadline = soon();
    while !ends() {
        assert!(Instant::now() < deadline, "it does not end");
        running.signal(Signal::TERM);
    }
    running.wait().exits_with(137);
}
