use serde_json::{Value, json};

use super::{accepted, refused};
use crate::spec::IdMap;

fn line(container: u32, host: u32, size: u32) -> Value {
    json!({"containerID": container, "hostID": host, "size": size})
}

fn document(user: Option<&str>, uids: &Value, gids: &Value) -> Vec<u8> {
    let namespaces = user.map_or(json!([]), |path| json!([{"type": "user", "path": path}]));
    let linux = json!({"namespaces": namespaces, "uidMappings": uids, "gidMappings": gids});
    json!({"ociVersion": "1.2.0", "root": {"path": "r"}, "linux": linux}).to_string().into_bytes()
}

const NEW: Option<&str> = Some("");

#[test]
fn maps_go_with_a_user_namespace() {
    let map = json!([line(0, 100_000, 65_536), line(65_536, 7, 1)]);
    let config = accepted(&document(NEW, &map, &json!([line(0, 5, 1)])));
    let expected =
        [IdMap { container: 0, host: 100_000, size: 65_536 }, IdMap { container: 65_536, host: 7, size: 1 }];
    assert_eq!(config.uid_maps, expected);
    assert_eq!(config.gid_maps, [IdMap { container: 0, host: 5, size: 1 }]);
    refused(&document(None, &map, &json!([])), "/linux/uidMappings");
    refused(&document(None, &json!([]), &map), "/linux/gidMappings");
    refused(&document(NEW, &json!([]), &map), "/linux/uidMappings");
    refused(&document(NEW, &map, &json!([])), "/linux/gidMappings");
}

#[test]
fn a_joined_user_namespace_may_come_with_its_maps() {
    let map = json!([line(0, 0, 1)]);
    assert_eq!(accepted(&document(Some("/proc/1/ns/user"), &map, &map)).uid_maps.len(), 1);
    assert!(accepted(&document(Some("/proc/1/ns/user"), &json!([]), &json!([]))).uid_maps.is_empty());
}

#[test]
fn ranges_are_not_empty_and_end_before_the_last_id() {
    let good = json!([line(0, 0, 1)]);
    refused(&document(NEW, &json!([line(0, 0, 0)]), &good), "/linux/uidMappings/0/size");
    refused(&document(NEW, &good, &json!([line(1, 0, u32::MAX)])), "/linux/gidMappings/0/containerID");
    refused(&document(NEW, &json!([line(0, 1, u32::MAX)]), &good), "/linux/uidMappings/0/hostID");
    accepted(&document(NEW, &json!([line(0, 0, u32::MAX)]), &good));
    refused(&document(NEW, &json!([{"size": -1}]), &good), "/linux/uidMappings/0/size");
}

#[test]
fn ranges_do_not_overlap() {
    let good = json!([line(0, 0, 1)]);
    let inside = json!([line(10, 0, 10), line(0, 100, 11)]);
    assert!(
        refused(&document(NEW, &inside, &good), "/linux/uidMappings/0/containerID").contains("uidMappings/1")
    );
    let outside = json!([line(0, 0, 10), line(10, 9, 1)]);
    refused(&document(NEW, &good, &outside), "/linux/gidMappings/1/hostID");
    accepted(&document(NEW, &json!([line(10, 0, 10), line(0, 10, 10)]), &good));
}

#[test]
fn a_map_has_a_maximum_of_lines() {
    let good = json!([line(0, 0, 1)]);
    let lines = |count| (0..count).map(|id| line(id, id, 1)).collect::<Value>();
    assert_eq!(accepted(&document(NEW, &lines(340), &good)).uid_maps.len(), 340);
    refused(&document(NEW, &lines(341), &good), "/linux/uidMappings");
}
