//! One file a group of rules; each rule is shown from both sides.

mod fixtures;
mod idmaps;
mod intel_rdt;
mod json;
mod linux;
mod load;
mod mounts;
mod net_devices;
mod never_panics;
mod process;
mod scheduling;
mod sysctl;
mod top;
mod unsupported;

use std::path::Path;

use serde_json::{Value, json};

use super::{Config, parse};
use crate::{Error, ErrorKind};

pub(super) const RUNC_SPEC: &[u8] = include_bytes!("../../../../fixtures/configs/runc-spec.json");
pub(super) const DOCKER: &[u8] = include_bytes!("../../../../fixtures/configs/docker.json");
pub(super) const CONTAINERD: &[u8] = include_bytes!("../../../../fixtures/configs/containerd.json");

/// The least that is a configuration, with one value replaced or added.
pub(super) fn with(pointer: &str, value: Value) -> Vec<u8> {
    let base = json!({
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs"},
        "process": {"user": {}, "args": ["sh"], "cwd": "/"},
        "linux": {"namespaces": [{"type": "mount"}]},
    });
    changed(base, pointer, value)
}

/// The same with a namespace of each type.
pub(super) fn isolated(pointer: &str, value: Value) -> Vec<u8> {
    let types = ["mount", "pid", "network", "ipc", "uts", "cgroup", "time"];
    let list: Vec<Value> = types.iter().map(|kind| json!({"type": kind})).collect();
    let base = json!({
        "ociVersion": "1.2.0",
        "root": {"path": "rootfs"},
        "linux": {"namespaces": list},
    });
    changed(base, pointer, value)
}

fn changed(mut base: Value, pointer: &str, value: Value) -> Vec<u8> {
    let mut place = &mut base;
    for key in pointer.split('/').skip(1) {
        if place.is_null() {
            *place = json!({});
        }
        place = place.as_object_mut().unwrap().entry(key).or_insert(Value::Null);
    }
    *place = value;
    base.to_string().into_bytes()
}

pub(super) fn read(bytes: &[u8]) -> Result<Config, Error> {
    parse(bytes, Path::new("/bundle"))
}

#[track_caller]
pub(super) fn accepted(bytes: &[u8]) -> Config {
    read(bytes).unwrap_or_else(|error| panic!("{error:?}"))
}

/// The message of an invalid configuration, after it was checked to say where.
#[track_caller]
pub(super) fn refused(bytes: &[u8], pointer: &str) -> String {
    let error = read(bytes).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::InvalidSpec { pointer: pointer.to_owned() }, "{error}");
    complete(&error, pointer)
}

#[track_caller]
pub(super) fn unsupported(bytes: &[u8], pointer: &str) -> String {
    let error = read(bytes).unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unsupported { pointer: pointer.to_owned() }, "{error}");
    complete(&error, pointer)
}

#[track_caller]
fn complete(error: &Error, pointer: &str) -> String {
    let text = error.to_string();
    let shown = pointer.replace('\0', r"\u{0}");
    assert!(text.starts_with(&format!("/bundle/config.json: {shown}")), "{text}");
    assert!(!text.contains(char::is_control), "{text}");
    text
}
