//! What the probe said.

use std::collections::BTreeSet;
use std::ops::Deref;

use serde_json::Value;

/// The document of `probe report`.
pub struct Report(Value);

impl Deref for Report {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Report {
    /// Parses the probe's line.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"));
        assert!(value.is_object(), "not a report: {text}");
        Self(value)
    }

    /// The identity of the container's `kind` namespace (a name of /proc/self/ns).
    #[track_caller]
    #[must_use]
    pub fn namespace(&self, kind: &str) -> &str {
        self["namespaces"][kind].as_str().unwrap_or_else(|| panic!("no {kind} in {}", self["namespaces"]))
    }

    /// The topmost mount at `destination`.
    #[must_use]
    pub fn mount(&self, destination: &str) -> Option<&Value> {
        self["mounts"].as_array()?.iter().rfind(|mount| mount["destination"] == destination)
    }

    /// Options of the topmost mount at `destination`, those of the mount and those of its file system.
    #[track_caller]
    #[must_use]
    pub fn mount_options(&self, destination: &str) -> BTreeSet<&str> {
        let mount = self
            .mount(destination)
            .unwrap_or_else(|| panic!("no mount at {destination}: {}", self["mounts"]));
        strings(&mount["options"]).into_iter().chain(strings(&mount["superblock"])).collect()
    }

    /// Options of the topmost mount at `destination` that are its own, not its file system's.
    #[track_caller]
    #[must_use]
    pub fn own_mount_options(&self, destination: &str) -> BTreeSet<&str> {
        let mount = self
            .mount(destination)
            .unwrap_or_else(|| panic!("no mount at {destination}: {}", self["mounts"]));
        strings(&mount["options"])
    }

    /// Names in one of the five capability sets.
    #[must_use]
    pub fn capabilities(&self, set: &str) -> BTreeSet<&str> {
        strings(&self["security"]["capabilities"][set])
    }

    /// Values of environment variable `name`, in order.
    #[must_use]
    pub fn env(&self, name: &str) -> Vec<&str> {
        let pairs = self["env"].as_array().expect("env");
        pairs.iter().filter(|pair| pair[0] == name).filter_map(|pair| pair[1].as_str()).collect()
    }

    /// Numbers of the open file descriptors.
    #[must_use]
    pub fn descriptors(&self) -> BTreeSet<&str> {
        self["fds"].as_object().expect("fds").keys().map(String::as_str).collect()
    }
}

fn strings(list: &Value) -> BTreeSet<&str> {
    list.as_array().map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// The errnos of `probe try`, one an operation.
#[track_caller]
#[must_use]
pub fn errnos(text: &str) -> Vec<i32> {
    let results: Vec<Value> =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"));
    results
        .iter()
        .map(|result| i32::try_from(result["errno"].as_i64().expect("errno")).expect("small"))
        .collect()
}
