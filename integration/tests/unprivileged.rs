//! A user without any privilege, who owns a bundle that `spec --rootless` has written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use integration::harness::*;
use integration::xtask::find_in_path;
use integration::{differs_from, skip};
use serde_json::json;

/// Nobody has this one.
const USER: u32 = 54_321;

/// `None` (and the reason) where a user may make no user namespace.
fn sandbox(command: &[&str]) -> Option<Sandbox> {
    let sandbox = Sandbox::new().of_user(USER, command);
    let user = USER.to_string();
    let words = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "unshare", "-Ur", "true"];
    if Invocation::new(&words).output().code() == 0 {
        return Some(sandbox);
    }
    print_skipped("this host gives users no user namespaces");
    None
}

/// What `spec --rootless` writes for this user, with the probe as the program.
fn configure(sandbox: &Sandbox, arguments: &[&str], change: impl FnOnce(&mut Config)) {
    let config = sandbox.bundle().join("config.json");
    fs::remove_file(&config).unwrap();
    let bundle = sandbox.bundle();
    sandbox.runtime(&["spec", "--rootless", "--bundle", bundle.to_str().unwrap()]).output().success();
    let mut written = Config::parse(&fs::read_to_string(&config).unwrap());
    assert_eq!(written["linux"]["uidMappings"], json!([{ "containerID": 0, "hostID": USER, "size": 1 }]));
    written["process"]["terminal"] = json!(false);
    written.probe(arguments);
    change(&mut written);
    sandbox.write(&written);
}

#[test]
fn a_container_runs_to_its_end() {
    let Some(sandbox) = sandbox(&[]) else { return };
    configure(&sandbox, &["exit", "7"], |_| {});
    let output = sandbox.run().exits_with(7);
    if runtime().is_ours() {
        assert_eq!(output.stderr(), "");
    }
    sandbox.assert_nothing_left();
}

#[test]
fn the_user_is_root_inside_and_itself_outside() {
    let Some(sandbox) = sandbox(&[]) else { return };
    configure(&sandbox, &["report"], |_| {});
    let report = Report::parse(&sandbox.run().success().stdout());
    assert_eq!(report["process"]["uid"]["effective"], 0);
    let map: Vec<&str> = report["maps"]["uid"].as_str().unwrap().split_whitespace().collect();
    assert_eq!(map, ["0", "54321", "1"]);
    for place in ["/proc", "/dev", "/dev/pts", "/dev/null", "/sys"] {
        assert!(report.mount(place).is_some(), "{place} is a mount");
    }
    assert_eq!(report["dev"]["/dev/null"]["rdev"], json!([1, 3]));
}

#[test]
fn a_container_lives_and_dies_as_any_other() {
    let Some(sandbox) = sandbox(&[]) else { return };
    configure(&sandbox, &["pause"], |_| {});
    let mut container = sandbox.create_with(&["--pid-file", &sandbox.file("pid")]);
    assert_eq!(container.status(), "created");
    assert_eq!(fs::read_to_string(sandbox.file("pid")).unwrap(), container.pid().to_string());
    if runtime().is_ours() {
        assert_eq!(sandbox.state()["owner"], USER.to_string(), "the number of a user without a name");
    }
    container.start();
    assert_eq!(container.line(), "ready");
    assert_eq!(container.status(), "running");
    assert!(sandbox.command(&["list"]).success().stdout().contains(sandbox.id()));
    container.kill("KILL");
    assert_eq!(container.wait(), 137);
    assert_eq!(container.status(), "stopped");
    container.delete();
}

#[test]
fn a_running_container_is_deleted_by_force() {
    let Some(sandbox) = sandbox(&[]) else { return };
    configure(&sandbox, &["orphans", "3"], |_| {});
    let mut container = sandbox.create();
    container.start();
    assert_eq!(container.line(), "ready");
    if runtime().is_ours() {
        sandbox.command(&["kill", "--all", "ID", "USR2"]).success();
    }
    sandbox.command(&["delete", "--force", "ID"]).success();
    container.wait();
    sandbox.assert_nothing_left();
}

#[test]
fn the_executable_is_out_of_the_containers_reach() {
    differs_from!("crun", "it has other means");
    let Some(sandbox) = sandbox(&[]) else { return };
    configure(&sandbox, &["pause"], |_| {});
    let container = sandbox.create();
    let executable = fs::read_link(container.proc("exe")).unwrap();
    assert!(executable.to_string_lossy().contains("memfd:"), "a sealed copy: {}", executable.display());
}

#[test]
fn the_users_files_can_be_bound() {
    let Some(sandbox) = sandbox(&[]) else { return };
    let volume = sandbox.path().join("volume");
    fs::create_dir(&volume).unwrap();
    chown(&volume, Some(USER), Some(USER)).unwrap();
    for (options, errno) in [(&["rbind", "nosuid"][..], 0), (&["bind", "ro"], libc::EROFS)] {
        configure(&sandbox, &["try", "mkdir", &format!("/tmp/{errno}")], |config| {
            config.bind(&volume, "/tmp", options);
        });
        let output = sandbox.run().success();
        assert_eq!(errnos(&output.stdout()), [errno], "{options:?}");
    }
    assert!(volume.join("0").is_dir());
}

#[test]
fn somebody_elses_files_stay_out_of_reach() {
    let Some(sandbox) = sandbox(&[]) else { return };
    let secret = sandbox.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    configure(&sandbox, &["exit", "0"], |config| {
        config.bind(secret.join("inner"), "/tmp", &["bind"]);
    });
    let error = sandbox.run().exits_with(1).stderr();
    assert!(error.contains("permission denied"), "{error}");
    sandbox.assert_nothing_left();
}

#[test]
fn ranges_of_ids_are_mapped_by_newuidmap() {
    differs_from!("runc", "it sets no additional groups");
    if find_in_path("newuidmap").is_none() || !Path::new("/etc/subuid").exists() {
        skip!("there is no newuidmap");
    }
    const NOBODY: u32 = 65_534;
    const OWN_SUBUID: &str =
        "mount --bind \"$1\" /etc/subuid && mount --bind \"$1\" /etc/subgid && shift && exec \"$@\"";
    let sandbox = Sandbox::new();
    let subuid = sandbox.file("subuid");
    fs::write(&subuid, "nobody:700000:1000\n").unwrap();
    let sandbox = sandbox
        .wrapped(&["unshare", "--mount", "--propagation", "private", "sh", "-c", OWN_SUBUID, "sh", &subuid])
        .of_user(NOBODY, &[]);
    let maps = json!([
        { "containerID": 0, "hostID": NOBODY, "size": 1 },
        { "containerID": 1, "hostID": 700_000, "size": 1000 },
    ]);
    let report = sandbox.report(|config| {
        config["linux"]["uidMappings"] = maps.clone();
        config["linux"]["gidMappings"] = maps.clone();
        config.namespace("user");
        config["process"]["user"] = json!({ "uid": 5, "gid": 6, "additionalGids": [7] });
    });
    assert_eq!(report["process"]["uid"]["effective"], 5);
    assert_eq!(report["process"]["groups"], json!([7]));
    let map: Vec<&str> = report["maps"]["uid"].as_str().unwrap().split_whitespace().collect();
    assert_eq!(map, ["0", "65534", "1", "1", "700000", "1000"]);
    sandbox.assert_nothing_left();
}

#[test]
fn what_needs_more_is_refused_by_name() {
    differs_from!("runc", "it says so when it sets the limit, and does without mapped mounts later");
    let Some(sandbox) = sandbox(&[]) else { return };
    configure(&sandbox, &["exit", "0"], |config| {
        config["linux"]["resources"] = json!({ "pids": { "limit": 10 } });
    });
    let error = sandbox.run().fails_saying("/linux/resources/pids/limit");
    assert!(error.contains("may make none"), "{error}");
    configure(&sandbox, &["exit", "0"], |config| {
        config.mount(json!({
            "type": "tmpfs", "source": "tmpfs", "destination": "/etc", "options": ["tmpcopyup"]
        }));
    });
    sandbox.run().fails_saying("need CAP_SYS_ADMIN");
    sandbox.write(&Config::default());
    let error = sandbox.run().exits_with(1).stderr();
    assert!(error.contains("spec --rootless"), "{error}");
    sandbox.assert_nothing_left();
}

#[test]
fn a_caller_in_a_user_namespace_needs_no_other_one() {
    let Some(nested) = sandbox(&["unshare", "--user", "--map-root-user", "--mount"]) else { return };
    nested.configure(|config| {
        // The group of terminals is not mapped.
        config.without_mount("/dev/pts");
        config.probe(&["exit", "9"]);
    });
    nested.run().exits_with(9);
    nested.assert_nothing_left();
}
