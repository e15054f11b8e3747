//! Sockets that the caller was activated with (sd_listen_fds(3)) are the container's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use integration::differs_from;
use integration::harness::*;
use serde_json::json;

/// Two descriptors from 3 on, announced to the process that becomes the runtime.
const TWO: &str = "exec 3</dev/null 4</dev/zero; export LISTEN_FDS=2 LISTEN_PID=$$";

#[test]
fn sockets_are_passed_and_announced_to_the_first_process() {
    let report = Sandbox::new().after_shell(TWO).report(|_| {});
    assert_eq!(report.env("LISTEN_FDS"), ["2"]);
    assert_eq!(report.env("LISTEN_PID"), ["1"]);
    assert_eq!((&report["fds"]["3"], &report["fds"]["4"]), (&json!("/dev/null"), &json!("/dev/zero")));
    assert!(report["fds"].get("5").is_none());
}

#[test]
fn names_of_sockets_are_passed_on() {
    differs_from!("runc", "it drops the names");
    differs_from!("crun", "it drops the names");
    let report = Sandbox::new().after_shell(&format!("{TWO} LISTEN_FDNAMES=web:admin")).report(|_| {});
    assert_eq!(report.env("LISTEN_FDNAMES"), ["web:admin"]);
}

#[test]
fn what_the_configuration_says_of_sockets_is_replaced() {
    let report = Sandbox::new().after_shell(TWO).report(|config| {
        config["process"]["env"] = json!(["LISTEN_FDS=7", "A=1", "LISTEN_PID=9"]);
    });
    assert_eq!((report.env("LISTEN_FDS"), report.env("LISTEN_PID")), (vec!["2"], vec!["1"]));
    assert_eq!(report.env("HOME"), ["/root"]);
}

#[test]
fn descriptors_to_be_preserved_follow_the_sockets() {
    let sandbox = Sandbox::new().after_shell(&format!("{TWO}; exec 5</dev/full 6</dev/null"));
    sandbox.configure(|_| {});
    let output = sandbox.with_bundle("run", &["--preserve-fds", "1"]).output().success();
    let report = Report::parse(&output.stdout());
    assert_eq!(report["fds"]["5"], "/dev/full");
    assert!(report["fds"].get("6").is_none());
    assert_eq!(report.env("LISTEN_FDS"), ["2"], "those that are preserved are not announced");
}

#[test]
fn sockets_for_another_process_are_not_the_containers() {
    differs_from!("crun", "it does not look whom they are for");
    let report =
        Sandbox::new().after_shell("exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=1").report(|_| {});
    assert!(report.env("LISTEN_FDS").is_empty() && report.env("LISTEN_PID").is_empty());
    assert!(report["fds"].get("3").is_none());
}

#[test]
fn a_container_that_is_created_and_started_has_its_sockets_too() {
    let sandbox = Sandbox::new().after_shell(TWO);
    let mut container = sandbox.started(&["report", "--wait"], |_| {});
    let report = container.report();
    assert_eq!((report.env("LISTEN_FDS"), report.env("LISTEN_PID")), (vec!["2"], vec!["1"]));
    assert_eq!(report["fds"]["4"], "/dev/zero");
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
    container.delete();
}
