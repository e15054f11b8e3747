//! A configuration comes from anyone: whatever it holds, the answer is a value or a one-line error.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{CONTAINERD, DOCKER, RUNC_SPEC, read};

fn answers(bytes: &[u8]) -> Result<(), TestCaseError> {
    match read(bytes) {
        Ok(config) => prop_assert!(config.root.path.is_absolute()),
        Err(error) => {
            let text = error.to_string();
            prop_assert!(text.starts_with("/bundle/config.json: "), "{text}");
            prop_assert!(!text.contains(char::is_control), "{text}");
        }
    }
    Ok(())
}

fn fixture() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![Just(RUNC_SPEC), Just(CONTAINERD), Just(DOCKER)]
}

/// Values at the edges of what any field can be.
fn odd_value() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] =
        &["", "/", "..", "a\u{0}b", "r", "rw", "user", "\n", "=", "é,\"\\", "/proc/..", "1.0.0"];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[], {}, null, "", 0])),
        Just(json!({"type": null, "path": "/", "size": 1, "options": ["r", "ro,rw"]})),
    ]
}

/// Every place of the document, in order.
fn places(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, child)| places(child, format!("{at}/{index}"), found));
        }
        Value::Object(map) => {
            map.iter().for_each(|(key, child)| places(child, format!("{at}/{key}"), found));
        }
        _ => {}
    }
    found.push(at);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn on_any_bytes(bytes in vec(any::<u8>(), 0..256)) {
        answers(&bytes)?;
    }

    #[test]
    fn on_text_made_of_json_tokens(tokens in vec(prop::sample::select(&[
        "{", "}", "[", "]", ":", ",", "null", "true", "-1", "1e9", "\"linux\"", "\"LINUX\"", "\"mounts\"", "\"options\"",
        "\"type\"", "\"process\"", "\"args\"", "\"root\"", "\"\\u0000\"", "\"\\ud800\"", "\"sysctl\"", " ",
    ][..]), 0..40)) {
        answers(tokens.concat().as_bytes())?;
    }

    #[test]
    fn on_bytes_changed(text in fixture(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = text.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        answers(&bytes)?;
    }

    #[test]
    fn on_text_cut_or_repeated(text in fixture(), from in any::<prop::sample::Index>(), len in 0_usize..200, twice: bool) {
        let from = from.index(text.len());
        let to = (from + len).min(text.len());
        let mut bytes = text[..from].to_vec();
        if twice {
            bytes.extend_from_slice(&text[from..to]);
            bytes.extend_from_slice(&text[from..to]);
        }
        bytes.extend_from_slice(&text[to..]);
        answers(&bytes)?;
    }

    #[test]
    fn on_values_replaced(
        text in fixture(),
        changes in vec((any::<prop::sample::Index>(), odd_value()), 1..5),
    ) {
        let mut document: Value = serde_json::from_slice(text).unwrap();
        for (at, value) in changes {
            let mut found = Vec::new();
            places(&document, String::new(), &mut found);
            let place = &found[at.index(found.len())];
            if let Some(target) = document.pointer_mut(place) {
                *target = value;
            }
        }
        answers(document.to_string().as_bytes())?;
    }

    #[test]
    fn on_mount_options(options in vec(".{0,12}", 0..6), fstype in "(bind|tmpfs|cgroup|proc|.{0,4})", destination in ".{0,12}") {
        let mount = json!({"destination": destination, "type": fstype, "source": "/s", "options": options});
        answers(&super::with("/mounts", json!([mount])))?;
    }

    #[test]
    fn on_sysctl_names(key in "(net|kernel|user|fs)?[./]{0,2}[a-z./]{0,12}", value in ".{0,4}") {
        let bytes = super::isolated("/linux/sysctl", json!({key: value}));
        answers(&bytes)?;
        if let Ok(config) = read(&bytes) {
            for sysctl in config.sysctl {
                prop_assert!(sysctl.path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{}", sysctl.path);
            }
        }
    }
}
