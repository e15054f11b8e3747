use serde_json::{Value, json};

use super::{accepted, isolated, refused};
use crate::spec::{Hook, HookKind, Hooks};

const KINDS: [HookKind; 6] = [
    HookKind::Prestart,
    HookKind::CreateRuntime,
    HookKind::CreateContainer,
    HookKind::StartContainer,
    HookKind::Poststart,
    HookKind::Poststop,
];

fn of_kind(hooks: Hooks, kind: HookKind) -> Vec<Hook> {
    match kind {
        HookKind::Prestart => hooks.prestart,
        HookKind::CreateRuntime => hooks.create_runtime,
        HookKind::CreateContainer => hooks.create_container,
        HookKind::StartContainer => hooks.start_container,
        HookKind::Poststart => hooks.poststart,
        HookKind::Poststop => hooks.poststop,
    }
}

fn config_with(kind: HookKind, hook: Value) -> Vec<u8> {
    isolated(&format!("/hooks/{}", kind.as_str()), json!([{"path": "/bin/true"}, hook]))
}

#[track_caller]
fn second(hook: Value) -> Hook {
    accepted(&config_with(HookKind::Prestart, hook)).hooks.prestart.remove(1)
}

#[test]
fn every_kind_is_read_into_its_own_list() {
    for kind in KINDS {
        let hook = json!({"path": "/a", "args": ["a", ""], "env": ["B=c"], "timeout": 7});
        let hooks = accepted(&config_with(kind, hook)).hooks;
        let expected = Hook {
            path: "/a".into(),
            args: vec!["a".into(), String::new()],
            env: Some(vec!["B=c".into()]),
            timeout: Some(7),
        };
        for other in KINDS {
            let list = of_kind(hooks.clone(), other);
            assert_eq!(list.get(1), (other == kind).then_some(&expected), "{kind:?} {other:?}");
        }
    }
}

#[test]
fn no_hooks_are_the_default() {
    for nothing in [json!(null), json!({}), json!({"prestart": null, "poststop": []})] {
        assert_eq!(accepted(&isolated("/hooks", nothing)).hooks, Hooks::default());
    }
}

#[test]
fn a_path_is_needed_and_absolute() {
    for kind in KINDS {
        let pointer = format!("{}/path", kind.pointer(1));
        for bad in [json!({}), json!({"path": ""}), json!({"path": "true"}), json!({"path": "./a"})] {
            refused(&config_with(kind, bad), &pointer);
        }
    }
    refused(&config_with(HookKind::Poststop, json!({"path": "/a\u{0}"})), "/hooks/poststop/1/path");
}

#[test]
fn a_timeout_is_a_positive_number_of_seconds() {
    assert_eq!(second(json!({"path": "/a"})).timeout, None);
    assert_eq!(second(json!({"path": "/a", "timeout": null})).timeout, None);
    assert_eq!(second(json!({"path": "/a", "timeout": i32::MAX})).timeout, Some(i32::MAX as u32));
    for bad in [json!(0), json!(-1), json!(1_u64 << 31)] {
        let text = refused(
            &config_with(HookKind::Poststart, json!({"path": "/a", "timeout": bad})),
            "/hooks/poststart/1/timeout",
        );
        assert!(text.contains("seconds"), "{text}");
    }
}

#[test]
fn arguments_default_to_the_path_and_hold_no_nul() {
    assert_eq!(second(json!({"path": "/a"})).args, ["/a"]);
    assert_eq!(second(json!({"path": "/a", "args": []})).args, ["/a"]);
    let bad = json!({"path": "/a", "args": ["a", "b\u{0}"]});
    refused(&config_with(HookKind::Prestart, bad), "/hooks/prestart/1/args/1");
}

#[test]
fn an_absent_environment_is_not_an_empty_one() {
    assert_eq!(second(json!({"path": "/a"})).env, None);
    assert_eq!(second(json!({"path": "/a", "env": null})).env, None);
    assert_eq!(second(json!({"path": "/a", "env": []})).env, Some(Vec::new()));
    let twice = second(json!({"path": "/a", "env": ["A=1", "B=2", "A=3"]}));
    assert_eq!(twice.env.unwrap(), ["B=2", "A=3"]);
    for bad in ["A", "=1", "A=\u{0}"] {
        let hook = json!({"path": "/a", "env": ["B=1", bad]});
        refused(&config_with(HookKind::CreateRuntime, hook), "/hooks/createRuntime/1/env/1");
    }
}

#[test]
fn a_list_has_an_end() {
    let many = vec![json!({"path": "/a"}); 10_001];
    refused(&isolated("/hooks/poststop", json!(many)), "/hooks/poststop");
}
