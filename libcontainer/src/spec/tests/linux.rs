use serde_json::{Value, json};

use super::{accepted, refused, with};
use crate::spec::{Device, DeviceKind, Membership, Namespace};

#[test]
fn namespaces_are_new_joined_or_the_hosts() {
    let list =
        json!([{"type": "pid"}, {"type": "network", "path": "/run/netns/a"}, {"type": "uts", "path": ""}]);
    let namespaces = accepted(&with("/linux/namespaces", list)).namespaces;
    assert_eq!(namespaces.pid, Namespace { membership: Membership::New, index: 0 });
    assert_eq!(
        namespaces.network,
        Namespace { membership: Membership::Join("/run/netns/a".into()), index: 1 }
    );
    assert_eq!(namespaces.uts, Namespace { membership: Membership::New, index: 2 });
    assert_eq!(namespaces.mount, Namespace { membership: Membership::Host, index: 0 });
}

#[test]
fn every_type_of_namespace_has_its_place() {
    let document = |kind: &str| {
        let map = json!([{"containerID": 0, "hostID": 0, "size": 1}]);
        let maps = if kind == "user" { map } else { json!([]) };
        let linux = json!({"namespaces": [{"type": kind}], "uidMappings": maps, "gidMappings": maps});
        json!({"ociVersion": "1.2.0", "root": {"path": "r"}, "linux": linux}).to_string().into_bytes()
    };
    for kind in ["user", "pid", "mount", "network", "ipc", "uts", "cgroup", "time"] {
        let namespaces = accepted(&document(kind)).namespaces;
        let places = [
            ("user", namespaces.user),
            ("pid", namespaces.pid),
            ("mount", namespaces.mount),
            ("network", namespaces.network),
            ("ipc", namespaces.ipc),
            ("uts", namespaces.uts),
            ("cgroup", namespaces.cgroup),
            ("time", namespaces.time),
        ];
        for (name, place) in places {
            assert_eq!(place.membership == Membership::New, name == kind, "{name} for {kind}");
        }
    }
}

#[test]
fn namespaces_are_given_once_of_a_known_type_by_an_absolute_path() {
    refused(
        &with("/linux/namespaces", json!([{"type": "pid"}, {"type": "pid", "path": "/x"}])),
        "/linux/namespaces/1",
    );
    refused(&with("/linux/namespaces", json!([{"type": "mnt"}])), "/linux/namespaces/0/type");
    refused(&with("/linux/namespaces", json!([{}])), "/linux/namespaces/0/type");
    refused(
        &with("/linux/namespaces", json!([{"type": "pid", "path": "proc/1"}])),
        "/linux/namespaces/0/path",
    );
    refused(
        &with("/linux/namespaces", json!([{"type": "pid", "path": "/a\u{0}"}])),
        "/linux/namespaces/0/path",
    );
}

fn device(changes: &Value) -> Vec<u8> {
    let mut device = json!({"type": "c", "path": "/dev/x", "major": 1, "minor": 3});
    for (key, value) in changes.as_object().unwrap() {
        device[key] = value.clone();
    }
    with("/linux/devices", json!([device]))
}

#[test]
fn a_device_has_defaults() {
    let devices = accepted(&device(&json!({}))).devices;
    let expected = Device {
        path: "/dev/x".into(),
        kind: DeviceKind::Char,
        major: 1,
        minor: 3,
        mode: 0o666,
        uid: 0,
        gid: 0,
    };
    assert_eq!(devices, [expected]);
}

#[test]
fn a_device_is_of_one_of_four_types() {
    let kind = |word: &str| accepted(&device(&json!({"type": word}))).devices[0].kind;
    assert_eq!((kind("c"), kind("u")), (DeviceKind::Char, DeviceKind::Char));
    assert_eq!((kind("b"), kind("p")), (DeviceKind::Block, DeviceKind::Fifo));
    for bad in ["a", "", "C"] {
        refused(&device(&json!({"type": bad})), "/linux/devices/0/type");
    }
}

#[test]
fn a_fifo_may_carry_numbers() {
    let fifo = accepted(&device(&json!({"type": "p", "major": -1, "minor": 7}))).devices;
    assert_eq!((fifo[0].major, fifo[0].minor), (0, 0));
}

#[test]
fn the_values_of_a_device_have_ranges() {
    let largest =
        json!({"major": 0xfff, "minor": 0xf_ffff, "uid": 4294967294_u32, "gid": 1, "fileMode": 0o20660});
    let device_of = |changes: &Value| accepted(&device(changes)).devices.remove(0);
    let device_node = device_of(&largest);
    assert_eq!((device_node.major, device_node.minor, device_node.mode), (0xfff, 0xf_ffff, 0o660));
    assert_eq!((device_node.uid, device_node.gid), (4_294_967_294, 1));
    assert_eq!(device_of(&json!({"fileMode": 0})).mode, 0);
    let wrong = [
        ("major", json!(0x1000)),
        ("major", json!(-1)),
        ("minor", json!(0x10_0000)),
        ("fileMode", json!(0o200_000)),
        ("uid", json!(-1)),
        ("gid", json!(4294967295_u32)),
        ("path", json!("dev/x")),
        ("path", json!("")),
        ("path", json!("/dev/\u{0}")),
    ];
    for (key, value) in wrong {
        refused(&device(&json!({key: value})), &format!("/linux/devices/0/{key}"));
    }
}

#[test]
fn masked_and_read_only_paths_are_absolute() {
    for key in ["/linux/maskedPaths", "/linux/readonlyPaths"] {
        refused(&with(key, json!(["/proc/kcore", "proc/keys"])), &format!("{key}/1"));
        refused(&with(key, json!(["/a\u{0}"])), &format!("{key}/0"));
        refused(&with(key, json!([format!("/{}", "x".repeat(4095))])), &format!("{key}/0"));
        refused(&with(key, json!(vec!["/x"; 10_001])), key);
    }
    assert_eq!(accepted(&with("/linux/maskedPaths", json!(["/a"]))).masked_paths, ["/a"]);
    assert_eq!(accepted(&with("/linux/readonlyPaths", json!(["/b"]))).readonly_paths, ["/b"]);
}
