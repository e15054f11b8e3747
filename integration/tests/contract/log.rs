//! The log and standard error.

use std::fs;

use integration::harness::*;
use serde_json::{Value, json};

fn lines(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// A container that cannot be made.
fn broken() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| config["process"]["args"] = json!(["/no/such/program"]));
    sandbox
}

#[test]
fn the_last_error_of_the_log_says_what_went_wrong() {
    let sandbox = broken();
    let log = sandbox.file("log");
    fs::write(&log, "{\"level\":\"info\",\"msg\":\"another's\",\"time\":\"\"}\n").unwrap();
    let bundle = sandbox.bundle();
    let words =
        ["--debug", "--log", &log, "--log-format", "json", "create", "--bundle", bundle.to_str().unwrap()];
    let output = sandbox.runtime(&[&words[..], &[sandbox.id()]].concat()).output().exits_with(1);
    let lines = lines(&log);
    assert_eq!(lines[0]["msg"], "another's", "it is appended to");
    for line in &lines[1..] {
        let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(["level", "msg", "time"].iter().all(|key| keys.contains(key)), "{line}");
    }
    assert!(lines.iter().any(|line| line["level"] == "debug"), "the file gets what --debug adds");
    let error = lines.iter().rfind(|line| line["level"] == "error").expect("an error");
    let message = error["msg"].as_str().unwrap();
    assert!(message.contains("exec: \"/no/such/program\": stat /no/such/program: no such file"), "{message}");
    assert!(!message.contains('\n'));
    // Standard error says it as well, and nothing but that.
    assert!(output.stderr().contains("stat /no/such/program: no such file"), "{}", output.stderr());
    assert!(!output.stderr().contains("level=debug"), "{}", output.stderr());
}

#[test]
fn without_a_log_everything_goes_to_standard_error() {
    let sandbox = broken();
    let bundle = sandbox.bundle();
    let words = ["--debug", "create", "--bundle", bundle.to_str().unwrap(), sandbox.id()];
    let error = sandbox.runtime(&words).output().exits_with(1).stderr();
    assert!(error.contains("level=debug"), "{error}");
    assert!(error.replace("\\\"", "\"").contains("exec: \"/no/such/program\""), "{error}");
    let quiet = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
    assert_eq!(quiet.lines().count(), 1, "{quiet}");
}

#[test]
fn the_text_format_is_logrus_s() {
    let sandbox = broken();
    let log = sandbox.file("log");
    let bundle = sandbox.bundle();
    let words =
        ["--log", &log, "--log-format", "text", "create", "--bundle", bundle.to_str().unwrap(), sandbox.id()];
    sandbox.runtime(&words).output().exits_with(1);
    let text = fs::read_to_string(&log).unwrap();
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("time=\"20") && last.contains(" level=error msg=\""), "{last}");
    assert!(last.contains("exec: \\\"/no/such/program\\\""), "quotes are escaped: {last}");
}

#[test]
fn a_log_that_cannot_be_opened_or_has_no_such_format_is_an_error() {
    let sandbox = Sandbox::new();
    let missing = sandbox.file("no/folder");
    sandbox.runtime(&["--log", &missing, "state", "x"]).output().fails_saying("no such file or directory");
    sandbox.runtime(&["--log-format", "xml", "state", "x"]).output().fails_saying("invalid log-format: xml");
}
