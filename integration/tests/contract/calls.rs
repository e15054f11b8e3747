//! How clients call.

use std::fs;
use std::io::Write;

use integration::harness::*;
use integration::{differs_from, skip};
use rustix::process::{Pid, WaitOptions, waitpid};
use serde_json::{Value, json};

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

/// Waits for the end of the program that a pid file names. Returns its exit code.
fn reap(pid_file: &str) -> Option<i32> {
    let pid = Pid::from_raw(fs::read_to_string(pid_file).unwrap().parse().unwrap()).unwrap();
    waitpid(Some(pid), WaitOptions::empty()).unwrap().unwrap().1.exit_status()
}

/// A file with a process that exits with `code`.
fn process_file(sandbox: &Sandbox, code: u8) -> String {
    let file = sandbox.file("process.json");
    let process = json!({
        "args": ["/probe", "exit", code.to_string()], "cwd": "/", "user": { "uid": 0, "gid": 0 }, "env": ["A=b"],
    });
    fs::write(&file, process.to_string()).unwrap();
    file
}

#[test]
fn containerd_s_calls_about_a_container_that_runs() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    let (process, pid_file) = (process_file(&sandbox, 3), sandbox.file("exec.pid"));
    let exec = ["exec", "--process", &process, "--detach", "--pid-file", &pid_file, "ID"];
    let _streams = sandbox.command(&exec).success();
    assert_eq!(reap(&pid_file), Some(3));
    let pids = sandbox.command(&["ps", "--format", "json", "ID"]).success().stdout();
    assert_eq!(serde_json::from_str::<Vec<u32>>(&pids).unwrap(), [container.pid()]);
    let stats = sandbox.command(&["events", "--stats", "ID"]).success().stdout();
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!((&stats["type"], &stats["id"]), (&json!("stats"), &json!(sandbox.id())));
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(br#"{"pids": {"limit": 77}}"#).unwrap();
    drop(writer);
    let update = sandbox.runtime(&["update", "--resources", "-", sandbox.id()]).stdin(reader);
    if Host::Native.has_controller("pids") {
        update.output().success();
        let limits = cgroups_named(sandbox.id()).into_iter().map(|cgroup| cgroup.join("pids.max"));
        let limits: Vec<String> = limits.filter_map(|file| fs::read_to_string(file).ok()).collect();
        assert!(limits.contains(&"77\n".to_owned()), "{limits:?}");
    }
    sandbox.command(&["pause", "ID"]).success();
    assert_eq!(container.status(), "paused");
    sandbox.command(&["resume", "ID"]).success();
    sandbox.command(&["kill", "ID", "9"]).success();
    assert_eq!(container.wait(), 137);
    container.delete();
}

#[test]
fn conmon_s_calls() {
    let sandbox = Sandbox::new().after_shell("exec 3</dev/null");
    sandbox.configure(|config| {
        config["process"]["terminal"] = json!(true);
        config.probe(&["report", "--wait"]);
    });
    let (bundle, pid_file) = (sandbox.bundle(), sandbox.file("init.pid"));
    let console = Console::listen(sandbox.path());
    let mut words = vec!["create", "--bundle", bundle.to_str().unwrap(), "--pid-file", &pid_file];
    words.extend(["--console-socket", console.path(), "--no-pivot", "--no-new-keyring"]);
    words.extend(["--preserve-fds", "1", "ID"]);
    let container = Container::of(&sandbox, sandbox.command(&words).success());
    let (mut terminal, _) = console.terminal();
    container.start();
    let report = Report::parse(&terminal.line(super::soon()));
    assert_eq!(report.descriptors(), ["0", "1", "2", "3"].into());
    let (process, pid_file) = (process_file(&sandbox, 4), sandbox.file("exec.pid"));
    let exec = ["exec", "--pid-file", &pid_file, "--process", &process, "-d", "ID"];
    let _streams = sandbox.command(&exec).success();
    assert_eq!(reap(&pid_file), Some(4));
    fs::write(sandbox.file("resources.json"), "{}").unwrap();
    sandbox.command(&["update", "--resources", &sandbox.file("resources.json"), "ID"]).success();
    sandbox.command(&["delete", "--force", "ID"]).success();
    assert_eq!(container.wait(), 137);
    sandbox.assert_nothing_left();
}

#[test]
fn what_follows_the_name_in_exec_is_the_program_s() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    let arguments = ["/probe", "report", "--list", "--detach", "--read", "-t", "--stat", "--"];
    let output = sandbox.command(&[&["exec", "ID"], &arguments[..]].concat()).success();
    assert_eq!(Report::parse(&output.stdout())["argv"], json!(arguments));
    container.kill("KILL");
    container.wait();
    container.delete();
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
