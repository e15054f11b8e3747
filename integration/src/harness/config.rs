//! `config.json` as tests change it.

use std::ops::{Deref, DerefMut};

use serde_json::{Value, json};

/// What `runc spec` writes, without a terminal and with the probe's report as the program.
#[derive(Clone)]
pub struct Config(Value);

impl Deref for Config {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl DerefMut for Config {
    fn deref_mut(&mut self) -> &mut Value {
        &mut self.0
    }
}

impl Default for Config {
    fn default() -> Self {
        let mut config = Self::parse(include_str!("runc-spec.json"));
        config["process"]["terminal"] = json!(false);
        config.probe(&["report"]);
        config
    }
}

impl Config {
    /// A whole document.
    pub fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("a JSON document"))
    }

    /// Runs the probe with `arguments`.
    pub fn probe(&mut self, arguments: &[&str]) -> &mut Self {
        let program = std::iter::once("/probe").chain(arguments.iter().copied());
        self["process"]["args"] = program.collect();
        self
    }

    /// Adds a mount after those that are there.
    pub fn mount(&mut self, mount: Value) -> &mut Self {
        self["mounts"].as_array_mut().expect("mounts").push(mount);
        self
    }

    /// Adds a bind mount.
    pub fn bind(
        &mut self,
        source: impl AsRef<std::path::Path>,
        destination: &str,
        options: &[&str],
    ) -> &mut Self {
        let source = source.as_ref().to_str().expect("a plain path");
        self.mount(json!({"type": "bind", "source": source, "destination": destination, "options": options}))
    }

    /// Takes the mounts at `destination` away.
    pub fn without_mount(&mut self, destination: &str) -> &mut Self {
        self["mounts"].as_array_mut().expect("mounts").retain(|mount| mount["destination"] != destination);
        self
    }

    /// Asks for a new namespace of `kind`.
    pub fn namespace(&mut self, kind: &str) -> &mut Self {
        self.put_namespace(json!({ "type": kind }))
    }

    /// Joins the namespace of `kind` that `path` refers to.
    pub fn join(&mut self, kind: &str, path: &str) -> &mut Self {
        self.put_namespace(json!({ "type": kind, "path": path }))
    }

    fn put_namespace(&mut self, namespace: Value) -> &mut Self {
        let kind = namespace["type"].as_str().expect("a type").to_owned();
        self.without_namespace(&kind);
        self["linux"]["namespaces"].as_array_mut().expect("namespaces").push(namespace);
        self
    }

    /// Leaves the container in the caller's namespace of `kind`.
    pub fn without_namespace(&mut self, kind: &str) -> &mut Self {
        let namespaces = self["linux"]["namespaces"].as_array_mut().expect("namespaces");
        namespaces.retain(|namespace| namespace["type"] != kind);
        self
    }

    /// A new user namespace whose root is `host_id` outside, with `size` ids.
    pub fn user_namespace(&mut self, host_id: u32, size: u32) -> &mut Self {
        let map = json!([{ "containerID": 0, "hostID": host_id, "size": size }]);
        self["linux"]["uidMappings"] = map.clone();
        self["linux"]["gidMappings"] = map;
        self.namespace("user")
    }

    /// Adds a hook after those of its kind.
    pub fn hook(&mut self, kind: &str, hook: Value) -> &mut Self {
        let hooks = &mut self["hooks"][kind];
        if hooks.is_null() {
            *hooks = json!([]);
        }
        hooks.as_array_mut().expect("hooks").push(hook);
        self
    }

    /// Adds a hook of the host that is a line of shell.
    pub fn shell_hook(&mut self, kind: &str, line: &str) -> &mut Self {
        self.hook(kind, json!({ "path": "/bin/sh", "args": ["sh", "-c", line] }))
    }

    /// Gives the process these capabilities in `sets`.
    pub fn capabilities(&mut self, sets: &[&str], names: &[&str]) -> &mut Self {
        for set in sets {
            self["process"]["capabilities"][*set] = json!(names);
        }
        self
    }
}
