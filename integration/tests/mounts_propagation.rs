//! Propagation: which mounts that are made later are seen in the container, and which of its own on the host.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::collections::BTreeSet;
use std::fs;

use integration::differs_from;
use integration::harness::*;
use serde_json::{Value, json};

/// Shares all mounts with those that the runtime makes.
const SHARED: [&str; 4] = ["unshare", "--mount", "--propagation", "shared"];

fn tags(report: &Report, destination: &str) -> BTreeSet<String> {
    let tags = report.mount(destination).unwrap()["propagation"].as_array().unwrap().iter();
    tags.map(|tag| tag.as_str().unwrap().split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn propagation_of_a_mount() {
    for (option, expected) in [
        ("rprivate", None),
        ("private", None),
        ("rslave", Some("master")),
        ("slave", Some("master")),
        ("rshared", Some("shared")),
        ("shared", Some("shared")),
        ("unbindable", Some("unbindable")),
        ("runbindable", Some("unbindable")),
    ] {
        let sandbox = Sandbox::new();
        let folder = sandbox.file("folder");
        fs::create_dir(&folder).unwrap();
        let sandbox = sandbox.wrapped(&SHARED).after_shell(&format!("mount -t tmpfs tmpfs {folder}"));
        let report = sandbox.report(|config| {
            // The root's value is applied to all mounts in the end, as far as it weakens them.
            config["linux"]["rootfsPropagation"] =
                json!(if option.ends_with("shared") { "rshared" } else { "rslave" });
            config.bind(&folder, "/tmp", &["rbind", option]);
        });
        let found = tags(&report, "/tmp");
        assert!(expected.map_or(found.is_empty(), |tag| found.contains(tag)), "{option}: {found:?}");
    }
}

#[test]
fn propagation_of_the_root() {
    for (value, expected) in [
        ("private", None),
        ("rprivate", None),
        ("shared", Some("shared")),
        ("rshared", Some("shared")),
        ("unbindable", Some("unbindable")),
        ("runbindable", Some("unbindable")),
    ] {
        if value.ends_with("unbindable") && !runtime().is_ours() {
            continue; // The references make the root unbindable before they bind cgroup v1 folders.
        }
        let sandbox = Sandbox::new().wrapped(&SHARED);
        let report = sandbox.report(|config| config["linux"]["rootfsPropagation"] = json!(value));
        let found = tags(&report, "/");
        assert!(expected.map_or(found.is_empty(), |tag| found.contains(tag)), "{value}: {found:?}");
    }
}

/// A container whose /tmp is a bind of a mount that is shared on its host; then something is mounted there.
fn sees_later_mounts(option: &str) -> bool {
    let namespace = Holder::new(&SHARED[1..]);
    let enter = ["nsenter".to_owned(), format!("--mount={}", namespace.namespace("mnt"))];
    let enter: Vec<&str> = enter.iter().map(String::as_str).collect();
    let sandbox = Sandbox::new().wrapped(&enter);
    let folder = sandbox.file("folder");
    fs::create_dir(&folder).unwrap();
    let on_host = |line: &str| {
        let words: Vec<&str> = enter.iter().copied().chain(["sh", "-c", line]).collect();
        drop(Invocation::new(&words).output().success());
    };
    on_host(&format!("mount -t tmpfs tmpfs {folder} && mkdir {folder}/late"));
    let mut container = sandbox.started(&["pause"], |config| {
        config["linux"]["rootfsPropagation"] = json!("rslave");
        config.bind(&folder, "/tmp", &["rbind", option]);
    });
    assert_eq!(container.line(), "ready");
    on_host(&format!("mount -t tmpfs late {folder}/late"));
    let arrived = fs::read_to_string(container.proc("mountinfo")).unwrap().contains(" /tmp/late ");
    on_host(&format!("umount --recursive {folder}"));
    arrived
}

#[test]
fn mounts_made_on_the_host_later_arrive_through_a_slave_only() {
    assert!(sees_later_mounts("rslave"));
    assert!(!sees_later_mounts("rprivate"));
}

#[test]
fn a_volume_keeps_the_propagation_that_it_asks_for() {
    let sandbox = Sandbox::new().wrapped(&SHARED);
    fs::create_dir(sandbox.file("volume")).unwrap();
    for (option, shared) in [("rshared", true), ("rslave", false), ("rprivate", false)] {
        let report = sandbox.report(|config| {
            config.bind(sandbox.file("volume"), "/tmp", &["rbind", option]);
        });
        let tags = report.mount("/tmp").unwrap()["propagation"].to_string();
        assert_eq!(tags.contains("shared:"), shared, "{option}: {tags}");
    }
}

/// The tags of the root in mountinfo(5), on a host whose mounts are shared.
fn tags_of_the_root(propagation: Option<&str>) -> String {
    let report = Sandbox::new().wrapped(&SHARED).report(|config| {
        config["linux"]["rootfsPropagation"] = propagation.map_or(Value::Null, |value| json!(value));
    });
    report.mount("/").unwrap()["propagation"].to_string()
}

#[test]
fn the_root_is_private_unless_told_otherwise() {
    for value in [None, Some("")] {
        let tags = tags_of_the_root(value);
        assert!(!tags.contains("master:") && !tags.contains("shared:"), "{value:?}: {tags}");
    }
}

#[test]
fn the_root_is_a_slave_of_the_hosts_if_told_so() {
    differs_from!("runc", "it makes what it binds as the root private first");
    for value in ["slave", "rslave"] {
        let tags = tags_of_the_root(Some(value));
        assert!(tags.contains("master:") && !tags.contains("shared:"), "{value}: {tags}");
    }
}

#[test]
fn what_is_below_a_shared_mount_is_not_shared_if_told_so() {
    let sandbox = Sandbox::new().wrapped(&SHARED);
    fs::create_dir_all(sandbox.file("volume/below")).unwrap();
    fs::create_dir(sandbox.file("other")).unwrap();
    for user in [false, true] {
        for (option, shared) in
            [("rprivate", false), ("private", false), ("rslave", false), ("slave", false), ("rshared", true)]
        {
            let bind =
                json!({ "type": "bind", "source": sandbox.file("other"), "options": ["rbind", option] });
            let tmpfs = json!({ "type": "tmpfs", "source": "tmpfs", "options": [option] });
            for mut below in [bind, tmpfs] {
                below["destination"] = json!("/tmp/below");
                let report = sandbox.report(|config| {
                    if user {
                        config.user_namespace(100_000, 65_536);
                    }
                    config.bind(sandbox.file("volume"), "/tmp", &["rbind", "rshared"]);
                    config.mount(below.clone());
                });
                assert!(tags(&report, "/tmp").contains("shared"));
                let found = tags(&report, "/tmp/below");
                assert_eq!(found.contains("shared"), shared, "{option}, user {user}: {found:?}");
            }
        }
    }
}
