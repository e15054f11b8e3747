//! The examples in `fixtures/schema`, and how configurations are put together from them.

use std::collections::BTreeMap;
use std::fs;

use libcontainer::facts::Facts;
use serde_json::{Map, Value};

use crate::folder;

/// The two generations of cgroups, which differ in what they can do.
pub(crate) const HOSTS: [&str; 2] = ["v1", "v2"];

/// All files of the two folders.
pub(crate) struct Examples {
    pub(crate) base: Value,
    pub(crate) fragments: BTreeMap<String, Value>,
    pub(crate) hosts: [Facts; 2],
}

impl Examples {
    pub(crate) fn read() -> Self {
        let mut fragments = BTreeMap::new();
        for entry in fs::read_dir(folder().join("examples")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            fragments.insert(name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap());
        }
        let base = fragments.remove("base").unwrap();
        let host = |name: &str| fs::read(folder().join("hosts").join(name).with_extension("json")).unwrap();
        let hosts = HOSTS.map(|name| serde_json::from_slice(&host(name)).unwrap());
        Self { base, fragments, hosts }
    }

    /// Every file by its name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fragments.iter().map(|(name, value)| (name.as_str(), value)).chain([("base", &self.base)])
    }
}

/// Objects key by key, everything else replaced.
pub(crate) fn merge(base: &mut Value, fragment: &Value) {
    match (base, fragment) {
        (Value::Object(base), Value::Object(fragment)) => {
            for (key, value) in fragment {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, fragment) => *base = fragment.clone(),
    }
}

/// The document without the value at `place`.
pub(crate) fn without(document: &Value, place: &str) -> Value {
    let mut document = document.clone();
    let (parent, key) = place.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.remove(key).unwrap();
    document
}

/// Only the value at `place`, but items of lists whole.
pub(crate) fn alone(document: &Value, place: &str) -> Value {
    let mut keys = place.split('/').skip(1);
    match (document, keys.next()) {
        (Value::Object(map), Some(key)) => {
            let rest: String = keys.flat_map(|key| ["/", key]).collect();
            Value::Object(Map::from_iter([(key.to_owned(), alone(&map[key], &rest))]))
        }
        (value, _) => value.clone(),
    }
}
