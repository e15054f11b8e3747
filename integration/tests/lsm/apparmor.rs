//! Confinement by AppArmor, with the profiles that the emulated machine has loaded.

use std::fs;

use integration::harness::*;
use integration::skip;
use serde_json::json;

/// Denies [`SECRET`] and allows the rest; `docker-default` there does the same.
const PROFILE: &str = "runc-shim-test";

const SECRET: &str = "/tmp/secret";

/// Why no container can be confined here.
fn lacking() -> Option<String> {
    let Ok(profiles) = fs::read_to_string("/sys/kernel/security/apparmor/profiles") else {
        return Some("this kernel has no AppArmor".to_owned());
    };
    let loaded = profiles.lines().any(|line| line.starts_with(PROFILE));
    (!loaded).then(|| format!("the AppArmor profile {PROFILE} is not loaded"))
}

fn confine(config: &mut Config) {
    config["process"]["apparmorProfile"] = json!(PROFILE);
}

#[test]
fn a_profile_denies_what_it_says() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let operations = ["create", SECRET, "--", "create", "/tmp/other"];
    let writable = |config: &mut Config| config["root"]["readonly"] = json!(false);
    assert_eq!(Sandbox::new().attempt(&operations, writable), [0, 0], "without a profile");
    let confined = Sandbox::new().attempt(&operations, |config| {
        writable(config);
        confine(config);
    });
    assert_eq!(confined, [libc::EACCES, 0]);
}

#[test]
fn the_program_has_the_label_of_its_profile() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let report = Sandbox::new().report(confine);
    assert_eq!(report["lsm"], format!("{PROFILE} (enforce)"));
    assert_eq!(Sandbox::new().report(|_| {})["lsm"], "unconfined");
}

#[test]
fn a_program_with_few_capabilities_and_no_new_privileges_is_confined() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let report = Sandbox::new().report(|config| {
        confine(config);
        config["process"]["noNewPrivileges"] = json!(true);
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        config["process"].as_object_mut().unwrap().remove("capabilities");
    });
    assert_eq!(report["lsm"], format!("{PROFILE} (enforce)"));
}

#[test]
fn a_program_that_is_executed_later_is_confined_as_the_container_or_as_asked_for() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let sandbox = Sandbox::new();
    let container = sandbox.started(&["pause"], confine);
    let label = |flags: &[&str]| {
        let words: Vec<&str> =
            ["exec"].iter().chain(flags).chain(&["ID", "/probe", "report"]).copied().collect();
        let report = Report::parse(&sandbox.command(&words).success().stdout());
        report["lsm"].as_str().unwrap().to_owned()
    };
    assert_eq!(label(&[]), format!("{PROFILE} (enforce)"));
    assert_eq!(label(&["--apparmor", "docker-default"]), "docker-default (enforce)");
    container.kill("KILL");
    container.wait();
    container.delete();
}

#[test]
fn the_validation_suite_is_content_with_its_profile() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    crate::the_suite_is_content("linux_process_apparmor_profile");
}

#[test]
fn a_profile_that_is_not_loaded_is_an_error() {
    if let Some(reason) = lacking() {
        skip!("{reason}");
    }
    let sandbox = Sandbox::new();
    sandbox.configure(|config| config["process"]["apparmorProfile"] = json!("no-such-profile"));
    let error = sandbox.with_bundle("create", &[]).output().fails_saying("no-such-profile");
    if runtime().is_ours() {
        assert!(error.contains("/process/apparmorProfile"), "{error}");
    }
    sandbox.assert_nothing_left();
}
