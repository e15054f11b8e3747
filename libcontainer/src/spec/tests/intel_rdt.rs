use serde_json::{Value, json};

use super::{accepted, refused, with};
use crate::spec::IntelRdt;

#[track_caller]
fn read(value: Value) -> IntelRdt {
    accepted(&with("/linux/intelRdt", value)).intel_rdt.unwrap()
}

#[track_caller]
fn bad(value: Value, key: &str) {
    refused(&with("/linux/intelRdt", value), &format!("/linux/intelRdt/{key}"));
}

#[test]
fn an_empty_block_asks_for_a_class_and_none_for_nothing() {
    assert_eq!(read(json!({})), IntelRdt::default());
    assert_eq!(accepted(&with("/linux/intelRdt", json!(null))).intel_rdt, None);
}

#[test]
fn the_lines_of_all_three_are_combined_in_order() {
    let rdt = read(json!({
        "closID": "gold", "enableMonitoring": true,
        "l3CacheSchema": "L3:0=7f0;1=1f", "memBwSchema": "MB:0=20;1=70", "schemata": ["L2:0=f", "L3:0=ff"],
    }));
    assert_eq!(rdt.schemata, ["L3:0=7f0;1=1f", "MB:0=20;1=70", "L2:0=f", "L3:0=ff"]);
    assert_eq!((rdt.class.as_deref(), rdt.enable_monitoring), (Some("gold"), true));
}

#[test]
fn a_line_for_memory_among_the_caches_gives_way() {
    let cache = "L3:0=7f0\nMB:0=10\n";
    assert_eq!(read(json!({"l3CacheSchema": cache})).schemata, ["L3:0=7f0", "MB:0=10"]);
    let both = json!({"l3CacheSchema": cache, "memBwSchema": "MB:0=20"});
    assert_eq!(read(both).schemata, ["L3:0=7f0", "MB:0=20"]);
}

#[test]
fn names_of_classes() {
    assert_eq!(read(json!({"closID": "/"})).class.as_deref(), Some("/"));
    assert_eq!(read(json!({"closID": ""})).class, None);
    let long = "x".repeat(256);
    for name in [".", "..", "a/b", "/a", "info", "mon_groups", "mon_data", "a\nb", "a\0", &long] {
        bad(json!({"closID": name}), "closID");
    }
}

#[test]
fn lines_that_are_none() {
    bad(json!({"memBwSchema": "0=20"}), "memBwSchema");
    bad(json!({"memBwSchema": "MB:0=20\nL3:0=1"}), "memBwSchema");
    bad(json!({"l3CacheSchema": "L3:0=\0"}), "l3CacheSchema");
    bad(json!({"schemata": ["L3:0=1", "L2:0=1\n"]}), "schemata/1");
}
