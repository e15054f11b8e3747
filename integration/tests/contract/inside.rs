//! What the container's process finds.

use integration::differs_from;
use integration::harness::*;
use serde_json::json;

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
    let line = terminal.line(std::time::Instant::now() + std::time::Duration::from_secs(60));
    assert_eq!(line.trim_end(), "\"ready\"");
    container.kill("KILL");
    container.wait();
    container.delete();
}

#[test]
fn modes_of_made_mount_targets_are_those_of_mkdir() {
    let sandbox = Sandbox::new().after_shell("umask 022");
    let volume = sandbox.file("volume");
    std::fs::create_dir(&volume).unwrap();
    sandbox.run_probe(&["exit", "0"], |config| {
        config.bind(&volume, "/made/on/the/way", &["bind"]);
    });
    for folder in ["made", "made/on", "made/on/the", "made/on/the/way"] {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(sandbox.rootfs().join(folder)).unwrap().permissions(),
        );
        assert_eq!(mode & 0o7777, 0o755, "{folder}");
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
