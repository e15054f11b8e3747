//! Id maps of callers that may not write them: by newuidmap and newgidmap, or of one's own id alone.
//!
//! The caller here is user `nobody` with every capability but the two that id maps need, so that what it does beside
//! them works as for root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::path::Path;

use integration::harness::*;
use integration::{differs_from, skip};
use serde_json::{Value, json};

const NOBODY: u32 = 65_534;

/// Runs the rest of the line as `nobody`, with `subuid` as /etc/subuid and /etc/subgid.
const AS_NOBODY: &str = "mount --bind \"$1\" /etc/subuid && mount --bind \"$1\" /etc/subgid && shift && exec setpriv \
    --reuid 65534 --regid 65534 --groups 65534 --inh-caps +all,-setuid,-setgid,-sys_resource \
    --ambient-caps +all,-setuid,-setgid,-sys_resource \"$@\"";

fn unprivileged(subuid: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let file = sandbox.file("subuid");
    fs::write(&file, subuid).unwrap();
    sandbox.wrapped(&["unshare", "--mount", "--propagation", "private", "sh", "-c", AS_NOBODY, "sh", &file])
}

fn has_helpers() -> bool {
    ["/etc/subuid", "/usr/bin/newuidmap", "/usr/bin/newgidmap"].iter().all(|path| Path::new(path).exists())
}

/// Own id as root, and some of those that /etc/subuid gives.
fn maps(from: u32, size: u32) -> Value {
    json!([
        { "containerID": 0, "hostID": NOBODY, "size": 1 },
        { "containerID": 1, "hostID": from, "size": size },
    ])
}

fn user_namespace(config: &mut Config, maps: &Value) {
    config["linux"]["uidMappings"] = maps.clone();
    config["linux"]["gidMappings"] = maps.clone();
    config.namespace("user");
}

fn words(text: &Value) -> Vec<&str> {
    text.as_str().unwrap().split_whitespace().collect()
}

#[test]
fn ranges_are_mapped_by_the_programs_of_the_system() {
    if !has_helpers() {
        skip!("newuidmap and newgidmap are not installed");
    }
    differs_from!("runc", "its rootless mode has rules and words of its own");
    let sandbox = unprivileged("nobody:100000:65536\n");
    let report = sandbox.report(|config| {
        user_namespace(config, &maps(100_000, 65_535));
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "additionalGids": [5] });
    });
    let expected = ["0", "65534", "1", "1", "100000", "65535"];
    assert_eq!(
        (words(&report["maps"]["uid"]), words(&report["maps"]["gid"])),
        (expected.to_vec(), expected.to_vec())
    );
    assert_eq!(report["process"]["uid"]["effective"], 1000);
    assert_eq!(report["process"]["groups"], json!([5]));
}

#[test]
fn ranges_that_the_system_does_not_give_are_an_error() {
    if !has_helpers() {
        skip!("newuidmap and newgidmap are not installed");
    }
    differs_from!("runc", "its rootless mode has rules and words of its own");
    let sandbox = unprivileged("nobody:100000:10\n");
    sandbox.configure(|config| user_namespace(config, &maps(100_000, 11)));
    let error = sandbox.with_bundle("create", &[]).output().fails_saying("newuidmap");
    assert!(error.contains("not allowed") && error.contains("/etc/subuid"), "{error}");
    sandbox.assert_nothing_left();
}

#[test]
fn without_the_programs_only_the_callers_own_id_can_be_mapped() {
    differs_from!("runc", "its rootless mode has rules and words of its own");
    if !Path::new("/etc/subuid").exists() {
        skip!("there is no /etc/subuid to put another one over");
    }
    let sandbox = unprivileged("").wrapped(&["env", "PATH=/nowhere"]);
    sandbox.configure(|config| user_namespace(config, &maps(100_000, 10)));
    let error = sandbox.with_bundle("create", &[]).output().fails_saying("/linux/uidMappings");
    assert!(error.contains("install uidmap"), "{error}");
    sandbox.assert_nothing_left();
    let own = json!([{ "containerID": 0, "hostID": NOBODY, "size": 1 }]);
    let alone = unprivileged("");
    let report = alone.report(|config| {
        user_namespace(config, &own);
        config.without_mount("/dev/pts");
    });
    assert_eq!(words(&report["maps"]["gid"]), ["0", "65534", "1"]);
    assert_eq!(report["maps"]["setgroups"], "deny");
}

#[test]
fn groups_cannot_be_set_where_setgroups_is_denied() {
    differs_from!("runc", "its rootless mode has rules and words of its own");
    if !Path::new("/etc/subuid").exists() {
        skip!("there is no /etc/subuid to put another one over");
    }
    let sandbox = unprivileged("");
    sandbox.configure(|config| {
        user_namespace(config, &json!([{ "containerID": 0, "hostID": NOBODY, "size": 1 }]));
        config["process"]["user"] = json!({ "uid": 0, "gid": 0, "additionalGids": [0] });
    });
    sandbox.with_bundle("create", &[]).output().fails_saying("/process/user/additionalGids");
    sandbox.assert_nothing_left();
}

#[test]
fn ids_that_the_caller_does_not_have_itself_are_an_error() {
    let sandbox = Sandbox::new().wrapped(&["unshare", "--user", "--mount", "--map-root-user"]);
    sandbox.configure(|config| {
        config.user_namespace(100_000, 65_536);
    });
    let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
    if runtime().is_ours() {
        assert!(error.contains("/linux/uidMappings") && error.contains("uid_map"), "{error}");
    }
    sandbox.assert_nothing_left();
}
