use serde_json::json;

use super::{accepted, isolated, refused, with};

const ROOT: &str = r#""ociVersion": "1.2.0", "root": {"path": "rootfs"}"#;

fn document(rest: &str) -> Vec<u8> {
    format!("{{{ROOT}, {rest}}}").into_bytes()
}

#[test]
fn text_that_is_not_json_is_placed_by_line_and_column() {
    let text = refused(b"{\n  \"ociVersion\": \"1.2.0\",\n  oops\n}", "");
    assert!(text.ends_with("not JSON: key must be a string at line 3, column 3"), "{text}");
    assert!(refused(b"", "").contains("not JSON: EOF"));
    assert!(refused(b"{\"ociVersion\": ", "").contains("not JSON"));
    assert!(refused(b"{\"a\": \"\xff\"}", "").contains("not UTF-8 at byte 7"));
}

#[test]
fn text_after_the_document_is_refused() {
    let mut text = super::RUNC_SPEC.to_vec();
    text.extend_from_slice(b" \n\t");
    accepted(&text);
    text.extend_from_slice(b"{}");
    assert!(refused(&text, "").contains("trailing characters"));
}

#[test]
fn a_wrong_type_is_placed_by_pointer() {
    let text = refused(&with("/process/args", json!(["sh", 1])), "/process/args/1");
    assert!(text.contains("invalid type: integer `1`, expected a string"), "{text}");
    refused(&with("/process/args", json!("sh")), "/process/args");
    refused(&with("/process/terminal", json!("yes")), "/process/terminal");
    refused(&with("/process/user/uid", json!(1.5)), "/process/user/uid");
    refused(
        &with("/process/rlimits", json!([{"type": "RLIMIT_CPU", "soft": -1}])),
        "/process/rlimits/0/soft",
    );
    refused(&with("/process/user", json!([0, 0])), "/process/user");
    refused(&with("/mounts", json!({})), "/mounts");
    refused(&with("/mounts", json!([{"destination": {}}])), "/mounts/0/destination");
    refused(&with("/linux/sysctl", json!({"a/b~c": 1})), "/linux/sysctl/a~1b~0c");
    refused(&with("/linux/resources", json!({"memory": {"limit": "1g"}})), "/linux/resources/memory/limit");
    refused(b"[]", "");
    refused(b"null", "/ociVersion");
}

#[test]
fn a_wrong_word_or_type_in_a_seccomp_profile_is_placed_by_pointer() {
    let rule =
        |action| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": action}]});
    let text =
        refused(&with("/linux/seccomp", rule(json!("SCMP_ACT_DENY"))), "/linux/seccomp/syscalls/0/action");
    assert!(text.contains("unknown variant `SCMP_ACT_DENY`, expected one of"), "{text}");
    refused(&with("/linux/seccomp", rule(json!(7))), "/linux/seccomp/syscalls/0/action");
    refused(&with("/linux/seccomp", rule(json!(null))), "/linux/seccomp/syscalls/0/action");
    refused(&with("/linux/seccomp", json!({"syscalls": [{"names": []}]})), "/linux/seccomp/syscalls/0");
}

#[test]
fn keys_match_in_any_case() {
    let text = document(
        r#""PROCESS": {"ARGS": ["sh"], "Cwd": "/", "nonewPRIVILEGES": true}, "lınux": {"a": 1},
           "Linux": {"NameSpaces": [{"TYPE": "pid"}], "rootfſPropagation": "slave",
                     "masKedPaths": ["/x"], "RESOURCES": {"PIDS": {"LIMIT": 7}, "blockio": {"WEIGHT": 10}}}"#,
    );
    let config = accepted(&text);
    let process = config.process.unwrap();
    assert!(process.no_new_privileges);
    assert_eq!(config.namespaces.pid.membership, crate::spec::Membership::New);
    assert!(config.rootfs_propagation.is_some());
    assert_eq!(config.masked_paths, ["/x"]);
    let resources = config.resources.unwrap();
    assert_eq!(resources.pids().unwrap().limit(), 7);
    assert_eq!(resources.block_io().as_ref().unwrap().weight(), Some(10));
}

#[test]
fn keys_that_are_data_keep_their_case() {
    let text = document(
        r#""annotations": {"Foo": "1", "foo": "2"},
           "linux": {"resources": {"unified": {"memory.High": "1", "memory.high": "2"}}}"#,
    );
    let config = accepted(&text);
    assert_eq!((config.annotations["Foo"].as_str(), config.annotations["foo"].as_str()), ("1", "2"));
    assert_eq!(config.resources.unwrap().unified().as_ref().unwrap().len(), 2);
}

#[test]
fn unknown_keys_are_ignored_whatever_they_hold() {
    let config = accepted(&document(r#""x": [{"y": [1.5e300]}], "linux": {"z": {"namespaces": 1}}"#));
    assert_eq!(config.namespaces, crate::spec::Namespaces::default());
}

#[test]
fn null_is_like_absent() {
    let text = document(
        r#""process": {"args": ["sh", null], "cwd": "/", "user": null, "env": null, "terminal": null,
                       "oomScoreAdj": null, "capabilities": {"bounding": null}, "rlimits": null, "scheduler": null},
           "hostname": null, "mounts": null, "hooks": {"poststop": null}, "annotations": {"a": null}, "vm": null,
           "linux": {"namespaces": null, "sysctl": null, "uidMappings": null, "devices": null, "seccomp": null,
                     "resources": {"devices": null, "pids": {"limit": null}, "memory": null, "unified": null}}"#,
    );
    let config = accepted(&text);
    let process = config.process.unwrap();
    assert_eq!(process.args, ["sh", ""]);
    assert_eq!((process.uid, process.oom_score_adj, process.umask), (0, None, 0o022));
    assert_eq!(config.annotations["a"], "");
    assert_eq!(config.resources.unwrap(), oci_spec::runtime::LinuxResources::default());
    assert!(accepted(&document(r#""process": null, "linux": null"#)).process.is_none());
}

#[test]
fn the_last_of_repeated_keys_wins() {
    let config = accepted(&document(
        r#""hostname": "older", "HOSTNAME": "old", "linux": {"cgroupsPath": "/x"}, "process": {"cwd": "x"},
           "linux": {"namespaces": [{"type": "bad", "type": "uts"}]}, "hostname": "new",
           "process": {"cwd": "/", "args": ["a"], "args": ["b"]}, "annotations": {"k": "1", "K": "2", "k": "3"}"#,
    ));
    assert_eq!(config.hostname.as_deref(), Some("new"));
    assert_eq!(config.cgroups_path, None);
    assert_eq!((config.annotations["k"].as_str(), config.annotations["K"].as_str()), ("3", "2"));
    assert_eq!(config.process.unwrap().args, ["b"]);
    refused(&document(r#""hostname": "a", "hostname": "b", "process": {"args": [[]]}"#), "/process/args/0");
}

#[test]
fn an_absent_pids_limit_is_not_a_limit_of_zero() {
    let pids = |value| {
        accepted(&isolated("/linux/resources/pids", value)).resources.unwrap().pids().map(|p| p.limit())
    };
    assert_eq!(pids(json!({})), None);
    assert_eq!(pids(json!({"limit": 0})), Some(0));
    assert_eq!(pids(json!({"limit": -1})), Some(-1));
}

#[test]
fn an_empty_seccomp_block_is_no_profile() {
    assert!(accepted(&with("/linux/seccomp", json!({}))).seccomp.is_none());
    assert!(accepted(&with("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW"}))).seccomp.is_some());
    let rules = json!([{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]);
    refused(&with("/linux/seccomp/syscalls", rules), "/linux/seccomp/defaultAction");
}

#[test]
fn deep_nesting_ends_in_an_error_or_is_skipped() {
    let deep = "[".repeat(100_000);
    assert!(refused(format!("{{\"x\": {deep}").as_bytes(), "").contains("not JSON"));
    let closed = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    accepted(&document(&format!("\"x\": {closed}")));
    refused(&document(&format!("\"mounts\": {closed}")), "/mounts/0");
}
