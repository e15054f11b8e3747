//! Where mounts go: links in the image, the folders of the kernel, and what takes their place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::os::unix::fs::{chown, symlink};

use integration::harness::*;
use integration::{differs_from, on_hosts};
use serde_json::json;

const PRIVATE: [&str; 4] = ["unshare", "--mount", "--propagation", "private"];

fn tmpfs(source: &str, destination: &str) -> serde_json::Value {
    json!({ "type": "tmpfs", "source": source, "destination": destination })
}

#[test]
fn links_are_followed_inside_the_root_and_dangling_ones_made() {
    differs_from!("runc", "it takes .. behind a link for the folder that the text names");
    let sandbox = Sandbox::new();
    for (target, link) in [
        ("/made/absolute", "a"),
        ("made/relative", "home/b"),
        ("../../../../../made/up", "home/c"),
        ("a", "chain"),
        ("../home", "etc/back"),
    ] {
        symlink(target, sandbox.rootfs().join(link)).unwrap();
    }
    let report = sandbox.report(|config| {
        config["root"]["readonly"] = json!(false);
        config.mount(tmpfs("one", "/chain"));
        config.mount(tmpfs("two", "/home/b/below"));
        config.mount(tmpfs("three", "/home/c"));
        config.mount(tmpfs("four", "/etc/back/../home/new"));
    });
    for (source, destination) in [
        ("one", "/made/absolute"),
        ("two", "/home/made/relative/below"),
        ("three", "/made/up"),
        ("four", "/home/new"),
    ] {
        let mount =
            report.mount(destination).unwrap_or_else(|| panic!("{destination}: {}", report["mounts"]));
        assert_eq!(mount["source"], source);
    }
    assert!(!fs::exists("/made").unwrap(), "nothing is made outside");
}

#[test]
fn files_are_bound_through_links_and_made_behind_dangling_ones() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("resolv"), "content").unwrap();
    symlink("/run/resolv.conf", sandbox.rootfs().join("etc/resolv.conf")).unwrap();
    symlink("/etc/passwd", sandbox.rootfs().join("etc/other")).unwrap();
    let paths = ["--read", "/etc/resolv.conf", "--read", "/run/resolv.conf", "--read", "/etc/passwd"];
    let report = sandbox.report_with(&paths, |config| {
        config["root"]["readonly"] = json!(false);
        config.bind(sandbox.file("resolv"), "/etc/resolv.conf", &["bind"]);
        config.bind(sandbox.file("resolv"), "/etc/other", &["bind"]);
    });
    for path in ["/etc/resolv.conf", "/run/resolv.conf", "/etc/passwd"] {
        assert_eq!(report["read"][path], "content", "{path}");
    }
}

#[test]
fn links_in_a_circle_and_files_on_the_way_are_errors() {
    for (target, link, destination) in [("loop", "loop", "/loop/x"), ("/etc/passwd", "file", "/file/x")] {
        let sandbox = Sandbox::new();
        symlink(target, sandbox.rootfs().join(link)).unwrap();
        sandbox.configure(|config| {
            config["root"]["readonly"] = json!(false);
            config.mount(tmpfs("tmpfs", destination));
        });
        let error = sandbox.with_bundle("create", &[]).output().fails_saying(link);
        assert!(!runtime().is_ours() || error.contains("/mounts/7"), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn a_mount_needs_no_source() {
    differs_from!("runc", "it binds the bundle");
    let report = Sandbox::new().report(|config| {
        config.mount(json!({ "type": "tmpfs", "destination": "/tmp", "options": ["size=1m"] }));
    });
    assert_eq!(report.mount("/tmp").unwrap()["type"], "tmpfs");
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.mount(json!({ "type": "bind", "destination": "/tmp", "options": ["bind"] }));
    });
    let output = sandbox.with_bundle("create", &[]).output();
    if runtime().is_ours() {
        output.fails_saying("/mounts/7/source");
    } else {
        output.exits_with(1);
    }
}

#[test]
fn the_folders_of_the_kernel_are_not_reached_through_links() {
    for folder in ["proc", "sys"] {
        for spelled in [format!("/{folder}"), format!("/etc/../{folder}"), folder.to_owned()] {
            let sandbox = Sandbox::new();
            let place = sandbox.rootfs().join(folder);
            fs::remove_dir(&place).unwrap();
            symlink("/tmp", &place).unwrap();
            sandbox.configure(|config| {
                for mount in config["mounts"].as_array_mut().unwrap() {
                    if mount["destination"] == format!("/{folder}") {
                        mount["destination"] = json!(spelled);
                    }
                }
            });
            sandbox.with_bundle("create", &[]).output().fails_saying("must be mounted on ordinary directory");
            sandbox.assert_nothing_left();
        }
    }
}

#[test]
fn proc_is_not_replaced() {
    for mount in [
        tmpfs("tmpfs", "/proc"),
        tmpfs("tmpfs", "/tmp/../proc"),
        tmpfs("tmpfs", "/proc/self"),
        json!({ "type": "bind", "source": "/tmp", "destination": "/proc", "options": ["rbind"] }),
        json!({ "type": "bind", "source": "/tmp", "destination": "/proc/sys", "options": ["rbind"] }),
    ] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.mount(mount);
        });
        let error = sandbox.with_bundle("create", &[]).output().fails_saying("proc");
        assert!(!runtime().is_ours() || error.contains("/mounts/7"), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn an_image_does_not_lead_volumes_over_the_kernels_folders() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("volume")).unwrap();
    for (name, folder) in [("data", "/proc"), ("more", "sys/firmware"), ("way", "/proc/sys/kernel")] {
        symlink(folder, sandbox.rootfs().join(name)).unwrap();
        for kind in ["bind", "tmpfs"] {
            sandbox.configure(|config| {
                match kind {
                    "bind" => config.bind(sandbox.file("volume"), &format!("/{name}"), &["rbind"]),
                    _ => config.mount(tmpfs("tmpfs", &format!("/{name}"))),
                };
            });
            let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
            assert!(error.contains(&format!("/{name}")), "{error}");
            sandbox.assert_nothing_left();
        }
    }
}

#[test]
fn a_real_procfs_may_be_bound() {
    let report = Sandbox::new().report(|config| {
        config.without_mount("/proc").without_namespace("pid");
        config.bind("/proc", "/proc", &["rbind"]);
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.rotate_right(1);
    });
    assert_eq!(report.mount("/proc").unwrap()["type"], "proc");
}

on_hosts! {
    fn without_a_network_namespace_a_user_namespace_sees_the_hosts_sys(host: Host) {
        differs_from!("runc", "it fails");
        let sandbox = Sandbox::on(host);
        chown(sandbox.rootfs(), Some(100_000), Some(100_000)).unwrap();
        let report = sandbox.report_with(&["--list", "/sys", "--list", "/sys/fs/cgroup"], |config| {
            config.user_namespace(100_000, 65536).without_namespace("network").namespace("cgroup");
        });
        assert_eq!(report.mount("/sys").unwrap()["type"], "sysfs");
        assert!(report["list"]["/sys"].as_array().unwrap().iter().any(|name| name == "kernel"));
        let mounts = report["mounts"].as_array().unwrap().iter();
        let below = mounts.filter(|mount| {
            let destination = mount["destination"].as_str().unwrap();
            destination == "/sys" || destination.starts_with("/sys/") && !destination.starts_with("/sys/fs/cgroup")
        });
        for mount in below {
            assert!(mount["options"].as_array().unwrap().contains(&json!("ro")), "{mount}");
        }
        let errnos = sandbox.attempt(&["mkdir", "/sys/fs/cgroup/x", "--", "mkdir", "/sys/x"], |config| {
            config.user_namespace(100_000, 65536).without_namespace("network").namespace("cgroup");
        });
        assert!(errnos.iter().all(|errno| *errno == libc::EROFS), "{errnos:?}");
    }

    fn the_cgroup_mount_is_read_only_or_not_with_and_without_a_namespace(host: Host) {
        let folder = if host.has_v1() { "/sys/fs/cgroup/pids/made" } else { "/sys/fs/cgroup/made" };
        for (namespace, option, expected) in [
            (true, "rw", 0),
            (true, "ro", libc::EROFS),
            (false, "ro", libc::EROFS),
        ] {
            let errnos = Sandbox::on(host).attempt(&["mkdir", folder], |config| {
                config.without_mount("/sys/fs/cgroup").without_namespace("cgroup");
                if namespace {
                    config.namespace("cgroup");
                }
                config.mount(json!({ "type": "cgroup", "source": "cgroup", "destination": "/sys/fs/cgroup",
                    "options": ["nosuid", "noexec", "nodev", option] }));
            });
            assert_eq!(errnos, [expected], "namespace {namespace}, {option}");
        }
    }
}

#[test]
fn a_single_bind_of_a_tree_with_locked_mounts_names_the_way_out() {
    differs_from!("runc", "it has no hint");
    differs_from!("crun", "it has no hint");
    let sandbox = Sandbox::new();
    let folder = sandbox.file("folder");
    fs::create_dir_all(format!("{folder}/inner")).unwrap();
    let mount = format!("mount -t tmpfs tmpfs {folder}/inner");
    let inside = "exec unshare --user --map-root-user --mount \"$@\"";
    let sandbox = sandbox.wrapped(&PRIVATE).after_shell(&mount).wrapped(&["sh", "-c", inside, "sh"]);
    sandbox.configure(|config| {
        // The default ones name a group that this user namespace does not have.
        config["mounts"] = json!([]);
        config.bind(&folder, "/tmp", &["bind"]);
    });
    let output = sandbox.with_bundle("create", &[]).output();
    output.fails_saying("rbind");
}
