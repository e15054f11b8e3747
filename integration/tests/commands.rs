//! What the other commands say, and how they fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;

use integration::harness::*;
use integration::{differs_from, on_hosts};
use serde_json::{Value, json};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_command_refuses_an_unknown_container() {
    let sandbox = Sandbox::new();
    for words in
        [&["state", "ID"][..], &["start", "ID"], &["kill", "ID"], &["kill", "ID", "KILL"], &["delete", "ID"]]
    {
        let output = sandbox.command(words);
        assert_eq!(output.stdout(), "");
        output.fails_saying("container does not exist");
    }
    sandbox.command(&["delete", "--force", "ID"]).success();
}

#[test]
fn a_stopped_container_cannot_be_killed() {
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["exit", "0"], |_| {});
    assert_eq!(container.wait(), 0);
    sandbox.command(&["kill", "ID", "TERM"]).fails_saying("container not running");
    sandbox.command(&["kill", "ID", "0"]).fails_saying("container not running");
    sandbox.command(&["kill", "--all", "ID", "KILL"]).success();
    container.delete();
}

#[test]
fn a_running_container_cannot_be_deleted_without_force() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    let error = sandbox.command(&["delete", "ID"]).exits_with(1).stderr();
    assert!(error.contains("cannot delete container") && error.contains("running"), "{error}");
    assert_eq!(container.status(), "running");
    container.kill("KILL");
    assert_eq!(container.wait(), 137);
    container.delete();
}

#[test]
fn a_name_can_be_used_once() {
    let sandbox = Sandbox::new();
    let container = sandbox.create();
    let pid = container.pid();
    sandbox.with_bundle("create", &[]).output().fails_saying("container with given ID already exists");
    sandbox.with_bundle("run", &[]).output().fails_saying("container with given ID already exists");
    assert_eq!(
        (container.status(), container.pid()),
        ("created".to_owned(), pid),
        "the first one is untouched"
    );
    container.delete();
    sandbox.create().delete();
}

#[test]
fn signals_by_name_and_by_number() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["signals"], |_| {});
    assert_eq!(container.line(), "ready");
    for (given, number) in [("USR1", 10), ("SIGUSR2", 12), ("1", 1), ("hup", 1), ("SigInt", 2), ("28", 28)] {
        container.kill(given);
        assert_eq!(container.line(), number, "{given}");
    }
    sandbox.command(&["kill", "ID"]).success();
    assert_eq!(container.line(), 15, "TERM is the default");
    assert_eq!(container.wait(), 0);
}

#[test]
fn signals_that_do_not_exist() {
    let sandbox = Sandbox::new();
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    for wrong in ["NOSUCH", "SIGNOSUCH", "4294967297", "-1", "1000", ""] {
        if !wrong.starts_with(char::is_alphabetic) && !runtime().is_ours() {
            continue; // runc cuts numbers down to what fits.
        }
        sandbox.command(&["kill", "ID", wrong]).exits_with(1);
    }
    assert_eq!(container.status(), "running");
}

on_hosts! {
    fn kill_all_reaches_processes_that_share_the_host_pid_namespace(host: Host) {
        let sandbox = Sandbox::on(host);
        let mut container = sandbox.started(&["orphans", "3"], |config| { config.without_namespace("pid"); });
        assert_eq!(container.line(), "ready");
        sandbox.command(&["kill", "--all", "ID", "KILL"]).success();
        assert_eq!(container.wait(), 137);
        sandbox.command(&["delete", "ID"]).success();
        sandbox.assert_nothing_left();
    }
}

#[test]
fn the_state_document() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| config["annotations"] = json!({ "org.example.key": "value" }));
    let container = sandbox.create();
    let output = sandbox.command(&["state", "ID"]).success().stdout();
    assert!(output.starts_with("{\n  \"ociVersion\": "), "two blanks of indentation: {output}");
    let state = sandbox.state();
    let expected =
        ["annotations", "bundle", "created", "id", "ociVersion", "owner", "pid", "rootfs", "status"];
    assert_eq!(keys(&state), expected);
    assert_eq!(state["id"], sandbox.id());
    assert_eq!(state["status"], "created");
    assert_eq!(state["pid"], container.pid());
    assert_eq!(state["bundle"], sandbox.bundle().to_str().unwrap());
    assert_eq!(state["rootfs"], sandbox.rootfs().to_str().unwrap());
    assert_eq!(state["annotations"]["org.example.key"], "value");
    let created = state["created"].as_str().unwrap();
    assert!(created.ends_with('Z') && created.chars().nth(10) == Some('T'), "{created}");
    container.kill("KILL");
    assert_eq!(container.wait(), 137);
    let state = sandbox.state();
    assert_eq!((&state["status"], &state["pid"]), (&json!("stopped"), &json!(0)));
    assert_eq!(state["created"], created, "the time of creation stays");
}

#[test]
fn the_keys_of_the_state_have_the_order_of_runc() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| config["annotations"] = json!({ "a": "b" }));
    drop(sandbox.create());
    let text = sandbox.command(&["state", "ID"]).success().stdout();
    let expected =
        ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "annotations", "owner"];
    let places: Vec<usize> = expected.iter().map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn the_list_as_a_table_as_names_and_as_json() {
    let sandbox = Sandbox::new();
    assert!(sandbox.create().status() == "created");
    let table = sandbox.command(&["list"]).success().stdout();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    );
    let row: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!((row[0], row[2], row[3]), (sandbox.id(), "created", sandbox.bundle().to_str().unwrap()));
    assert_eq!(lines[0].find("STATUS"), lines[1].find("created"), "columns are aligned");
    assert_eq!(lines.len(), 2);
    assert_eq!(sandbox.command(&["list", "-q"]).success().stdout(), format!("{}\n", sandbox.id()));
    let text = sandbox.command(&["list", "--format", "json"]).success().stdout();
    assert_eq!(text.trim_end().lines().count(), 1);
    let list: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(list[0]["id"], sandbox.id());
    assert_eq!(list[0]["status"], "created");
    assert_eq!(list.as_array().unwrap().len(), 1);
}

#[test]
fn an_empty_list_and_a_root_that_is_missing() {
    let sandbox = Sandbox::new();
    let error = sandbox.command(&["list"]).exits_with(1).stderr();
    assert!(error.contains(sandbox.root().to_str().unwrap()), "{error}");
    fs::create_dir(sandbox.root()).unwrap();
    let table = sandbox.command(&["list"]).success().stdout();
    assert_eq!(
        table.split_whitespace().collect::<Vec<_>>(),
        ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    );
    assert_eq!(sandbox.command(&["list", "-q"]).success().stdout(), "");
}

#[test]
fn errors_go_to_the_log_as_json_and_to_standard_error() {
    let sandbox = Sandbox::new();
    let log = sandbox.file("log");
    for _ in 0..2 {
        let flags = ["--log", &log, "--log-format", "json", "start", sandbox.id()];
        sandbox.runtime(&flags).output().fails_saying("container does not exist");
    }
    let text = fs::read_to_string(&log).unwrap();
    let errors: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(errors.len(), 2, "appended: {text}");
    for error in errors {
        assert_eq!(error["level"], "error");
        assert!(error["msg"].as_str().unwrap().contains("container does not exist"), "{error}");
        assert!(error["time"].as_str().unwrap().contains('T'), "{error}");
    }
}

#[test]
fn errors_go_to_the_log_as_text() {
    let sandbox = Sandbox::new();
    let log = sandbox.file("log");
    sandbox.runtime(&["--log", &log, "state", sandbox.id()]).output().exits_with(1);
    let text = fs::read_to_string(&log).unwrap();
    assert!(
        text.starts_with("time=\"")
            && text.contains("level=error msg=")
            && text.contains("container does not exist"),
        "{text}"
    );
}

#[test]
fn version_and_help() {
    let sandbox = Sandbox::new();
    let version = sandbox.runtime(&["--version"]).output().success().stdout();
    let lines: Vec<&str> = version.lines().collect();
    assert!(lines[0].contains(" version "), "{version}");
    assert!(lines.iter().any(|line| line.starts_with("commit:")), "{version}");
    assert!(lines.iter().any(|line| line.starts_with("spec: 1.")), "{version}");
    let help = sandbox.runtime(&["--help"]).output().success().stdout();
    for command in ["create", "start", "run", "state", "kill", "delete", "list", "spec", "features"] {
        assert!(help.contains(command), "{command} in {help}");
    }
}

#[test]
fn wrong_command_lines() {
    let sandbox = Sandbox::new();
    for words in [
        &["create"][..],
        &["no-such-command"],
        &["start"],
        &["start", "ID", "extra"],
        &["run", "--no-such-flag", "ID"],
        &["state", ""],
    ] {
        let output = sandbox.command(words);
        assert_ne!(output.code(), 0, "{words:?}");
        assert_ne!(output.stderr() + &output.stdout(), "", "{words:?} says why");
    }
    sandbox.assert_nothing_left();
}

#[test]
fn spec_writes_a_configuration_that_runs() {
    let sandbox = Sandbox::new();
    fs::remove_file(sandbox.bundle().join("config.json")).unwrap();
    sandbox.runtime(&["spec", "--bundle", sandbox.bundle().to_str().unwrap()]).output().success();
    let written = Config::parse(&fs::read_to_string(sandbox.bundle().join("config.json")).unwrap());
    assert_eq!(written["process"]["args"], json!(["sh"]));
    assert_eq!(written["process"]["terminal"], true);
    assert_eq!(written["root"], json!({ "path": "rootfs", "readonly": true }));
    let mut config = written.clone();
    config["process"]["terminal"] = json!(false);
    config.probe(&["exit", "9"]);
    sandbox.write(&config);
    sandbox.run().exits_with(9);
    let again = sandbox.runtime(&["spec", "--bundle", sandbox.bundle().to_str().unwrap()]).output();
    again.fails_saying("exists");
}

#[test]
fn features_is_a_document() {
    let sandbox = Sandbox::new();
    let text = sandbox.runtime(&["features"]).output().success().stdout();
    let features: Value = serde_json::from_str(&text).unwrap();
    assert!(features["ociVersionMin"].is_string() && features["ociVersionMax"].is_string(), "{text}");
    let options = features["mountOptions"].as_array().unwrap();
    assert!(options.contains(&json!("rbind")) && options.contains(&json!("rro")), "{text}");
    let namespaces = features["linux"]["namespaces"].as_array().unwrap();
    assert!(namespaces.contains(&json!("network")), "{text}");
}

#[test]
fn plan_shows_the_steps_and_changes_nothing() {
    differs_from!("runc", "it has no such command");
    differs_from!("crun", "it has no such command");
    let sandbox = Sandbox::new();
    let text = sandbox.with_bundle("plan", &[]).output().success().stdout();
    for step in ["clone init", "pivot root", "exec /probe"] {
        assert!(text.contains(step), "{step}: {text}");
    }
    sandbox.assert_nothing_left();
    assert!(!sandbox.root().join(sandbox.id()).exists());
    let json = sandbox.with_bundle("plan", &["-f", "json"]).output().success().stdout();
    assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
}

#[test]
fn the_plan_of_exec_is_what_exec_does_and_changes_nothing() {
    differs_from!("runc", "it has no such command");
    differs_from!("crun", "it has no such command");
    let sandbox = Sandbox::new();
    sandbox.command(&["plan", "--exec", "ID", "/probe"]).fails_saying("container does not exist");
    let mut container = sandbox.started(&["pause"], |_| {});
    assert_eq!(container.line(), "ready");
    let before = processes_of(sandbox.id());
    let pid_file = sandbox.file("exec.pid");
    let line = ["-u", "1000:7", "--cwd", "/tmp", "--pid-file", &pid_file, "ID", "/probe", "exit", "3"];
    let text = sandbox.command(&[&["plan", "--exec"], &line[..]].concat()).success().stdout();
    for step in ["join pid,", "become 1000:7", "enter /tmp", "write pid file", "exec /probe"] {
        assert!(text.contains(step), "{step}: {text}");
    }
    assert_eq!(processes_of(sandbox.id()), before);
    assert!(!fs::exists(&pid_file).unwrap());
    // What exec logs that it does.
    let logged = sandbox.command(&[&["--debug", "exec"], &line[..]].concat()).exits_with(3).stderr();
    let logged = logged.replace("\\n", "\n");
    assert!(text.lines().all(|step| logged.contains(step.trim_end())), "{text}\n{logged}");
    let json = sandbox.command(&["plan", "-f", "json", "--exec", "-t", "ID", "sh", "-f", "x"]);
    let json: Value = serde_json::from_str(&json.success().stdout()).unwrap();
    let steps = json["entries"].as_array().unwrap();
    assert!(steps.iter().any(|entry| entry["step"].as_str().unwrap().starts_with("open terminal")), "{json}");
    fs::write(sandbox.file("process.json"), r#"{"args": ["/probe"], "cwd": "/", "user": {"uid": 5}}"#)
        .unwrap();
    let text =
        sandbox.command(&["plan", "--exec", "-p", &sandbox.file("process.json"), "ID"]).success().stdout();
    assert!(text.contains("become 5:0"), "{text}");
    sandbox.command(&["plan", "-b", "x", "--exec", "ID", "sh"]).fails_saying("before --exec");
    sandbox.command(&["plan", "ID", "--exec", "ID", "sh"]).fails_saying("before --exec");
    sandbox.command(&["plan"]).fails_saying("exactly 1 argument");
    sandbox.command(&["pause", "ID"]).success();
    sandbox.command(&["plan", "--exec", "ID", "sh"]).fails_saying("cannot exec in a paused container");
    sandbox.command(&["resume", "ID"]).success();
    container.kill("KILL");
    container.wait();
    sandbox.command(&["plan", "--exec", "ID", "sh"]).fails_saying("cannot exec in a stopped container");
    container.delete();
}
