//! Any bytes as a config.json, and what is a valid one planned on hosts of each kind.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libcontainer::facts::{Facts, PathFact};
use libcontainer::planner::{self, Options, Request};
use libcontainer::{ErrorKind, spec};
use libfuzzer_sys::fuzz_target;

/// Hosts with cgroup v1, v2, and both.
static HOSTS: LazyLock<[Facts; 3]> = LazyLock::new(|| {
    [
        include_str!("../../../fixtures/schema/hosts/v1.json"),
        include_str!("../../../fixtures/schema/hosts/v2.json"),
        include_str!("../../../fixtures/plans/hybrid/facts.json"),
    ]
    .map(|text| serde_json::from_str(text).expect("the fixtures are facts"))
});

fuzz_target!(|bytes: &[u8]| {
    let config = match spec::parse(bytes, Path::new("/bundle")) {
        Ok(config) => config,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.contains(char::is_control), "not one line: {text:?}");
            return;
        }
    };
    let terminal = config.process.as_ref().is_some_and(|process| process.terminal);
    let options = Options {
        state: "/run/runc-shim/fuzz".into(),
        console_socket: terminal.then(|| "/run/console.sock".into()),
        ..Options::default()
    };
    for host in HOSTS.iter() {
        let mut facts = host.clone();
        facts.sources = config.mounts.iter().map(|mount| (mount.index, PathFact::Folder)).collect();
        let request = Request { id: "fuzz", config: &config, options: &options, facts: &facts };
        match planner::plan(&request) {
            Ok(plan) => {
                assert_eq!(planner::verify(&plan), []);
                assert!(!plan.to_string().is_empty());
                assert!(plan.to_json().is_object());
            }
            Err(error) => assert!(*error.kind() != ErrorKind::Internal, "{error}"),
        }
    }
});
