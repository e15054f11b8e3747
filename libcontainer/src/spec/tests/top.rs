use std::path::Path;

use serde_json::json;

use super::{accepted, isolated, refused, unsupported, with};
use crate::spec::{PropagationKind, Root};

#[test]
fn versions_one_of_the_specification_are_accepted() {
    for good in ["1.0.0", "1.0.2-dev", "1.3.0", "1.2.1+build.5", "1.0.0-rc.1+x"] {
        assert_eq!(accepted(&with("/ociVersion", json!(good))).version, good);
    }
    for other in ["0.9.0", "2.0.0", "10.0.0-dev"] {
        unsupported(&with("/ociVersion", json!(other)), "/ociVersion");
    }
    for bad in ["", "1", "1.2", "1.2.3.4", "v1.0.0", "1.a.0", "1.0.0-", "01.0.0", "1..0", "1.0.0 ", "+1.0.0"]
    {
        refused(&with("/ociVersion", json!(bad)), "/ociVersion");
    }
}

#[test]
fn a_root_is_needed_and_relative_to_the_bundle() {
    let root = |value| accepted(&with("/root", value)).root;
    assert_eq!(root(json!({"path": "fs"})), Root { path: "/bundle/fs".into(), readonly: false });
    assert_eq!(root(json!({"path": "/fs", "readonly": true})), Root { path: "/fs".into(), readonly: true });
    refused(&with("/root", json!(null)), "/root");
    refused(&with("/root", json!({})), "/root/path");
    refused(&with("/root/path", json!("a\u{0}b")), "/root/path");
    refused(&with("/root/path", json!("x".repeat(4096))), "/root/path");
    assert_eq!(accepted(&with("/root/path", json!("x"))).root.path, Path::new("/bundle/x"));
}

#[test]
fn names_need_a_uts_namespace() {
    for key in ["/hostname", "/domainname"] {
        assert!(refused(&with(key, json!("web")), key).contains("needs a UTS namespace"));
        refused(&isolated(key, json!("x".repeat(65))), key);
        refused(&isolated(key, json!("a\u{0}")), key);
        accepted(&isolated(key, json!("x".repeat(64))));
        accepted(&with(key, json!("")));
    }
    assert_eq!(accepted(&isolated("/hostname", json!("web"))).hostname.as_deref(), Some("web"));
    assert_eq!(accepted(&isolated("/domainname", json!("example"))).domainname.as_deref(), Some("example"));
    let joined = br#"{"ociVersion": "1.0.0", "root": {"path": "r"}, "hostname": "web",
        "linux": {"namespaces": [{"type": "uts", "path": "/proc/1/ns/uts"}]}}"#;
    assert!(accepted(joined).hostname.is_some());
}

#[test]
fn the_propagation_of_the_root_is_one_of_eight_words() {
    let kinds = [
        ("shared", PropagationKind::Shared),
        ("slave", PropagationKind::Slave),
        ("private", PropagationKind::Private),
        ("unbindable", PropagationKind::Unbindable),
    ];
    for (word, kind) in kinds {
        for (word, recursive) in [(word.to_owned(), false), (format!("r{word}"), true)] {
            let propagation =
                accepted(&with("/linux/rootfsPropagation", json!(word))).rootfs_propagation.unwrap();
            assert_eq!((propagation.kind, propagation.recursive), (kind, recursive));
        }
    }
    assert_eq!(accepted(&with("/linux/rootfsPropagation", json!(""))).rootfs_propagation, None);
    refused(&with("/linux/rootfsPropagation", json!("rr")), "/linux/rootfsPropagation");
}

#[test]
fn the_cgroup_path_is_kept_as_written() {
    let path = |value| accepted(&with("/linux/cgroupsPath", value)).cgroups_path;
    assert_eq!(path(json!("/docker/x")).as_deref(), Some("/docker/x"));
    assert_eq!(path(json!("system.slice:docker:x")).as_deref(), Some("system.slice:docker:x"));
    assert_eq!(path(json!("")), None);
    refused(&with("/linux/cgroupsPath", json!("a\u{0}")), "/linux/cgroupsPath");
}

#[test]
fn a_control_character_in_a_value_does_not_break_the_line() {
    let text = refused(&with("/linux/rootfsPropagation", json!("a\nb")), "/linux/rootfsPropagation");
    assert!(text.contains(r"a\nb"), "{text}");
    let error = super::read(&with("/linux/sysctl", json!({"a\nb": "1"}))).unwrap_err();
    assert!(error.to_string().contains(r"/linux/sysctl/a\nb: "), "{error}");
}
