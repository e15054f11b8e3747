//! The features document has every field that the runtime-spec names, each of its type, and no other.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn features() -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_runc-shim")).arg("features").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The types of the fields by their JSON pointers, as fixtures/schema lists them.
fn fields() -> BTreeMap<String, String> {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/schema/features-fields.txt");
    let text = std::fs::read_to_string(list).unwrap();
    let field = |line: &str| line.split_once(' ').map(|(name, kind)| (name.into(), kind.trim().into()));
    text.lines().map(|line| field(line).unwrap()).collect()
}

fn kind(value: &Value) -> &'static str {
    let texts = |mut values: Box<dyn Iterator<Item = &Value> + '_>| values.all(Value::is_string);
    match value {
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Array(list) if texts(Box::new(list.iter())) => "[string]",
        Value::Object(map) if texts(Box::new(map.values())) => "{string}",
        _ => "something else",
    }
}

fn collect(value: &Value, place: &str, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) if kind(value) == "something else" => {
            map.iter().for_each(|(key, child)| collect(child, &format!("{place}/{key}"), found));
        }
        value => drop(found.insert(place.to_owned(), kind(value).to_owned())),
    }
}

#[test]
fn has_every_field_and_no_other() {
    let mut found = BTreeMap::new();
    collect(&features(), "", &mut found);
    assert_eq!(found, fields());
}

#[test]
fn no_list_names_anything_twice() {
    let mut lists = 0;
    let features = features();
    for pointer in fields().iter().filter(|(_, kind)| *kind == "[string]").map(|(pointer, _)| pointer) {
        let list = features.pointer(pointer).unwrap().as_array().unwrap();
        let mut words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), list.len(), "{pointer}");
        lists += 1;
    }
    assert!(lists > 10, "{lists}");
}

#[test]
fn has_the_capabilities_of_the_running_kernel() {
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
    let last: usize = last.trim().parse().unwrap();
    let features = features();
    let capabilities = features["linux"]["capabilities"].as_array().unwrap();
    assert_eq!(capabilities.len(), (last + 1).min(41));
    assert_eq!(capabilities[0], "CAP_CHOWN");
}
