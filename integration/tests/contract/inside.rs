//! What the container's process finds.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use integration::differs_from;
use integration::harness::*;
use serde_json::json;

use super::soon;

#[test]
fn the_cgroup_tree_is_read_only_by_default() {
    let report = Sandbox::on(Host::V2).report(|_| {});
    assert!(report.mount_options("/sys/fs/cgroup").contains("ro"));
}

#[test]
fn a_working_folder_is_made_in_an_image_that_will_be_read_only() {
    let sandbox = Sandbox::new();
    let report = sandbox.report(|config| {
        config["root"]["readonly"] = json!(true);
        config["process"]["cwd"] = json!("/srv/new/work");
    });
    assert_eq!(report["cwd"], "/srv/new/work");
    assert!(report.mount_options("/").contains("ro"));
    assert!(sandbox.rootfs().join("srv/new/work").is_dir());
}

#[test]
fn a_terminal_that_is_sent_returns_the_carriage() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config["process"]["terminal"] = json!(true);
        config.probe(&["pause"]);
    });
    let console = Console::listen(sandbox.path());
    let container = sandbox.create_with(&["--console-socket", console.path()]);
    let (master, name) = console.receive();
    let modes = rustix::termios::tcgetattr(&master).unwrap().output_modes;
    // Who shows it as it is needs the carriage returns: Docker's client has its terminal in raw mode.
    assert!(modes.contains(rustix::termios::OutputModes::ONLCR), "{modes:?}");
    let mut terminal = Stream::over(master);
    // runc tells the path in the container, or the one that the kernel tells of the master.
    assert!(name.starts_with("/dev/pt"), "{name}");
    container.start();
    let line = terminal.line(soon());
    assert_eq!(line.trim_end(), "\"ready\"");
    container.kill("KILL");
    container.wait();
    container.delete();
}

#[test]
fn modes_of_made_mount_targets_are_those_of_mkdir() {
    let sandbox = Sandbox::new().after_shell("umask 022");
    let volume = sandbox.file("volume");
    fs::create_dir(&volume).unwrap();
    let shared = sandbox.rootfs().join("shared");
    fs::create_dir(&shared).unwrap();
    chown(&shared, None, Some(1000)).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o2775)).unwrap();
    let output = sandbox.run_probe(&["exit", "0"], |config| {
        config.bind(&volume, "/made/on/the/way", &["bind"]);
        config.bind(&volume, "/shared/on/the/way", &["bind"]);
    });
    output.success();
    for (top, mode, group) in [("made", 0o755, 0), ("shared", 0o2755, 1000)] {
        for below in ["on", "on/the", "on/the/way"] {
            let folder = sandbox.rootfs().join(top).join(below);
            let metadata = fs::metadata(&folder).unwrap();
            assert_eq!((metadata.mode() & 0o7777, metadata.gid()), (mode, group), "{}", folder.display());
        }
    }
}

#[test]
fn the_terminal_of_a_foreground_run_leaves_line_feeds_alone() {
    differs_from!("runc", "without a terminal of its own it refuses");
    let sandbox = Sandbox::new();
    let text = sandbox
        .run_probe(&["report"], |config| config["process"]["terminal"] = json!(true))
        .success()
        .stdout();
    assert!(!text.contains('\r'), "{text:?}");
    assert_eq!(Report::parse(&text)["terminal"]["onlcr"], false);
}

#[test]
fn a_program_of_exec_is_scheduled_as_the_container_s_process() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["report", "--wait"], |config| {
        config["process"]["scheduler"] = json!({ "policy": "SCHED_BATCH", "nice": 7 });
        config["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 6 });
        // Where it is known: runc 1.3 does not, for both processes alike.
        config["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_INTERLEAVE", "nodes": "0" });
    });
    let first = container.report();
    assert_eq!(first["scheduling"]["scheduler"]["nice"], 7);
    let output = sandbox.command(&["exec", "ID", "/probe", "report"]).success();
    assert_eq!(Report::parse(&output.stdout())["scheduling"], first["scheduling"]);
    container.kill("KILL");
    container.wait();
    container.delete();
}
