//! How clients call.

use std::fs;

use integration::harness::*;
use integration::{differs_from, skip};

/// `words`, the runtime's own path first, from the sandbox's folder: paths are then relative to that.
fn from_the_folder(sandbox: &Sandbox, words: &[&str]) -> Output {
    let mut all = vec![runtime().path().to_str().unwrap()];
    all.extend(words);
    Invocation::new(&all).env("TEST_SANDBOX", sandbox.id()).current_dir(sandbox.path()).output()
}

#[test]
fn paths_are_relative_to_the_callers_folder() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let line =
        ["--root", "root", "--log", "log", "create", "--bundle", "bundle", "--pid-file", "pid", sandbox.id()];
    let _streams = from_the_folder(&sandbox, &line).success();
    assert_eq!(fs::read_to_string(sandbox.file("pid")).unwrap(), sandbox.state()["pid"].to_string());
    assert_eq!(sandbox.state()["bundle"], sandbox.bundle().to_str().unwrap());
    assert!(sandbox.path().join("log").exists() && sandbox.path().join("root").is_dir());
}

#[test]
fn options_are_read_as_go_reads_them() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "3"]);
    });
    let id = sandbox.id();
    for line in [
        &["--root", "root", "run", "--bundle", "bundle", id][..],
        &["--root=root", "run", "--bundle=bundle", id],
        &["-root", "root", "run", "-bundle", "bundle", id],
        &["-root=root", "-debug=false", "run", "-b=bundle", "-detach=false", "-keep=F", id],
        &["--root=root", "--debug=0", "run", "-b", "bundle", "--", id],
    ] {
        let output = from_the_folder(&sandbox, line);
        assert_eq!((output.code(), output.stderr()), (3, String::new()), "{line:?}");
    }
    sandbox.assert_nothing_left();
}

#[test]
fn options_may_follow_the_name() {
    differs_from!("runc", "it stops reading options at the first word");
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "3"]);
    });
    from_the_folder(&sandbox, &["--root", "root", "run", sandbox.id(), "--bundle", "bundle"]).exits_with(3);
    let created = ["--root", "root", "create", sandbox.id(), "-b=bundle", "--pid-file", "pid"];
    drop(from_the_folder(&sandbox, &created).success());
    drop(from_the_folder(&sandbox, &["--root", "root", "delete", sandbox.id(), "--force"]).success());
    sandbox.assert_nothing_left();
}

#[test]
fn a_container_manager_s_calls() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["signals"]);
    });
    let (log, pid) = (sandbox.file("log.json"), sandbox.file("init.pid"));
    let bundle = sandbox.bundle();
    let bundle = bundle.to_str().unwrap();
    let call = |words: &[&str]| {
        let mut all = vec!["--log", &log, "--log-format", "json"];
        all.extend(words);
        all.push(sandbox.id());
        sandbox.runtime(&all)
    };
    let created = call(&["create", "--bundle", bundle, "--pid-file", &pid, "--no-new-keyring"]).output();
    let mut container = Container::of(&sandbox, created.success());
    call(&["start"]).output().success();
    assert_eq!(container.line(), "ready");
    // Signals come as numbers.
    sandbox.command(&["kill", "ID", "10"]).success();
    assert_eq!(container.line(), 10);
    sandbox.command(&["kill", "--all", "ID", "15"]).success();
    assert_eq!(container.line(), 15);
    assert_eq!(container.wait(), 0);
    call(&["delete"]).output().success();
    sandbox.assert_nothing_left();
    let _streams = call(&["create", "--bundle", bundle, "--pid-file", &pid]).output().success();
    call(&["delete", "--force"]).output().success();
    sandbox.assert_nothing_left();
    assert_eq!(fs::read_to_string(&log).unwrap_or_default(), "", "nothing went wrong, so nothing is said");
}

#[test]
fn the_caller_may_be_confined_to_a_cpu() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        skip!("needs two CPUs");
    }
    let free = Sandbox::new().report(|_| {});
    let confined = Sandbox::new().wrapped(&["taskset", "-c", "0"]).report(|_| {});
    assert_eq!(
        confined["process"]["cpus"], free["process"]["cpus"],
        "the container runs on all CPUs of its cpuset"
    );
}

#[test]
fn every_command_explains_itself() {
    let sandbox = Sandbox::new();
    for command in ["create", "start", "run", "state", "kill", "delete", "list", "spec", "features"] {
        for line in [[command, "--help"], [command, "-h"], ["help", command], [command, "-help"]] {
            let text = sandbox.runtime(&line).output().success().stdout();
            assert!(text.contains(command) && text.contains("USAGE:"), "{line:?}: {text}");
        }
    }
    let all = sandbox.runtime(&["--help"]).output().success().stdout();
    assert_eq!(sandbox.runtime(&[]).output().success().stdout(), all);
}
