use serde_json::{Value, json};

use super::{accepted, isolated, unsupported};

#[track_caller]
fn refused_unless_empty(pointer: &str, value: &Value) {
    let text = unsupported(&isolated(pointer, value.clone()), pointer);
    assert!(text.contains("remove"), "{text}");
    for nothing in [json!(null), json!([]), json!({}), json!("")] {
        accepted(&isolated(pointer, nothing));
    }
}

#[test]
fn other_platforms() {
    refused_unless_empty("/vm", &json!({"kernel": {"path": "/k"}}));
    refused_unless_empty("/windows", &json!({"layerFolders": ["c:"]}));
    refused_unless_empty("/solaris", &json!({"milestone": "x"}));
    refused_unless_empty("/zos", &json!({"namespaces": [1]}));
    refused_unless_empty("/freebsd", &json!({"jail": {"parent": "x"}}));
}

#[test]
fn a_value_of_any_type_counts_as_asked_for() {
    for value in [json!(true), json!(1), json!(-1), json!(1.5), json!([null]), json!({"a": null})] {
        unsupported(&isolated("/vm", value), "/vm");
    }
}
