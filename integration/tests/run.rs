//! `run`: the foreground, exit codes, signals, standard streams, and `--detach`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use integration::harness::*;
use integration::{differs_from, on_hosts};
use rustix::process::Signal;
use serde_json::json;

on_hosts! {
    fn the_exit_code_is_that_of_the_process(host: Host) {
        for code in [0, 1, 7, 255] {
            let sandbox = Sandbox::on(host);
            let output = sandbox.run_probe(&["exit", &code.to_string()], |_| {}).exits_with(code);
            assert_eq!(output.stderr(), "", "the runtime adds nothing of its own");
            sandbox.assert_nothing_left();
        }
    }

    fn a_death_by_signal_is_told_as_128_and_its_number(host: Host) {
        // Without a pid namespace: the first process of one ignores what it does not handle.
        for signal in [1, 6, 9, 11, 15] {
            let sandbox = Sandbox::on(host);
            let arguments = ["signal", &signal.to_string()];
            sandbox.run_probe(&arguments, |config| { config.without_namespace("pid"); }).exits_with(128 + signal);
            sandbox.assert_nothing_left();
        }
    }
}

#[test]
fn a_container_killed_from_outside_is_told_as_137() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let mut running = sandbox.with_bundle("run", &[]).spawn();
    assert_eq!(running.line(), "\"ready\"");
    sandbox.command(&["kill", "ID", "KILL"]).success();
    running.wait().exits_with(137);
    sandbox.assert_nothing_left();
}

#[test]
fn signals_of_the_runtime_are_forwarded() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["signals"]);
    });
    let mut running = sandbox.with_bundle("run", &[]).spawn();
    assert_eq!(running.line(), "\"ready\"");
    let signals =
        [Signal::USR1, Signal::USR2, Signal::HUP, Signal::INT, Signal::QUIT, Signal::ALARM, Signal::TERM];
    for signal in signals {
        running.signal(signal);
        assert_eq!(running.line(), signal.as_raw().to_string());
    }
    running.wait().success();
}

#[test]
fn a_signal_that_the_c_library_may_keep_for_itself_is_forwarded() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["signals"]).without_namespace("pid");
    });
    let mut running = sandbox.with_bundle("run", &[]).spawn();
    assert_eq!(running.line(), "\"ready\"");
    running.signal(Signal::USR1);
    assert_eq!(running.line(), Signal::USR1.as_raw().to_string());
    // `SIGRTMIN` of a shell that was built with glibc.
    drop(Invocation::new(&["kill", "-34", &running.pid().to_string()]).output().success());
    running.wait().exits_with(128 + 34);
    sandbox.assert_nothing_left();
}

#[test]
fn standard_streams_are_the_callers() {
    let sandbox = Sandbox::new();
    let text = "0123456789abcdef".repeat(4096);
    fs::write(sandbox.file("in"), &text).unwrap();
    let (out, err) = (sandbox.file("out"), sandbox.file("err"));
    sandbox.configure(|config| {
        config.probe(&["echo"]);
    });
    sandbox
        .with_bundle("run", &[])
        .stdin(File::open(sandbox.file("in")).unwrap())
        .stdout_and_stderr(File::create(&out).unwrap(), File::create(&err).unwrap())
        .output()
        .success();
    assert!(fs::read_to_string(out).unwrap() == text, "all of the input, and nothing else");
    assert_eq!(fs::read_to_string(err).unwrap(), "65536 bytes\n");
}

#[test]
fn a_pipe_on_standard_input_is_read_to_its_end() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["echo"]);
    });
    let (reader, writer) = std::io::pipe().unwrap();
    let running = sandbox.with_bundle("run", &[]).stdin(reader).spawn();
    let mut writer = writer;
    writer.write_all(b"through the pipe").unwrap();
    drop(writer);
    assert_eq!(running.wait().success().stdout(), "through the pipe");
}

#[test]
fn the_container_gets_the_same_open_files_and_no_others() {
    differs_from!("runc", "in the foreground it copies through pipes of its own");
    let sandbox = Sandbox::new();
    let out = sandbox.file("out");
    sandbox
        .with_bundle("run", &[])
        .stdout_and_stderr(File::create(&out).unwrap(), File::create(sandbox.file("err")).unwrap())
        .output()
        .success();
    let report = Report::parse(&fs::read_to_string(&out).unwrap());
    assert_eq!(report.descriptors().into_iter().collect::<Vec<_>>(), ["0", "1", "2"]);
    // The kernel tells paths from the root of their file system once that is out of the container's sight.
    assert!(report["fds"]["0"].as_str().unwrap().ends_with("/null"), "{}", report["fds"]);
    assert!(report["fds"]["1"].as_str().unwrap().ends_with("/out"), "not a copy: {}", report["fds"]);
}

#[test]
fn closed_standard_streams_do_not_shift_others_into_their_place() {
    differs_from!("runc", "a pipe of its own becomes the container's standard input");
    let sandbox = Sandbox::new().after_shell("exec <&-");
    let report = sandbox.report(|_| {});
    let input = report["fds"]["0"].as_str().unwrap_or("closed");
    assert!(["closed", "/dev/null"].contains(&input), "standard input is {input}");
    assert!(report["fds"]["1"].as_str().unwrap().starts_with("pipe:"));
}

#[test]
fn five_hundred_processes_that_end_at_once_never_hang_the_runtime() {
    let workers: Vec<_> = (0..2)
        .map(|_| {
            std::thread::spawn(|| {
                let sandbox = Sandbox::new();
                sandbox.configure(|config| {
                    config.probe(&["exit", "3"]);
                });
                for _ in 0..250 {
                    sandbox.run().exits_with(3);
                }
                sandbox.assert_nothing_left();
            })
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
}

on_hosts! {
    fn detach_returns_while_the_container_runs(host: Host) {
        let sandbox = Sandbox::on(host);
        sandbox.configure(|config| { config.probe(&["term", "5"]); });
        let pid_file = sandbox.file("pid");
        let output = sandbox.with_bundle("run", &["--detach", "--pid-file", &pid_file]).output().success();
        let mut container = Container::of(&sandbox, output);
        assert_eq!(fs::read_to_string(pid_file).unwrap(), container.pid().to_string());
        assert_eq!(container.line(), "ready");
        assert_eq!(container.status(), "running");
        container.kill("TERM");
        assert_eq!(container.wait(), 5);
        container.delete();
    }
}

#[test]
fn keep_leaves_the_stopped_container() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "4"]);
    });
    sandbox.with_bundle("run", &["--keep"]).output().exits_with(4);
    let state = sandbox.state();
    assert_eq!((&state["status"], &state["pid"]), (&json!("stopped"), &json!(0)));
    sandbox.command(&["delete", "ID"]).success();
    sandbox.assert_nothing_left();
}

#[test]
fn the_bundle_is_the_current_folder_unless_told() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "6"]);
    });
    let id = sandbox.id().to_owned();
    sandbox.runtime(&["run", &id]).current_dir(&sandbox.bundle()).output().exits_with(6);
    sandbox.runtime(&["run", "--bundle", "bundle", &id]).current_dir(sandbox.path()).output().exits_with(6);
    sandbox.runtime(&["run", "-b=bundle", &id]).current_dir(sandbox.path()).output().exits_with(6);
}

#[test]
fn a_container_that_cannot_be_set_up_exits_with_1_and_runs_nothing() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.bind(Path::new("/no/such/source"), "/tmp", &["bind"]);
    });
    let output = sandbox.run();
    assert_eq!(output.stdout(), "");
    output.fails_saying("/no/such/source");
    sandbox.assert_nothing_left();
}

#[test]
fn the_exit_code_is_known_although_the_caller_ignores_sigchld() {
    let sandbox = Sandbox::new().after_shell("trap '' CHLD");
    sandbox.run_probe(&["exit", "7"], |_| {}).exits_with(7);
}
