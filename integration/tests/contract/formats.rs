//! Documents and tables.

use std::collections::BTreeSet;
use std::fs;

use integration::differs_from;
use integration::harness::*;
use serde_json::{Value, json};

fn documents(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn the_state_tells_every_status() {
    let sandbox = Sandbox::new();
    let seen = sandbox.file("seen");
    sandbox.configure(|config| {
        config.probe(&["pause"]);
        let root = sandbox.root();
        let line = format!(
            "{} --root {} state {} > {seen}",
            runtime().path().display(),
            root.display(),
            sandbox.id()
        );
        if runtime().is_ours() {
            config.shell_hook("createRuntime", &line);
        }
    });
    let mut container = sandbox.create();
    // To runc a container that is being created does not exist.
    if runtime().is_ours() {
        assert_eq!(documents(&fs::read_to_string(&seen).unwrap())["status"], "creating");
    }
    assert_eq!(container.status(), "created");
    container.start();
    assert_eq!(container.line(), "ready");
    assert_eq!(container.status(), "running");
    sandbox.command(&["pause", "ID"]).success();
    assert_eq!(container.status(), "paused");
    sandbox.command(&["resume", "ID"]).success();
    assert_eq!(container.status(), "running");
    container.kill("KILL");
    container.wait();
    let stopped = sandbox.state();
    assert_eq!((&stopped["status"], &stopped["pid"]), (&json!("stopped"), &json!(0)));
}

#[test]
fn the_list_is_sorted_by_name_in_every_format() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["pause"]);
    });
    let bundle = sandbox.bundle();
    let ids: Vec<String> = ["c", "a", "b"].iter().map(|end| format!("{}-{end}", sandbox.id())).collect();
    let streams: Vec<Output> = ids
        .iter()
        .map(|id| sandbox.runtime(&["create", "--bundle", bundle.to_str().unwrap(), id]).output().success())
        .collect();
    let mut sorted = ids.clone();
    sorted.sort();
    let names = sandbox.command(&["list", "-q"]).success().stdout();
    assert_eq!(names.lines().collect::<Vec<_>>(), sorted);
    let table = sandbox.command(&["list"]).success().stdout();
    let rows: Vec<&str> = table.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(rows, sorted);
    let list = documents(&sandbox.command(&["list", "-f=json"]).success().stdout());
    let rows: Vec<&str> =
        list.as_array().unwrap().iter().map(|state| state["id"].as_str().unwrap()).collect();
    assert_eq!(rows, sorted);
    for state in list.as_array().unwrap() {
        let keys: BTreeSet<&str> = state.as_object().unwrap().keys().map(String::as_str).collect();
        let known =
            ["bundle", "created", "id", "ociVersion", "owner", "pid", "rootfs", "status", "annotations"];
        assert!(keys.is_subset(&BTreeSet::from(known)) && keys.len() >= 8, "{state}");
    }
    for id in &ids {
        sandbox.command(&["delete", "--force", id]).success();
    }
    drop(streams);
}

#[test]
fn an_empty_list_is_an_empty_array() {
    differs_from!("runc", "it prints null, which Go's clients read the same way and jq does not");
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.root()).unwrap();
    assert_eq!(sandbox.command(&["list", "--format", "json"]).success().stdout(), "[]\n");
}

#[test]
fn only_the_default_root_may_be_missing() {
    differs_from!("runc", "to 1.3 both are errors");
    // Nothing is in this /run, where the default root would be.
    let empty = "mount -t tmpfs tmpfs /run && unset XDG_RUNTIME_DIR && exec \"$@\"";
    let list = |more: &[&str]| {
        let words = ["unshare", "--mount", "sh", "-c", empty, "sh", runtime().path().to_str().unwrap()];
        Invocation::new(&[&words[..], more].concat()).output()
    };
    let table = list(&["list"]).success().stdout();
    assert_eq!(table.split_whitespace().collect::<Vec<_>>(), COLUMNS);
    assert_eq!(list(&["list", "-q"]).success().stdout(), "");
    list(&["--root", "/run/missing", "list"]).fails_saying("/run/missing");
}

const COLUMNS: [&str; 6] = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];

#[test]
fn the_version_is_what_docker_and_containerd_look_for() {
    let text = Sandbox::new().runtime(&["--version"]).output().success().stdout();
    let mut lines = text.lines();
    let (name, version) = lines.next().unwrap().split_once(" version ").unwrap();
    assert_eq!(name, if runtime().is_ours() { "runc-shim" } else { "runc" });
    assert!(version.split(['.', '+', '-']).next().unwrap().parse::<u32>().is_ok(), "{version}");
    assert!(lines.clone().any(|line| line.strip_prefix("commit: ").is_some_and(|commit| !commit.is_empty())));
    assert!(lines.any(|line| line.starts_with("spec: 1.")), "{text}");
    assert_eq!(Sandbox::new().runtime(&["-v"]).output().success().stdout(), text);
}

/// The keys of `document` as paths; elements of an array are all named N.
fn paths(document: &Value, at: &str, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(members) => {
            for (key, value) in members {
                paths(value, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                paths(item, &format!("{at}/N"), found);
            }
        }
        _ => drop(found.insert(at.to_owned())),
    }
}

#[test]
fn spec_writes_nothing_that_the_schema_does_not_have() {
    let fields = include_str!("../../../fixtures/schema/config-fields.txt");
    let known: BTreeSet<&str> = fields.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for variant in [&["spec"][..], &["spec", "--rootless"]] {
        let sandbox = Sandbox::new();
        let folder = sandbox.file("new");
        fs::create_dir(&folder).unwrap();
        sandbox.runtime(&[variant, &["--bundle", &folder]].concat()).output().success();
        let mut found = BTreeSet::new();
        paths(&documents(&fs::read_to_string(format!("{folder}/config.json")).unwrap()), "", &mut found);
        assert!(found.len() > 20);
        let unknown: Vec<&String> = found.iter().filter(|path| !known.contains(path.as_str())).collect();
        assert!(unknown.is_empty(), "{variant:?}: {unknown:?}");
    }
}

#[test]
fn features_has_what_containerd_reads() {
    let features = documents(&Sandbox::new().runtime(&["features"]).output().success().stdout());
    let options = features["mountOptions"].as_array().unwrap();
    for option in ["bind", "rbind", "ro", "rro", "rw", "nosuid", "tmpcopyup", "rprivate", "idmap"] {
        let is_known = options.contains(&json!(option));
        assert!(is_known || (option == "idmap" && !runtime().is_ours()), "{option} in {options:?}");
    }
    let cgroup = &features["linux"]["cgroup"];
    for key in ["v1", "v2", "systemd"] {
        assert!(cgroup[key].is_boolean(), "{key} in {cgroup}");
    }
    assert_eq!(cgroup["v2"], true);
    assert!(features["linux"]["seccomp"]["enabled"].is_boolean());
    if runtime().is_ours() {
        assert_eq!(features["linux"]["mountExtensions"]["idmap"]["enabled"], true);
    }
    for hook in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        assert!(features["hooks"].as_array().unwrap().contains(&json!(hook)), "{hook}");
    }
}

#[test]
fn json_is_read_as_go_reads_it() {
    let sandbox = Sandbox::new();
    let mut config = Config::default();
    config.probe(&["report"]);
    let process = config["process"].take();
    config.as_object_mut().unwrap().remove("process");
    config["Process"] = process;
    let env = config["Process"]["env"].take();
    config["Process"].as_object_mut().unwrap().remove("env");
    config["Process"]["ENV"] = env;
    config["Process"]["ENV"].as_array_mut().unwrap().push(json!("MARK=here"));
    config["Process"]["rlimits"] = Value::Null;
    config["hooks"] = Value::Null;
    config["annotations"] = Value::Null;
    config["linux"]["seccomp"] = Value::Null;
    config["somethingNew"] = json!({ "of": ["a", "later", "version"] });
    config["linux"]["somethingNew"] = json!(7);
    sandbox.write(&config);
    let report = Report::parse(&sandbox.run().success().stdout());
    assert_eq!(report.env("MARK"), ["here"]);
}
