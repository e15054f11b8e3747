use serde_json::{Value, json};

use super::{accepted, isolated, refused, with};

#[track_caller]
fn bad(devices: Value, pointer: &str) -> String {
    refused(&isolated("/linux/netDevices", devices), pointer)
}

#[test]
fn a_device_keeps_its_name_or_gets_another() {
    let devices =
        json!({"eth0": {}, "eth1": {"name": "net1"}, "eth2": {"name": "net%d"}, "eth3": {"name": ""}});
    let devices = accepted(&isolated("/linux/netDevices", devices)).net_devices;
    let names: Vec<(&str, Option<&str>)> =
        devices.iter().map(|device| (device.host.as_str(), device.name.as_deref())).collect();
    assert_eq!(names, [("eth0", None), ("eth1", Some("net1")), ("eth2", Some("net%d")), ("eth3", None)]);
}

#[test]
fn null_is_a_device_without_wishes() {
    let devices = accepted(&isolated("/linux/netDevices", json!({"eth0": null}))).net_devices;
    assert_eq!((devices.len(), devices[0].name.as_deref()), (1, None));
}

#[test]
fn names_that_the_kernel_refuses() {
    for name in ["..", ".", "a/b", "a b", "a\u{a0}b", "a:b", "a\0", "sixteen-letters-"] {
        let token = name.replace('/', "~1");
        bad(json!({name: {}}), &format!("/linux/netDevices/{token}"));
        bad(json!({"eth0": {"name": name}}), "/linux/netDevices/eth0/name");
    }
    assert!(bad(json!({"": {}}), "/linux/netDevices/").contains("empty"));
    accepted(&isolated("/linux/netDevices", json!({"fifteen-letters": {"name": "fifteen_letters"}})));
}

#[test]
fn templates_have_one_number() {
    for name in ["%", "a%s", "%d%d", "a%d%", "100%"] {
        assert!(bad(json!({"eth0": {"name": name}}), "/linux/netDevices/eth0/name").contains("%d"), "{name}");
    }
    accepted(&isolated("/linux/netDevices", json!({"a": {"name": "net%d"}, "b": {"name": "net%d"}})));
}

#[test]
fn two_devices_of_one_name() {
    let twice = [json!({"a": {"name": "net0"}, "b": {"name": "net0"}}), json!({"a": {"name": "b"}, "b": {}})];
    for devices in twice {
        let text = bad(devices, "/linux/netDevices/b");
        assert!(text.contains("both a and b"), "{text}");
    }
    // They change places.
    accepted(&isolated("/linux/netDevices", json!({"a": {"name": "b"}, "b": {"name": "a"}})));
}

#[test]
fn the_namespace_must_not_be_the_hosts() {
    let text = refused(&with("/linux/netDevices", json!({"eth0": {}})), "/linux/netDevices");
    assert!(text.contains("{\"type\": \"network\"}"), "{text}");
    accepted(&with("/linux/netDevices", json!({})));
    let joined =
        json!({"namespaces": [{"type": "network", "path": "/run/netns/a"}], "netDevices": {"eth0": {}}});
    assert_eq!(accepted(&with("/linux", joined)).net_devices.len(), 1);
}
