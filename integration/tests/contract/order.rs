//! What is in place when a command returns, and who holds what.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};

use integration::harness::*;
use integration::{differs_from, skip};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use serde_json::json;

use super::soon;

#[test]
fn the_pid_file_is_written_at_one_stroke() {
    let sandbox = Sandbox::new();
    let path = sandbox.file("pid");
    fs::write(&path, "an old one, and longer than any number").unwrap();
    let old = fs::metadata(&path).unwrap().ino();
    let container = sandbox.create_with(&["--pid-file", &path]);
    assert_ne!(fs::metadata(&path).unwrap().ino(), old, "a new file takes the place of the old one");
    assert_eq!(fs::read_to_string(&path).unwrap(), container.pid().to_string());
    let others = fs::read_dir(sandbox.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let others: Vec<_> = others.filter(|name| name.to_string_lossy().contains("pid")).collect();
    assert_eq!(others, ["pid"], "nothing is left beside it");
}

/// The process that the pidfd refers to which came by the socket.
fn received(socket: &Console) -> (OwnedFd, String) {
    let (pidfd, _) = socket.receive();
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")).expect("a pidfd").trim().to_owned();
    (pidfd, pid)
}

#[test]
fn a_pidfd_is_sent_before_create_or_run_returns() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    for command in [&["create"][..], &["run", "--detach"]] {
        let socket = Console::listen(sandbox.path());
        let flags = [&command[1..], &["--pidfd-socket", socket.path()]].concat();
        let _streams = sandbox.with_bundle(command[0], &flags).output().success();
        assert_eq!(received(&socket).1, sandbox.state()["pid"].to_string(), "{command:?}");
        sandbox.command(&["delete", "--force", "ID"]).success();
    }
}

#[test]
fn a_pidfd_of_the_executed_process_is_sent_before_exec_returns() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    let socket = Console::listen(sandbox.path());
    let pid_file = sandbox.file("exec.pid");
    let options = ["--detach", "--pid-file", &pid_file, "--pidfd-socket", socket.path()];
    let program = [sandbox.id(), "/probe", "term", "5"];
    let output = sandbox.command(&[&["exec"], &options[..], &program].concat()).success();
    assert_eq!(output.into_stdout().line(soon()), "\"ready\"");
    let (pidfd, pid) = received(&socket);
    assert_ne!(pid, container.pid().to_string());
    assert_eq!(pid, fs::read_to_string(&pid_file).unwrap());
    pidfd_send_signal(&pidfd, Signal::TERM).unwrap();
    let status = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
    assert_eq!(status.exit_status(), Some(5), "its own end");
    assert_eq!(container.status(), "running");
    // In the foreground it comes while the program runs.
    let options = ["exec", "--pidfd-socket", socket.path()];
    let mut running = sandbox.runtime(&[&options[..], &program].concat()).spawn();
    assert_eq!(running.line(), "\"ready\"");
    pidfd_send_signal(&received(&socket).0, Signal::KILL).unwrap();
    running.wait().exits_with(137);
    container.kill("KILL");
    container.wait();
    container.delete();
}

#[test]
fn the_streams_are_given_to_the_user_and_keep_their_group() {
    let sandbox = Sandbox::new();
    let (out, err) = (sandbox.file("out"), sandbox.file("err"));
    let streams = [&out, &err].map(|path| {
        let file = File::create(path).unwrap();
        chown(path, Some(7), Some(8)).unwrap();
        file
    });
    let [stdout, stderr] = streams;
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
    // In the foreground runc copies through pipes.
    sandbox.with_bundle("create", &[]).stdout_and_stderr(stdout, stderr).output().success();
    for path in [out, err] {
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (1000, 8), "{path}");
    }
}

/// Whether the process has the pipe `inode` open.
fn holds(pid: u32, inode: u64) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().filter_map(Result::ok);
    let mut pipes =
        files.filter_map(|file| fs::metadata(file.path()).ok()).filter(|file| file.file_type().is_fifo());
    pipes.any(|pipe| pipe.ino() == inode)
}

/// The other programs that have the pipe `inode` open.
fn holders(inode: u64) -> Vec<u32> {
    let own = fs::read_link("/proc/self/exe").unwrap();
    // Between fork and exec the children of other tests have it as well; what they execute has not.
    let is_other = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program != own);
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|pid| holds(*pid, inode) && is_other(pid) && holds(*pid, inode)).collect()
}

#[test]
fn nobody_but_the_container_holds_the_pipes() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    for command in [&["create"][..], &["run", "--detach"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        let (input, mut feeder) = std::io::pipe().unwrap();
        let inode = fs::metadata(format!("/proc/self/fd/{}", writer.as_raw_fd())).unwrap().ino();
        let fed = fs::metadata(format!("/proc/self/fd/{}", input.as_raw_fd())).unwrap().ino();
        let error = writer.try_clone().unwrap();
        let call =
            sandbox.with_bundle(command[0], &command[1..]).stdin(input).stdout_and_stderr(writer, error);
        call.output().success();
        let container = u32::try_from(sandbox.state()["pid"].as_u64().unwrap()).unwrap();
        assert_eq!(holders(inode), [container], "{command:?}: output");
        assert_eq!(holders(fed), [container], "{command:?}: input");
        feeder.write_all(b"x").unwrap();
        drop(reader);
        sandbox.command(&["delete", "--force", "ID"]).success();
    }
}

#[test]
fn nobody_but_the_program_holds_the_pipes_of_exec() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], |_| {});
    let (_reader, writer) = std::io::pipe().unwrap();
    let inode = fs::metadata(format!("/proc/self/fd/{}", writer.as_raw_fd())).unwrap().ino();
    let error = writer.try_clone().unwrap();
    let pid_file = sandbox.file("exec.pid");
    let line = ["exec", "--detach", "--pid-file", &pid_file, sandbox.id(), "/probe", "pause"];
    sandbox.runtime(&line).stdout_and_stderr(writer, error).output().success();
    let pid: u32 = fs::read_to_string(&pid_file).unwrap().parse().unwrap();
    assert_eq!(holders(inode), [pid]);
    container.kill("KILL");
    // As long as the program is a zombie, the pid namespace does not end.
    waitid(WaitId::Pid(Pid::from_raw(pid.cast_signed()).unwrap()), WaitIdOptions::EXITED).unwrap();
    container.wait();
    container.delete();
}

#[test]
fn a_program_that_the_kernel_refuses_is_one_plain_line_in_the_foreground() {
    let sandbox = Sandbox::new();
    let script = sandbox.rootfs().join("run.sh");
    fs::write(&script, "#!/no/such/shell\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.configure(|config| config["process"]["args"] = json!(["/run.sh"]));
    let output = sandbox.run();
    assert_ne!(output.code(), 0);
    assert_eq!(output.stderr().trim_end(), "exec /run.sh: no such file or directory");
    sandbox.assert_nothing_left();
}

#[test]
fn orphans_come_to_the_runtime_in_the_foreground_unless_told_otherwise() {
    for (flags, to_us) in [(&[][..], false), (&["--no-subreaper"], true)] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.probe(&["orphans", "1"]);
            config.without_namespace("pid");
        });
        let mut running = sandbox.with_bundle("run", flags).spawn();
        assert_eq!(running.line(), "\"ready\"");
        let init = sandbox.state()["pid"].as_u64().unwrap().to_string();
        let orphan = processes_of(sandbox.id()).into_iter().map(|pid| pid.to_string());
        let parent = |pid: &str| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().to_owned()
        };
        let name = |pid: &str| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim().to_owned();
        let orphan = orphan.into_iter().find(|pid| *pid != init && name(pid) == "probe").expect("an orphan");
        let expected = if to_us { std::process::id() } else { running.pid() };
        assert_eq!(parent(&orphan), expected.to_string(), "{flags:?}");
        sandbox.command(&["kill", "--all", "ID", "KILL"]).success();
        running.wait().exits_with(137);
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_foreground_run_has_a_pid_file_too() {
    differs_from!("runc", "the program may run before it is written");
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let mut running = sandbox.with_bundle("run", &["--pid-file", &sandbox.file("pid")]).spawn();
    assert_eq!(running.line(), "\"ready\"");
    assert_eq!(fs::read_to_string(sandbox.file("pid")).unwrap(), sandbox.state()["pid"].to_string());
    sandbox.command(&["kill", "ID", "KILL"]).success();
    running.wait().exits_with(137);
}

#[test]
fn a_forced_delete_waits_without_asking_again_and_again() {
    differs_from!("runc", "it asks every 100 ms");
    if integration::xtask::find_in_path("strace").is_none() {
        skip!("there is no strace");
    }
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let _streams = sandbox.with_bundle("run", &["--detach"]).output().success();
    let trace = sandbox.file("trace");
    let mut line = vec!["strace", "-f", "-o", &trace, "-e", "trace=nanosleep,clock_nanosleep,kill"];
    let root = sandbox.root();
    line.extend([runtime().path().to_str().unwrap(), "--root", root.to_str().unwrap()]);
    line.extend(["delete", "--force", sandbox.id()]);
    Invocation::new(&line).output().success();
    let trace = fs::read_to_string(trace).unwrap();
    let calls: Vec<&str> =
        trace.lines().filter(|line| line.contains("sleep(") || line.contains("kill(")).collect();
    assert!(calls.is_empty(), "{calls:?}");
    sandbox.assert_nothing_left();
}
