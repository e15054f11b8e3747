//! `exec`: a program in a container that runs, with everything that the container has and the options say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod attacks;
mod cgroups;
mod cpus;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use integration::harness::*;
use integration::{differs_from, on_hosts};
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use serde_json::{Value, json};

/// `exec OPTIONS ID /probe ARGUMENTS`
fn exec(sandbox: &Sandbox, options: &[&str], arguments: &[&str]) -> Output {
    let mut words = vec!["exec"];
    words.extend(options);
    words.extend(["ID", "/probe"]);
    words.extend(arguments);
    sandbox.command(&words)
}

/// What the probe sees when it is executed in the container.
#[track_caller]
fn report(sandbox: &Sandbox, options: &[&str]) -> Report {
    Report::parse(&exec(sandbox, options, &["report"]).success().stdout())
}

fn pid_in(file: &str) -> Pid {
    Pid::from_raw(fs::read_to_string(file).unwrap().parse().unwrap()).unwrap()
}

/// Waits for the end of the detached program that a pid file names: as long as it is a zombie, the pid namespace of its
/// container does not end. Returns its exit code.
fn reap(file: &str) -> Option<i32> {
    waitpid(Some(pid_in(file)), WaitOptions::empty()).unwrap().unwrap().1.exit_status()
}

#[track_caller]
fn end(container: Container<'_>) {
    container.kill("KILL");
    container.wait();
    container.delete();
}

on_hosts! {
    fn the_exit_code_is_that_of_the_program(host: Host) {
        let sandbox = Sandbox::on(host);
        let container = sandbox.started(&["pause"], |_| {});
        for code in [0, 1, 7, 254] {
            let output = exec(&sandbox, &[], &["exit", &code.to_string()]).exits_with(code);
            assert_eq!(output.stderr(), "", "the runtime adds nothing of its own");
        }
        exec(&sandbox, &[], &["signal", "9"]).exits_with(137);
        exec(&sandbox, &[], &["signal", "15"]).exits_with(143);
        end(container);
    }

    fn a_program_is_in_all_that_the_container_is_in(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = sandbox.started(&["report", "--wait"], |_| {});
        let (first, second) = (container.report(), report(&sandbox, &[]));
        assert_eq!(first["namespaces"], second["namespaces"]);
        assert_eq!(first["mounts"], second["mounts"]);
        assert_eq!(first["hostname"], second["hostname"]);
        assert_eq!(first["cgroups"], second["cgroups"]);
        assert_eq!(first["security"], second["security"]);
        assert_eq!(first["rlimits"], second["rlimits"]);
        assert_eq!(first["env"], second["env"]);
        assert_eq!(second.descriptors(), ["0", "1", "2"].into());
        end(container);
    }

    fn a_container_with_a_user_namespace_can_be_entered(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = sandbox.started(&["report", "--wait"], |config| {
            config.user_namespace(100_000, 65_536);
        });
        let (first, second) = (container.report(), report(&sandbox, &["-u", "1000:1000"]));
        assert_eq!(first["namespaces"], second["namespaces"]);
        assert_eq!(second["process"]["uid"]["effective"], 1000);
        end(container);
    }
}

#[test]
fn a_created_container_can_be_entered_as_well() {
    let sandbox = Sandbox::new();
    let container = sandbox.create();
    exec(&sandbox, &[], &["exit", "3"]).exits_with(3);
    assert_eq!(container.status(), "created");
    end(container);
}

#[test]
fn a_process_can_be_given_as_a_file_or_a_pipe() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    let process = json!({
        "args": ["/probe", "report"], "cwd": "/tmp", "user": { "uid": 7, "gid": 8, "additionalGids": [9] },
        "env": ["A=b"],
    });
    let file = sandbox.file("process.json");
    fs::write(&file, process.to_string()).unwrap();
    let from_file = sandbox.command(&["exec", "--process", &file, "ID"]).success();
    let from_file = Report::parse(&from_file.stdout());
    assert_eq!(from_file["cwd"], "/tmp");
    assert_eq!(from_file.env("A"), ["b"]);
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    rustix::io::write(&writer, process.to_string().as_bytes()).unwrap();
    drop(writer);
    let output =
        sandbox.runtime(&["exec", "-p", "/dev/stdin", sandbox.id()]).stdin(reader).output().success();
    let from_pipe = Report::parse(&output.stdout());
    for what in ["uid", "gid", "groups"] {
        assert_eq!(from_pipe["process"][what], from_file["process"][what]);
    }
    assert_eq!(from_pipe["process"]["groups"], json!([9]));
    end(container);
}

#[test]
fn a_changed_bundle_does_not_matter() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |config| {
        config["process"]["env"] = json!(["KEPT=yes"]);
    });
    differs_from!("runc", "it reads the bundle again");
    sandbox.write_text("not even JSON");
    assert_eq!(report(&sandbox, &[]).env("KEPT"), ["yes"]);
    end(container);
}

#[test]
fn a_detached_program_outlives_its_caller_and_is_named_in_the_pid_file() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    let file = sandbox.file("exec.pid");
    let output = exec(&sandbox, &["--detach", "--pid-file", &file], &["term", "5"]).success();
    assert_eq!(output.into_stdout().line(Instant::now() + Duration::from_secs(60)), "\"ready\"");
    rustix::process::kill_process(pid_in(&file), Signal::TERM).unwrap();
    assert_eq!(reap(&file), Some(5), "it became the harness's child");
    end(container);
}

#[test]
fn what_cannot_be_entered_is_told_in_the_clients_words() {
    let sandbox = Sandbox::new();
    let output = exec(&sandbox, &[], &["exit", "0"]).exits_with(255);
    assert!(output.stderr().contains("container does not exist"), "{}", output.stderr());
    let container = sandbox.started(&["exit", "0"], |_| {});
    container.wait();
    let output = exec(&sandbox, &[], &["exit", "0"]).exits_with(255);
    assert!(output.stderr().contains("cannot exec in a stopped container"), "{}", output.stderr());
    container.delete();
}

#[test]
fn what_cannot_be_executed_is_told_in_the_clients_words() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    fs::write(sandbox.rootfs().join("data"), "x").unwrap();
    fs::set_permissions(sandbox.rootfs().join("data"), fs::Permissions::from_mode(0o644)).unwrap();
    for (program, text) in [
        ("", "exec: \"\": executable file not found in $PATH"),
        ("missing", "exec: \"missing\": executable file not found in $PATH"),
        ("/bin/missing", "exec: \"/bin/missing\": stat /bin/missing: no such file or directory"),
        ("/data", "permission denied"),
        ("/tmp", "is a directory"),
    ] {
        let output = sandbox.command(&["exec", "ID", program]).exits_with(255);
        let error = output.stderr().replace("\\\"", "\"");
        assert!(error.contains(text), "{program}: {error}");
    }
    let output = exec(&sandbox, &["--cwd", "/not/there"], &["exit", "0"]).exits_with(255);
    let error = output.stderr().replace("\\\"", "\"");
    assert!(
        error.contains("chdir to cwd (\"/not/there\") set in config.json failed: no such file"),
        "{error}"
    );
    end(container);
}

#[test]
fn options_change_what_the_container_s_own_process_has() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    let seen = report(
        &sandbox,
        &[
            "-u",
            "1:2",
            "-g",
            "30",
            "-g",
            "31",
            "-e",
            "A=1",
            "-e",
            "A=2",
            "--cwd",
            "/tmp",
            "-c",
            "CAP_SYS_TIME",
        ],
    );
    assert_eq!(seen["process"]["uid"]["real"], 1);
    assert_eq!(seen["process"]["gid"]["saved"], 2);
    assert_eq!(seen["process"]["groups"], json!([30, 31]));
    assert_eq!(seen.env("A"), ["2"]);
    assert_eq!(seen["cwd"], "/tmp");
    assert!(seen.capabilities("bounding").contains("CAP_SYS_TIME"), "{:?}", seen.capabilities("bounding"));
    // CVE-2022-24769
    assert!(seen.capabilities("inheritable").is_empty());
    assert!(seen.capabilities("ambient").is_empty());
    end(container);
}

#[test]
fn users_are_numbers_whatever_the_image_says() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    for (user, uid, gid) in [("1", 1, 0), ("1:1", 1, 1), ("1001", 1001, 0)] {
        let seen: Value = report(&sandbox, &["-u", user])["process"].clone();
        assert_eq!((&seen["uid"]["real"], &seen["gid"]["real"]), (&json!(uid), &json!(gid)), "{user}");
    }
    for user in [":5", "abc", "-1", "4294967296", "app", "1:app"] {
        if user == "4294967296" && runtime().is("runc") {
            // CVE-2026-30892: to runc it is root.
            continue;
        }
        let option = format!("--user={user}");
        let output = exec(&sandbox, &[&option], &["report"]);
        assert_eq!((output.code(), output.stdout().as_str()), (255, ""), "{user}: {}", output.stderr());
    }
    end(container);
}

#[test]
fn a_paused_container_is_entered_only_if_that_is_ignored() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    sandbox.command(&["pause", "ID"]).success();
    let output = exec(&sandbox, &[], &["exit", "0"]).exits_with(255);
    assert!(output.stderr().contains("cannot exec in a paused container"), "{}", output.stderr());
    let waiting = sandbox.runtime(&["exec", "--ignore-paused", sandbox.id(), "/probe", "exit", "6"]).spawn();
    sandbox.command(&["resume", "ID"]).success();
    waiting.wait().exits_with(6);
    end(container);
}

#[test]
fn a_program_can_have_a_terminal_of_the_container() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    let console = Console::listen(sandbox.path());
    let file = sandbox.file("exec.pid");
    let options = ["-t", "-d", "--user", "1000", "--console-socket", console.path(), "--pid-file", &file];
    drop(exec(&sandbox, &options, &["report", "--stat", "/dev/pts/0"]).success());
    let (mut terminal, name) = console.terminal();
    let seen = Report::parse(&terminal.line(Instant::now() + Duration::from_secs(60)));
    if runtime().is_ours() {
        assert_eq!(name, "/dev/pts/0");
    }
    for fd in ["0", "1", "2"] {
        assert_eq!(seen["fds"][fd], "/dev/pts/0");
    }
    assert_eq!(seen["terminal"]["controlling"], true);
    assert_eq!(seen["stat"]["/dev/pts/0"]["uid"], 1000);
    assert_eq!(reap(&file), Some(0));
    end(container);
}

#[test]
fn a_terminal_and_its_socket_come_together() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    for options in
        [&["-t", "-d"][..], &["-d", "--console-socket", "/nowhere"], &["-t", "--console-socket", "/nowhere"]]
    {
        let output = exec(&sandbox, options, &["exit", "0"]).exits_with(255);
        assert!(output.stderr().contains("console"), "{options:?}: {}", output.stderr());
    }
    end(container);
}

#[test]
fn descriptors_are_passed_on_only_if_asked_for() {
    let sandbox = Sandbox::new().after_shell("exec 3</dev/null 4</dev/zero 9</dev/full");
    let container = sandbox.started(&["pause"], |_| {});
    assert_eq!(report(&sandbox, &[]).descriptors(), ["0", "1", "2"].into());
    let seen = report(&sandbox, &["--preserve-fds", "2"]);
    assert_eq!(seen.descriptors(), ["0", "1", "2", "3", "4"].into());
    end(container);
}

/// Podman counts up to the highest of the descriptors that `podman exec --preserve-fd` names.
#[test]
fn descriptors_that_are_not_open_are_passed_over() {
    differs_from!("runc", "it passes on its own in their place");
    let sandbox = Sandbox::new().after_shell("exec 5</dev/zero");
    let container = sandbox.started(&["pause"], |_| {});
    let seen = report(&sandbox, &["--preserve-fds", "4"]);
    assert_eq!(seen.descriptors(), ["0", "1", "2", "5"].into());
    end(container);
}

/// CVE-2024-21626
#[test]
fn the_working_folder_is_never_outside_of_the_container() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    for number in 3..20 {
        let folder = format!("/proc/self/fd/{number}");
        let output = exec(&sandbox, &["--cwd", &folder], &["report", "--list", "."]);
        assert_eq!((output.code(), output.stdout().as_str()), (255, ""), "{folder}: {}", output.stderr());
    }
    end(container);
}
