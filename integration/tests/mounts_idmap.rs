//! Idmapped mounts: who owns what is seen through one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};

use integration::harness::*;
use integration::{differs_from, skip};
use serde_json::{Value, json};

fn map(host: u32) -> Value {
    json!([{ "containerID": 0, "hostID": host, "size": 65536 }])
}

/// A sandbox with a folder that belongs to user 5, group 6.
fn with_folder() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let folder = sandbox.file("folder");
    fs::create_dir(&folder).unwrap();
    chown(&folder, Some(5), Some(6)).unwrap();
    (sandbox, folder)
}

/// The root of a user namespace must be able to make folders in its image.
fn own_rootfs(sandbox: &Sandbox, id: u32) {
    chown(sandbox.rootfs(), Some(id), Some(id)).unwrap();
}

fn owner(report: &Report, path: &str) -> (u64, u64) {
    let stat = &report["stat"][path];
    (stat["uid"].as_u64().unwrap(), stat["gid"].as_u64().unwrap())
}

fn mapped_bind(folder: &str, option: &str, host: u32) -> Value {
    json!({ "type": "bind", "source": folder, "destination": "/tmp", "options": ["rbind", option],
        "uidMappings": map(host), "gidMappings": map(host) })
}

#[test]
fn a_bind_shows_the_ids_of_its_own_maps() {
    for option in ["idmap", "ridmap", "rw"] {
        let (sandbox, folder) = with_folder();
        let report = sandbox.report_with(&["--stat", "/tmp"], |config| {
            config.mount(mapped_bind(&folder, option, 200_000));
        });
        assert_eq!(owner(&report, "/tmp"), (200_005, 200_006), "{option}");
    }
}

#[test]
fn files_made_through_it_belong_to_the_ids_below() {
    let (sandbox, folder) = with_folder();
    let errnos = sandbox.attempt(&["create", "/tmp/x"], |config| {
        config["process"]["user"] = json!({ "uid": 200_005, "gid": 200_006 });
        config.mount(mapped_bind(&folder, "idmap", 200_000));
    });
    assert_eq!(errnos, [0]);
    let made = fs::metadata(format!("{folder}/x")).unwrap();
    assert_eq!((made.uid(), made.gid()), (5, 6));
}

#[test]
fn in_a_user_namespace_its_maps_are_the_default() {
    let (sandbox, folder) = with_folder();
    own_rootfs(&sandbox, 100_000);
    let report = sandbox.report_with(&["--stat", "/tmp"], |config| {
        config.user_namespace(100_000, 65536);
        config.bind(&folder, "/tmp", &["rbind", "idmap"]);
    });
    assert_eq!(owner(&report, "/tmp"), (5, 6));
    let report = sandbox.report_with(&["--stat", "/tmp"], |config| {
        config.user_namespace(100_000, 65536);
        config.bind(&folder, "/tmp", &["rbind"]);
    });
    assert_eq!(owner(&report, "/tmp"), (65534, 65534), "without a map they are nobody's");
}

#[test]
fn in_a_user_namespace_a_mount_may_have_other_maps() {
    let (sandbox, folder) = with_folder();
    own_rootfs(&sandbox, 100_000);
    let report = sandbox.report_with(&["--stat", "/tmp"], |config| {
        config.user_namespace(100_000, 65536);
        config.mount(mapped_bind(&folder, "idmap", 100_100));
    });
    assert_eq!(owner(&report, "/tmp"), (105, 106));
}

#[test]
fn a_joined_user_namespace_gives_its_maps() {
    differs_from!("runc", "it wants the maps in the configuration, too");
    let (sandbox, folder) = with_folder();
    own_rootfs(&sandbox, 100_000);
    let namespace = Holder::new(&["--user"]);
    let path = namespace.namespace("user");
    for file in ["uid_map", "gid_map"] {
        fs::write(path.replace("ns/user", file), "0 100000 65536").unwrap();
    }
    let report = sandbox.report_with(&["--stat", "/tmp"], |config| {
        config.join("user", &path);
        config.bind(&folder, "/tmp", &["rbind", "idmap"]);
    });
    assert_eq!(owner(&report, "/tmp"), (5, 6));
}

#[test]
fn only_ridmap_reaches_the_mounts_below() {
    for (option, expected) in [("idmap", 5), ("ridmap", 200_005)] {
        let (sandbox, folder) = with_folder();
        fs::create_dir(format!("{folder}/inner")).unwrap();
        let mount = format!("mount -t tmpfs -o uid=5,gid=5 tmpfs {folder}/inner");
        let sandbox =
            sandbox.wrapped(&["unshare", "--mount", "--propagation", "private"]).after_shell(&mount);
        let report = sandbox.report_with(&["--stat", "/tmp", "--stat", "/tmp/inner"], |config| {
            config.mount(mapped_bind(&folder, option, 200_000));
        });
        assert_eq!(owner(&report, "/tmp").0, 200_005);
        assert_eq!(owner(&report, "/tmp/inner").0, expected, "{option}");
    }
}

#[test]
fn new_file_systems_are_mapped_too() {
    differs_from!("runc", "it maps binds only");
    differs_from!("crun", "it makes the file system in the container's user namespace");
    for user in [false, true] {
        let sandbox = Sandbox::new();
        own_rootfs(&sandbox, 100_000);
        fs::set_permissions(
            sandbox.rootfs().join("home"),
            std::os::unix::fs::PermissionsExt::from_mode(0o2711),
        )
        .unwrap();
        let report = sandbox.report_with(&["--stat", "/tmp", "--stat", "/home"], |config| {
            if user {
                config.user_namespace(100_000, 65536);
            }
            for (destination, options) in [("/tmp", json!(["uid=7", "gid=8", "mode=750", "nodev"])), ("/home", json!(["idmap"]))] {
                config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": destination, "options": options,
                    "uidMappings": map(100_000), "gidMappings": map(100_000) }));
            }
        });
        let first = if user { 0 } else { 100_000 };
        assert_eq!(owner(&report, "/tmp"), (first + 7, first + 8));
        assert_eq!(report["stat"]["/tmp"]["mode"], "0750");
        assert!(report.own_mount_options("/tmp").contains("nodev"));
        assert_eq!(owner(&report, "/home"), (first, first));
        assert_eq!(report["stat"]["/home"]["mode"], "2711", "that of the folder in the image");
    }
}

#[test]
fn mounts_with_the_same_maps_share_a_namespace_and_no_process_is_left() {
    let (sandbox, folder) = with_folder();
    let configure = |config: &mut Config| {
        for (destination, host) in [("/tmp", 200_000), ("/home", 200_000), ("/etc", 300_000)] {
            let mut mount = mapped_bind(&folder, "idmap", host);
            mount["destination"] = json!(destination);
            config.mount(mount);
        }
    };
    if runtime().is_ours() {
        sandbox.configure(configure);
        let plan = sandbox.with_bundle("plan", &[]).output().success().stdout();
        assert_eq!(plan.matches("make id namespace").count(), 2, "{plan}");
    }
    let container = sandbox.started(&["pause"], configure);
    let status = |pid: u32| fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap_or_default();
    let others =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let holders: Vec<u32> = others.filter(|pid| status(*pid).contains("300000")).collect();
    assert_eq!(holders, Vec::<u32>::new());
    container.kill("KILL");
    container.wait();
    container.delete();
}

#[test]
fn what_cannot_be_mapped_is_an_error_that_names_the_mount() {
    let cases = [
        (
            json!({ "type": "bind", "source": "/tmp", "destination": "/tmp", "options": ["rbind", "idmap"] }),
            "/mounts/7",
        ),
        (
            json!({ "type": "bind", "source": "/tmp", "destination": "/tmp", "uidMappings": map(1) }),
            "/mounts/7/gidMappings",
        ),
        (
            json!({ "type": "bind", "source": "/proc", "destination": "/tmp", "options": ["bind", "idmap"],
            "uidMappings": map(1), "gidMappings": map(1) }),
            "no idmapped mounts",
        ),
    ];
    for (mount, text) in cases {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.mount(mount);
        });
        let output = sandbox.with_bundle("create", &[]).output();
        if runtime().is_ours() {
            output.fails_saying(text);
        } else {
            output.exits_with(1);
        }
        sandbox.assert_nothing_left();
    }
}

#[test]
fn an_ext4_folder_can_be_mapped() {
    let (sandbox, folder) = with_folder();
    let kind = std::process::Command::new("stat").args(["-f", "-c", "%T", &folder]).output().unwrap();
    if !String::from_utf8_lossy(&kind.stdout).contains("ext") {
        skip!("the temporary folder is not on ext4");
    }
    let report = sandbox.report_with(&["--stat", "/tmp"], |config| {
        config.mount(mapped_bind(&folder, "idmap", 300_000));
    });
    assert_eq!(owner(&report, "/tmp"), (300_005, 300_006));
}
