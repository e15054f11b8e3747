//! A tmpfs that begins with a copy of what the image has at its place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;

use integration::differs_from;
use integration::harness::*;
use serde_json::{Value, json};

fn copied(destination: &str, options: &[&str]) -> Value {
    let options: Vec<&str> = ["tmpcopyup"].iter().chain(options).copied().collect();
    json!({ "type": "tmpfs", "source": "tmpfs", "destination": destination, "options": options })
}

fn shell(line: &str) {
    let status = Command::new("sh").args(["-ec", line]).status().unwrap();
    assert!(status.success(), "{line}");
}

/// Files of every kind in `/data` of the image; all ids are `id` and more.
fn filled(id: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    let data = sandbox.rootfs().join("data");
    fs::create_dir_all(data.join("folder/deep")).unwrap();
    fs::write(data.join("file"), "content").unwrap();
    fs::write(data.join("folder/deep/big"), "x".repeat(300_000)).unwrap();
    symlink("/etc/absent", data.join("absolute")).unwrap();
    symlink("../../..", data.join("up")).unwrap();
    let at = data.to_str().unwrap();
    shell(&format!("mkfifo -m 640 {at}/fifo; mknod -m 604 {at}/null c 1 3"));
    shell(&format!("chown -hR {id}:{id} {at}; chown -h {}:{} {at} {at}/file {at}/absolute", id + 5, id + 6));
    fs::set_permissions(data.join("file"), PermissionsExt::from_mode(0o4755)).unwrap();
    fs::set_permissions(&data, PermissionsExt::from_mode(0o2777)).unwrap();
    shell(&format!("touch -d @1000000 {at}/file"));
    sandbox
}

const PATHS: [&str; 18] = [
    "--stat",
    "/data",
    "--stat",
    "/data/file",
    "--stat",
    "/data/absolute",
    "--stat",
    "/data/up",
    "--stat",
    "/data/fifo",
    "--stat",
    "/data/null",
    "--stat",
    "/data/folder/deep/big",
    "--read",
    "/data/file",
    "--list",
    "/data",
];

fn expect_everything(report: &Report) {
    let stat = |path: &str| &report["stat"][path];
    for (path, kind, mode, uid, gid) in [
        ("/data", "directory", "2777", 5, 6),
        ("/data/file", "file", "4755", 5, 6),
        ("/data/absolute", "link", "0777", 5, 6),
        ("/data/fifo", "fifo", "0640", 0, 0),
        ("/data/null", "character", "0604", 0, 0),
        ("/data/folder/deep/big", "file", "0644", 0, 0),
    ] {
        let found = stat(path);
        assert_eq!(
            (&found["type"], &found["mode"], &found["uid"], &found["gid"]),
            (&json!(kind), &json!(mode), &json!(uid), &json!(gid)),
            "{path}"
        );
    }
    assert_eq!(stat("/data/absolute")["link"], "/etc/absent");
    assert_eq!(stat("/data/up")["link"], "../../..");
    assert_eq!(stat("/data/null")["rdev"], json!([1, 3]));
    assert_eq!(report["read"]["/data/file"], "content");
    assert_eq!(report["list"]["/data"], json!(["absolute", "fifo", "file", "folder", "null", "up"]));
    assert_eq!(report.mount("/data").unwrap()["type"], "tmpfs");
}

#[test]
fn files_of_every_kind_are_copied() {
    differs_from!("runc", "it cannot copy a FIFO");
    let report = filled(0).report_with(&PATHS, |config| {
        config.mount(copied("/data", &["nosuid", "size=8m"]));
    });
    expect_everything(&report);
    let options = report.mount_options("/data");
    assert!(options.contains("nosuid") && options.contains("size=8192k"), "{options:?}");
}

#[test]
fn in_a_user_namespace_the_copies_belong_to_the_same_users() {
    differs_from!("runc", "it cannot copy a FIFO");
    let sandbox = filled(100_000);
    chown(sandbox.rootfs(), Some(100_000), Some(100_000)).unwrap();
    let report = sandbox.report_with(&PATHS, |config| {
        config.user_namespace(100_000, 65536);
        config.mount(copied("/data", &[]));
    });
    expect_everything(&report);
}

#[test]
fn the_copy_can_be_written_and_the_image_stays_as_it_is() {
    differs_from!("runc", "it cannot copy a FIFO");
    let sandbox = filled(0);
    let attempts = [
        "write",
        "/data/folder/deep/big",
        "changed",
        "--",
        "create",
        "/data/new",
        "--",
        "unlink",
        "/data/fifo",
    ];
    let errnos = sandbox.attempt(&attempts, |config| {
        config.mount(copied("/data", &[]));
    });
    assert_eq!(errnos, [0, 0, 0]);
    assert!(fs::read_to_string(sandbox.rootfs().join("data/folder/deep/big")).unwrap().starts_with("xx"));
    assert!(!sandbox.rootfs().join("data/new").exists());
    assert!(sandbox.rootfs().join("data/fifo").exists());
    let errnos = sandbox.attempt(&["create", "/data/new", "--", "read", "/data/file"], |config| {
        config.mount(copied("/data", &["ro"]));
    });
    assert_eq!(errnos, [libc::EROFS, 0]);
}

#[test]
fn extended_attributes_come_along() {
    differs_from!("runc", "it copies some only");
    let sandbox = filled(0);
    let file = sandbox.rootfs().join("data/folder/deep/big");
    rustix::fs::setxattr(&file, "trusted.mark", b"kept", rustix::fs::XattrFlags::empty()).unwrap();
    let mut container = sandbox.started(&["pause"], |config| {
        config.mount(copied("/data", &[]));
    });
    assert_eq!(container.line(), "ready");
    let mut value = [0; 16];
    let length =
        rustix::fs::getxattr(container.proc("root/data/folder/deep/big"), "trusted.mark", &mut value[..])
            .unwrap();
    assert_eq!(&value[..length], b"kept");
}

#[test]
fn a_missing_folder_gives_an_empty_tmpfs_for_everybody() {
    differs_from!("runc", "it gives it the mode of the folder that it makes");
    for user in [false, true] {
        let sandbox = Sandbox::new();
        if user {
            chown(sandbox.rootfs(), Some(100_000), Some(100_000)).unwrap();
        }
        let report = sandbox.report_with(&["--stat", "/none", "--list", "/none"], |config| {
            config["root"]["readonly"] = json!(false);
            if user {
                config.user_namespace(100_000, 65536);
            }
            config.mount(copied("/none", &[]));
        });
        assert_eq!(report["stat"]["/none"]["mode"], "1777");
        assert_eq!(report["stat"]["/none"]["uid"], 0);
        assert_eq!(report["list"]["/none"], json!([]));
    }
}

#[test]
fn options_win_over_what_is_copied() {
    differs_from!("runc", "its copy wins");
    let sandbox = filled(100_000);
    chown(sandbox.rootfs(), Some(100_000), Some(100_000)).unwrap();
    let report = sandbox.report_with(&["--stat", "/data"], |config| {
        config.user_namespace(100_000, 65536);
        config.mount(copied("/data", &["mode=0711", "uid=3", "gid=4"]));
    });
    let stat = &report["stat"]["/data"];
    assert_eq!((&stat["mode"], &stat["uid"], &stat["gid"]), (&json!("0711"), &json!(3), &json!(4)));
    sandbox.configure(|config| {
        config.user_namespace(100_000, 65536);
        config.mount(copied("/data", &["uid=70000"]));
    });
    sandbox.with_bundle("create", &[]).output().fails_saying("uid of a tmpfs");
}

#[test]
fn what_an_earlier_mount_shows_is_what_is_copied() {
    let sandbox = filled(0);
    let other = sandbox.file("other");
    fs::create_dir_all(format!("{other}/inner")).unwrap();
    fs::write(format!("{other}/inner/mark"), "").unwrap();
    let report = sandbox.report_with(&["--list", "/data/inner"], |config| {
        config.bind(&other, "/data", &["rbind"]);
        config.mount(copied("/data/inner", &[]));
    });
    assert_eq!(report["list"]["/data/inner"], json!(["mark"]));
    let report = sandbox.report_with(&["--list", "/data"], |config| {
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/data" }));
        config.mount(copied("/data", &[]));
    });
    assert_eq!(report["list"]["/data"], json!([]));
}

#[test]
fn links_to_the_folder_stay_inside_the_image() {
    differs_from!("runc", "it cannot copy a FIFO");
    let sandbox = filled(0);
    symlink("/data", sandbox.rootfs().join("to-data")).unwrap();
    symlink("../../../../../../etc", sandbox.rootfs().join("out")).unwrap();
    let report = sandbox.report_with(&["--read", "/to-data/file", "--list", "/out"], |config| {
        config.mount(copied("/to-data", &[]));
        config.mount(copied("/out", &[]));
    });
    assert_eq!(report["read"]["/to-data/file"], "content");
    let own = fs::read_dir(sandbox.rootfs().join("etc")).unwrap().count();
    assert_eq!(report["list"]["/out"].as_array().unwrap().len(), own, "the image's /etc, not the host's");
}

#[test]
fn only_a_tmpfs_with_room_is_filled() {
    differs_from!("runc", "it cannot copy a FIFO");
    let refused = |mount: Value, text: &str| {
        let sandbox = filled(0);
        sandbox.configure(|config| {
            config.mount(mount);
        });
        let error = sandbox.with_bundle("create", &[]).output().fails_saying(text);
        assert!(!runtime().is_ours() || error.contains("/mounts/7"), "{error}");
        sandbox.assert_nothing_left();
    };
    refused(copied("/data", &["size=64k"]), "no space left on device");
    if runtime().is_ours() {
        refused(
            json!({ "type": "proc", "source": "proc", "destination": "/tmp", "options": ["tmpcopyup"] }),
            "tmpcopyup",
        );
        refused(copied("/data/file", &[]), "not a directory");
    }
}
