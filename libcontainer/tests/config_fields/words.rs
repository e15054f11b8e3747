//! What `spec::known` and `seccomp` list for `features` is what a configuration may contain, no more and no less.

use std::collections::BTreeMap;
use std::path::Path;

use libcontainer::facts::Facts;
use libcontainer::planner::{self, Options, Request};
use libcontainer::spec::{Config, MountKind, known};
use libcontainer::{Error, ErrorKind, Plan, Result, seccomp, spec};
use oci_spec::runtime::Arch;
use serde_json::{Value, json};

use crate::examples::{Examples, merge};
use crate::folder;

/// The words of the runtime-spec.
fn words(of: &str) -> Vec<String> {
    let text = std::fs::read(folder().join("words.json")).unwrap();
    let mut words: BTreeMap<String, Vec<String>> = serde_json::from_slice(&text).unwrap();
    words.remove(of).unwrap_or_else(|| panic!("no words of {of}"))
}

fn parse(fragment: &Value) -> Result<Config> {
    let mut config = Examples::read().base;
    merge(&mut config, fragment);
    spec::parse(config.to_string().as_bytes(), Path::new("/bundle"))
}

fn plan(fragment: &Value) -> Result<Plan> {
    let config = parse(fragment)?;
    let facts: &Facts = &Examples::read().hosts[1];
    planner::plan(&Request { id: "test", config: &config, options: &Options::default(), facts })
}

/// Each word of the specification is on the list exactly if `accepted` says so, and the list has no other.
fn same<T: AsRef<str>>(of: &str, list: &[T], accepted: impl Fn(&str) -> bool) {
    let words = words(of);
    let wrong: Vec<&String> = words
        .iter()
        .filter(|word| list.iter().any(|known| known.as_ref() == word.as_str()) != accepted(word))
        .collect();
    assert!(wrong.is_empty(), "{of} that are listed and not accepted, or the other way round: {wrong:?}");
    let unknown: Vec<&str> =
        list.iter().map(AsRef::as_ref).filter(|known| words.iter().all(|word| word != known)).collect();
    assert!(unknown.is_empty(), "{of} that the specification does not have: {unknown:?}");
}

/// A word that is known may still be wrong together with the rest of the example.
fn is_known<T>(result: &Result<T>) -> bool {
    !matches!(result.as_ref().map_err(Error::kind), Err(ErrorKind::Unsupported { .. }))
}

#[test]
fn namespaces() {
    same("namespaces", &known::namespaces(), |word| {
        let ids = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
        let maps = if word == "user" { json!({"uidMappings": ids, "gidMappings": ids}) } else { json!({}) };
        let mut config = json!({"linux": {"namespaces": [{"type": word}]}});
        merge(&mut config["linux"], &maps);
        parse(&config).is_ok()
    });
    assert!(parse(&json!({"linux": {"namespaces": [{"type": "net"}]}})).is_err());
}

#[test]
fn hooks() {
    same("hooks", known::HOOKS, |word| is_known(&parse(&json!({"hooks": {word: [{"path": "/bin/true"}]}}))));
}

#[test]
fn mount_options() {
    same("mount options", &known::mount_options(), |word| {
        let mount = json!({"destination": "/tmp", "type": "tmpfs", "options": [word]});
        let config = parse(&json!({"mounts": [mount]}));
        // A file system must never see a word of the specification.
        assert!(!config.as_ref().is_ok_and(|config| is_unknown_data(config, word)), "{word}");
        is_known(&config)
    });
    let mount = json!({"destination": "/tmp", "type": "tmpfs", "options": ["unknown"]});
    assert!(is_unknown_data(&parse(&json!({"mounts": [mount]})).unwrap(), "unknown"));
}

/// Flags of the superblock are handed on like data, but each has an opposite that takes it back.
fn is_unknown_data(config: &Config, option: &str) -> bool {
    const FLAGS: [&str; 5] = ["dirsync", "iversion", "lazytime", "mand", "sync"];
    let MountKind::Filesystem { data, .. } = &config.mounts[0].kind else { return false };
    data.iter().any(|(key, _)| key == option && !FLAGS.contains(&option))
}

#[test]
fn capabilities() {
    let bounding = |name: &str| {
        let config = parse(&json!({"process": {"capabilities": {"bounding": [name]}}})).unwrap();
        (config.process.unwrap().capabilities.bounding, config.warnings.len())
    };
    for (number, name) in known::capabilities().iter().enumerate() {
        assert_eq!(bounding(name), (1 << number, 0), "{name}");
    }
    assert_eq!(known::capabilities().len(), 41);
    assert_eq!(bounding("CAP_UNKNOWN"), (0, 1));
}

fn seccomp(profile: Value) -> Result<Plan> {
    let mut whole = json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []});
    merge(&mut whole, &profile);
    plan(&json!({"linux": {"seccomp": whole}}))
}

#[test]
fn seccomp_actions() {
    same("seccomp actions", seccomp::ACTIONS, |word| {
        let rule = json!({"names": ["mknod"], "action": word});
        seccomp(json!({"syscalls": [rule], "listenerPath": "/run/agent.sock"})).is_ok()
    });
}

#[test]
fn seccomp_operators() {
    same("seccomp operators", seccomp::OPERATORS, |word| {
        let condition = json!({"index": 0, "value": 1, "valueTwo": 1, "op": word});
        let rule = json!({"names": ["mknod"], "action": "SCMP_ACT_ERRNO", "args": [condition]});
        seccomp(json!({"syscalls": [rule]})).is_ok()
    });
}

/// A profile may name any, since those that this machine cannot run do not matter to it.
#[test]
fn seccomp_architectures() {
    same("seccomp archs", seccomp::ARCHITECTURES, |word| {
        let arch: Option<Arch> = serde_json::from_value(json!(word)).ok();
        let is_read = seccomp(json!({"architectures": [word]})).is_ok();
        is_read && arch.is_some_and(|arch| seccomp::syscall_number(arch, "read").is_some())
    });
}

#[test]
fn seccomp_flags() {
    same("seccomp flags", seccomp::KNOWN_FLAGS, |word| seccomp(json!({"flags": [word]})).is_ok());
    same("seccomp flags", seccomp::SUPPORTED_FLAGS, |word| {
        let notify = json!([{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}]);
        let profile = json!({"flags": [word], "syscalls": notify, "listenerPath": "/run/agent.sock"});
        seccomp(profile).is_ok_and(|plan| plan.warnings().is_empty())
    });
}

#[test]
fn memory_policy() {
    let policy = |policy: Value| is_known(&plan(&json!({"linux": {"memoryPolicy": policy}})));
    same("memory policy modes", known::MEMORY_POLICY_MODES, |word| {
        policy(json!({"mode": word, "nodes": "0"}))
    });
    same("memory policy flags", known::MEMORY_POLICY_FLAGS, |word| {
        policy(json!({"mode": "MPOL_BIND", "nodes": "0", "flags": [word]}))
    });
}

#[test]
fn blocks_that_are_on_or_off() {
    let linux = |key: &str, value: Value| is_known(&parse(&json!({"linux": {key: value}})));
    assert_eq!(known::NET_DEVICES, linux("netDevices", json!({"eth0": {}})));
    let known::IntelRdt { enabled, schemata, monitoring } = known::INTEL_RDT;
    assert_eq!(enabled, linux("intelRdt", json!({"closID": "x"})));
    assert_eq!(schemata, linux("intelRdt", json!({"schemata": ["L2:0=f"]})));
    assert_eq!(monitoring, linux("intelRdt", json!({"enableMonitoring": true})));
    let ids = json!([{"containerID": 0, "hostID": 1000, "size": 1}]);
    let mount = json!({"destination": "/data", "type": "bind", "source": "/srv", "uidMappings": ids, "gidMappings": ids});
    assert_eq!(known::IDMAPPED_MOUNTS, is_known(&parse(&json!({"mounts": [mount]}))));
}
