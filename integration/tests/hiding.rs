//! Masked and read-only paths: that they are hidden, what they share, links, and paths that cannot be hidden.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::os::unix::fs::symlink;

use integration::differs_from;
use integration::harness::*;
use serde_json::json;

const LISTS: [&str; 2] = ["maskedPaths", "readonlyPaths"];

fn writable(config: &mut Config) {
    config["root"]["readonly"] = json!(false);
}

#[test]
fn masked_folders_share_one_empty_file_system() {
    differs_from!("runc", "each of its masks is a file system of its own");
    let sandbox = Sandbox::new();
    let folders = ["/a", "/b", "/c/below"];
    for folder in folders {
        fs::create_dir_all(sandbox.rootfs().join(&folder[1..])).unwrap();
        fs::write(sandbox.rootfs().join(&folder[1..]).join("secret"), "secret").unwrap();
    }
    let report = sandbox.report_with(&["--list", "/a", "--list", "/b", "--list", "/c/below"], |config| {
        config["linux"]["maskedPaths"] = json!(folders);
    });
    let devices = folders.map(|folder| report.mount(folder).unwrap()["device"].clone());
    assert!(devices.iter().all(|device| *device == devices[0]), "{devices:?}");
    for folder in folders {
        assert_eq!(report["list"][folder], json!([]), "{folder}");
        let options = report.mount_options(folder);
        assert!(
            ["ro", "nosuid", "nodev", "noexec"].iter().all(|option| options.contains(option)),
            "{options:?}"
        );
    }
}

#[test]
fn what_is_written_to_masked_paths_is_refused_or_lost() {
    let attempts = [
        "create",
        "/home/x",
        "--",
        "mkdir",
        "/home/y",
        "--",
        "write",
        "/etc/passwd",
        "x",
        "--",
        "open",
        "/etc/passwd",
    ];
    let errnos = Sandbox::new().attempt(&attempts, |config| {
        writable(config);
        config["linux"]["maskedPaths"] = json!(["/home", "/etc/passwd"]);
    });
    assert_eq!(errnos, [libc::EROFS, libc::EROFS, 0, 0], "what is written to the null device is lost");
}

#[test]
fn a_link_hides_what_it_points_to_inside_of_the_container() {
    let sandbox = Sandbox::new();
    let outside = sandbox.file("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(format!("{outside}/secret"), "of the host").unwrap();
    let inside = sandbox.rootfs().join(&outside[1..]);
    fs::create_dir_all(&inside).unwrap();
    fs::write(inside.join("secret"), "of the image").unwrap();
    fs::write(sandbox.rootfs().join("etc/secret"), "secret").unwrap();
    // Absolute links of an image begin at its own root.
    symlink(&outside, sandbox.rootfs().join("folder")).unwrap();
    symlink("../etc/secret", sandbox.rootfs().join("tmp/file")).unwrap();
    symlink("/etc/group", sandbox.rootfs().join("group")).unwrap();
    let secret = format!("{outside}/secret");
    let report =
        sandbox.report_with(&["--list", &outside, "--stat", &secret, "--read", "/etc/secret"], |config| {
            config["linux"]["maskedPaths"] = json!(["/folder", "/tmp/file"]);
            config["linux"]["readonlyPaths"] = json!(["/group"]);
        });
    assert_eq!(report["list"][outside.as_str()], json!([]));
    assert_eq!(report["stat"][secret.as_str()]["errno"], libc::ENOENT);
    assert_eq!(report["read"]["/etc/secret"], "");
    assert!(report.own_mount_options("/etc/group").contains("ro"));
    assert_eq!(fs::read_to_string(secret).unwrap(), "of the host");
}

#[test]
fn the_root_is_a_path_that_can_be_read_only() {
    for path in ["/", "/tmp/.."] {
        let errnos =
            Sandbox::new().attempt(&["create", "/file", "--", "create", "/dev/shm/file"], |config| {
                writable(config);
                config["linux"]["readonlyPaths"] = json!([path]);
            });
        assert_eq!(errnos[0], libc::EROFS, "{path}");
        differs_from!("runc", "what is mounted below stays writable");
        assert_eq!(errnos[1], libc::EROFS, "{path}");
    }
}

#[test]
fn paths_that_are_not_there_need_not_be_hidden() {
    let sandbox = Sandbox::new();
    symlink("/nowhere", sandbox.rootfs().join("dangling")).unwrap();
    let report = sandbox.report_with(&["--list", "/"], |config| {
        for list in LISTS {
            config["linux"][list] = json!(["/no/such/path", "/dangling", "/proc/none"]);
        }
    });
    let names = report["list"]["/"].as_array().unwrap();
    assert!(
        !names.contains(&json!("no")) && !names.contains(&json!("nowhere")),
        "nothing was made: {names:?}"
    );
}

#[test]
fn a_path_that_is_masked_and_read_only_is_masked() {
    let report = Sandbox::new().report_with(&["--list", "/home", "--read", "/etc/passwd"], |config| {
        for list in LISTS {
            config["linux"][list] = json!(["/home", "/etc/passwd"]);
        }
    });
    assert_eq!((&report["list"]["/home"], &report["read"]["/etc/passwd"]), (&json!([]), &json!("")));
}

#[test]
fn a_masked_path_in_a_user_namespace() {
    let report = Sandbox::new().report_with(&["--list", "/home", "--stat", "/etc/group"], |config| {
        config.user_namespace(100_000, 65_536);
        config["linux"]["maskedPaths"] = json!(["/home", "/etc/group"]);
        config["linux"]["readonlyPaths"] = json!(["/tmp"]);
    });
    assert_eq!(report["list"]["/home"], json!([]));
    assert_eq!(report["stat"]["/etc/group"]["rdev"], json!([1, 3]));
    assert!(report.own_mount_options("/tmp").contains("ro"));
}

#[test]
fn paths_that_cannot_be_hidden_are_errors_that_name_them() {
    differs_from!("runc", "it passes over what it cannot open");
    for list in LISTS {
        let sandbox = Sandbox::new();
        symlink("loop", sandbox.rootfs().join("loop")).unwrap();
        sandbox.configure(|config| config["linux"][list] = json!(["/etc", "/loop"]));
        let error = sandbox.with_bundle("create", &[]).output().fails_saying(&format!("/linux/{list}/1"));
        assert!(error.contains("ELOOP"), "{error}");
        sandbox.assert_nothing_left();
        sandbox.configure(|config| config["linux"][list] = json!(["etc/passwd"]));
        sandbox.with_bundle("create", &[]).output().fails_saying(&format!("/linux/{list}/0"));
        sandbox.assert_nothing_left();
    }
}

#[test]
fn masked_files_are_the_null_device_and_masked_folders_are_empty() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.rootfs().join("etc/secret"), "secret").unwrap();
    fs::write(sandbox.rootfs().join("home/app/secret"), "secret").unwrap();
    let options =
        ["--stat", "/etc/secret", "--read", "/etc/secret", "--list", "/home", "--stat", "/proc/keys"];
    let report = sandbox.report_with(&options, |config| {
        let masked = config["linux"]["maskedPaths"].as_array_mut().unwrap();
        masked.extend([json!("/etc/secret"), json!("/home"), json!("/does/not/exist")]);
    });
    assert_eq!(report["stat"]["/etc/secret"]["rdev"], json!([1, 3]));
    assert_eq!(report["read"]["/etc/secret"], "");
    assert_eq!(report["list"]["/home"], json!([]));
    assert_eq!(report["stat"]["/proc/keys"]["rdev"], json!([1, 3]));
    let options = report.mount_options("/home");
    assert!(options.contains("ro"), "{options:?}");
    let errnos = sandbox.attempt(&["create", "/home/x"], |config| {
        writable(config);
        config["linux"]["maskedPaths"] = json!(["/home"]);
    });
    assert_eq!(errnos, [libc::EROFS]);
}

#[test]
fn read_only_paths_cannot_be_written() {
    let attempts = [
        "write",
        "/proc/sys/kernel/domainname",
        "x",
        "--",
        "create",
        "/etc/x",
        "--",
        "create",
        "/tmp/x",
        "--",
        "write",
        "/etc/passwd",
        "x",
    ];
    let errnos = Sandbox::new().attempt(&attempts, |config| {
        writable(config);
        let paths = config["linux"]["readonlyPaths"].as_array_mut().unwrap();
        paths.extend([json!("/etc"), json!("/does/not/exist"), json!("/etc/passwd")]);
    });
    assert_eq!(errnos, [libc::EROFS, libc::EROFS, 0, libc::EROFS]);
}

#[test]
fn read_only_paths_keep_the_flags_of_what_is_below() {
    let report = Sandbox::new().report(|config| {
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/tmp", "options": ["nosuid", "nodev", "noexec"] }));
        config["linux"]["readonlyPaths"] = json!(["/tmp"]);
    });
    let options = report.own_mount_options("/tmp");
    for option in ["ro", "nosuid", "nodev", "noexec"] {
        assert!(options.contains(option), "{option}: {options:?}");
    }
}
