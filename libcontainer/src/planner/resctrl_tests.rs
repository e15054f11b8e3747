use serde_json::{Value, json};

use super::super::{Options, Plan, Request, plan, verify};
use crate::facts::Facts;
use crate::{ErrorKind, Result, spec};

fn planned(rdt: Value, host: Value) -> Result<Plan> {
    let config = json!({
        "ociVersion": "1.3.0", "root": {"path": "rootfs"}, "process": {"args": ["sh"], "cwd": "/", "user": {}},
        "linux": {"namespaces": [{"type": "mount"}], "intelRdt": rdt},
    });
    let config = spec::parse(config.to_string().as_bytes(), "/bundle".as_ref()).unwrap();
    let facts = json!({
        "cgroup": {"v2": {"mount": "/sys/fs/cgroup"}}, "capabilities": 0, "lastCapability": 40, "root": "folder",
        "resctrl": host,
    });
    let facts: Facts = serde_json::from_value(facts).unwrap();
    let options = Options::default();
    let plan = plan(&Request { id: "web", config: &config, options: &options, facts: &facts })?;
    assert_eq!(verify(&plan), []);
    Ok(plan)
}

/// The plan's lines about groups, and where each is: before (`<`) or after (`>`) the clone.
#[track_caller]
fn lines(rdt: Value, host: Value) -> Vec<String> {
    let text = planned(rdt, host).unwrap().to_string();
    let clone = text.find("clone init").unwrap();
    let words = |line: &str| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ");
    let groups = text.match_indices('\n').map(|(end, _)| end).scan(0, |start, end| {
        let line = text.get(*start..end).map(|line| (*start < clone, words(line)));
        *start = end + 1;
        line
    });
    let groups = groups.filter(|(_, line)| line.contains("resource group"));
    groups.map(|(before, line)| format!("{} {line}", if before { '<' } else { '>' })).collect()
}

#[track_caller]
fn refused(rdt: Value, host: Value, pointer: &str) -> (ErrorKind, String) {
    let error = planned(rdt, host).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{pointer}: ")), "{error}");
    (error.kind().clone(), error.to_string())
}

fn host(class: Option<&str>) -> Value {
    json!({"root": "/resctrl", "class": class, "monitoring": true})
}

#[test]
fn without_the_block_nothing_is_done() {
    assert_eq!(lines(json!(null), host(None)), Vec::<String>::new());
}

#[test]
fn without_a_name_the_class_is_the_containers() {
    let made = lines(json!({"memBwSchema": "MB:0=20"}), host(None));
    let expected = [
        "< create resource group /resctrl/web with MB:0=20 undo: remove",
        "> move the process into resource group /resctrl/web",
    ];
    assert_eq!(made, expected);
    let membership = planned(json!({}), host(None)).unwrap().resctrl();
    assert_eq!((membership.groups.clone(), membership.own), (vec!["/resctrl/web".into()], membership.groups));
}

#[test]
fn a_class_with_a_name_stays_when_the_container_goes() {
    let rdt = json!({"closID": "gold", "schemata": ["L3:0=f"]});
    let membership = planned(rdt.clone(), host(None)).unwrap().resctrl();
    assert_eq!((membership.groups.len(), membership.own.len()), (1, 0));
    assert_eq!(lines(rdt, host(None)).len(), 2);
}

#[test]
fn a_class_that_exists_is_joined_if_it_is_as_asked_for() {
    let expected = ["> move the process into resource group /resctrl/gold"];
    assert_eq!(lines(json!({"closID": "gold"}), host(Some("L3:0=000ff\n"))), expected);
    let same = json!({"closID": "gold", "l3CacheSchema": "L3:0=ff"});
    assert_eq!(lines(same, host(Some("L3:0=000ff\n"))), expected);
    let other = json!({"closID": "gold", "l3CacheSchema": "L3:0=f"});
    let (kind, text) = refused(other, host(Some("L3:0=000ff\n")), "/linux/intelRdt/closID");
    assert!(matches!(kind, ErrorKind::InvalidSpec { .. }), "{kind:?}");
    assert!(text.contains("does not have L3:0=f"), "{text}");
}

#[test]
fn the_default_class_is_the_root() {
    let expected = ["> move the process into resource group /resctrl"];
    assert_eq!(lines(json!({"closID": "/"}), host(Some("L3:0=fffff\n"))), expected);
}

#[test]
fn a_class_that_is_missing_needs_schemata() {
    refused(json!({"closID": "gold"}), host(None), "/linux/intelRdt/closID");
}

#[test]
fn a_monitored_container_has_a_group_inside_its_class() {
    let rdt = json!({"closID": "gold", "enableMonitoring": true});
    let expected = [
        "< create resource group /resctrl/gold/mon_groups/web undo: remove",
        "> move the process into resource group /resctrl/gold and /resctrl/gold/mon_groups/web",
    ];
    assert_eq!(lines(rdt.clone(), host(Some("L3:0=ff\n"))), expected);
    let own = planned(rdt.clone(), host(Some("L3:0=ff\n"))).unwrap().resctrl().own;
    assert_eq!(own, [std::path::PathBuf::from("/resctrl/gold/mon_groups/web")]);
    let blind = json!({"root": "/resctrl", "class": "L3:0=ff\n", "monitoring": false});
    let (kind, _) = refused(rdt, blind, "/linux/intelRdt/enableMonitoring");
    assert!(matches!(kind, ErrorKind::Unsupported { .. }), "{kind:?}");
}

#[test]
fn a_host_without_the_file_system_is_named() {
    let (kind, text) = refused(json!({}), json!(null), "/linux/intelRdt");
    assert_eq!(kind, ErrorKind::Unsupported { pointer: "/linux/intelRdt".into() });
    assert!(text.contains("mount -t resctrl"), "{text}");
}
