//! Bundles and names that cannot be used: one line that names the file and the value, exit code 1, nothing left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;

use integration::harness::*;
use integration::{differs_from, on_hosts, skip};
use serde_json::{Value, json};

/// `create` fails, says all of `texts` in one line, and leaves nothing. Of references only the failure is asked.
#[track_caller]
fn refused(sandbox: &Sandbox, texts: &[&str]) {
    for command in ["create", "run"] {
        let output = sandbox.with_bundle(command, &[]).output();
        assert_eq!(output.stdout(), "");
        let error = output.exits_with(1).stderr();
        if runtime().is_ours() {
            assert_eq!(error.lines().count(), 1, "one line: {error}");
            for text in texts {
                assert!(error.contains(text), "{text:?} is not in: {error}");
            }
        }
        sandbox.assert_nothing_left();
    }
}

#[track_caller]
fn refused_config(texts: &[&str], change: impl FnOnce(&mut Config)) {
    let sandbox = Sandbox::new();
    sandbox.configure(change);
    refused(&sandbox, texts);
}

#[test]
fn a_missing_configuration() {
    let sandbox = Sandbox::new();
    fs::remove_file(sandbox.bundle().join("config.json")).unwrap();
    refused(&sandbox, &[sandbox.bundle().join("config.json").to_str().unwrap(), "no such file"]);
}

#[test]
fn a_missing_bundle() {
    let sandbox = Sandbox::new();
    fs::remove_dir_all(sandbox.bundle()).unwrap();
    refused(&sandbox, &[sandbox.bundle().to_str().unwrap(), "no such file"]);
}

#[test]
fn a_configuration_that_is_not_json() {
    for text in ["", "{", "not json", "{\"ociVersion\": \"1.0.0\",}", "\u{0}", "[]", "null", "5"] {
        let sandbox = Sandbox::new();
        sandbox.write_text(text);
        refused(&sandbox, &["config.json"]);
    }
}

#[test]
fn a_configuration_that_is_a_folder() {
    let sandbox = Sandbox::new();
    fs::remove_file(sandbox.bundle().join("config.json")).unwrap();
    fs::create_dir(sandbox.bundle().join("config.json")).unwrap();
    refused(&sandbox, &["config.json", "not a regular file"]);
}

#[test]
fn values_of_the_wrong_type() {
    let cases: [(&str, Value); 12] = [
        ("/ociVersion", json!(1)),
        ("/process/args", json!("sh")),
        ("/process/args/0", json!(5)),
        ("/process/user/uid", json!(-1)),
        ("/process/user/uid", json!("root")),
        ("/process/terminal", json!("yes")),
        ("/process/env/0", json!({})),
        ("/root/readonly", json!(1)),
        ("/mounts", json!({})),
        ("/mounts/0/destination", json!(null)),
        ("/linux/namespaces", json!("pid")),
        ("/linux/resources/devices/0/allow", json!("no")),
    ];
    for (pointer, value) in cases {
        let sandbox = Sandbox::new();
        if value.is_null() && !runtime().is_ours() {
            continue; // To the references an empty destination is the root.
        }
        sandbox.configure(|config| *config.pointer_mut(pointer).unwrap() = value);
        refused(&sandbox, &["config.json", pointer]);
    }
}

#[test]
fn a_version_of_another_major_number() {
    for version in ["2.0.0", "0.9.0", "one", "", "1"] {
        if !runtime().is_ours() {
            continue; // The references do not look at it.
        }
        refused_config(&["config.json", "/ociVersion"], |config| config["ociVersion"] = json!(version));
    }
    let sandbox = Sandbox::new();
    sandbox.run_probe(&["exit", "0"], |config| config["ociVersion"] = json!("1.0.2-dev")).success();
}

#[test]
fn a_root_that_is_missing_or_a_file() {
    refused_config(&["config.json", "/root/path", "no such file"], |config| {
        config["root"]["path"] = json!("nowhere")
    });
    refused_config(&["config.json", "/root/path", "not a directory"], |config| {
        config["root"]["path"] = json!("config.json")
    });
    refused_config(&["config.json", "/root"], |config| {
        config.as_object_mut().unwrap().remove("root");
    });
    refused_config(&["config.json", "/root/path"], |config| config["root"]["path"] = json!(""));
}

#[test]
fn duplicate_namespaces() {
    refused_config(&["config.json", "/linux/namespaces/5"], |config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "pid" }));
    });
}

#[test]
fn unknown_namespaces() {
    refused_config(&["config.json", "/linux/namespaces/5/type"], |config| {
        config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "wormhole" }));
    });
}

#[test]
fn duplicate_and_unknown_limits() {
    let limit = |name: &str| json!({ "type": name, "soft": 10, "hard": 10 });
    if runtime().is_ours() {
        refused_config(&["config.json", "/process/rlimits/1"], |config| {
            config["process"]["rlimits"] = json!([limit("RLIMIT_CORE"), limit("RLIMIT_CORE")]);
        });
    }
    refused_config(&["config.json", "/process/rlimits/0/type"], |config| {
        config["process"]["rlimits"] = json!([limit("RLIMIT_LUCK")]);
    });
}

#[test]
fn a_soft_limit_above_the_hard_one() {
    refused_config(&["config.json", "/process/rlimits/0"], |config| {
        config["process"]["rlimits"] = json!([{ "type": "RLIMIT_CORE", "soft": 11, "hard": 10 }]);
    });
}

#[test]
fn a_relative_or_missing_cwd() {
    for wrong in [json!("relative"), json!(""), json!("./x"), json!(null)] {
        refused_config(&["config.json", "/process/cwd"], |config| config["process"]["cwd"] = wrong);
    }
}

#[test]
fn no_arguments() {
    for wrong in [json!([]), json!(null)] {
        refused_config(&["config.json", "/process/args"], |config| config["process"]["args"] = wrong);
    }
}

#[test]
fn an_environment_that_is_none() {
    differs_from!("runc", "it drops entries without a name silently");
    for wrong in ["NOVALUE", "=VALUE", ""] {
        refused_config(&["config.json", "/process/env/1"], |config| {
            config["process"]["env"] = json!(["A=1", wrong])
        });
    }
}

#[test]
fn a_nul_byte_in_a_string() {
    if !runtime().is_ours() {
        integration::skip!("the references cut some strings there, and drop others");
    }
    for pointer in [
        "/process/args/0",
        "/process/env/0",
        "/process/cwd",
        "/hostname",
        "/mounts/0/destination",
        "/linux/maskedPaths/0",
    ] {
        refused_config(&["config.json", pointer], |config| {
            let value = config.pointer_mut(pointer).unwrap();
            *value = json!(format!("{}\0rest", value.as_str().unwrap()));
        });
    }
}

#[test]
fn paths_that_are_not_absolute() {
    if !runtime().is_ours() {
        integration::skip!("the references take them as relative to the root");
    }
    refused_config(&["/linux/maskedPaths/0"], |config| config["linux"]["maskedPaths"] = json!(["proc/keys"]));
    refused_config(&["/linux/readonlyPaths/0"], |config| {
        config["linux"]["readonlyPaths"] = json!(["proc/sys"])
    });
}

#[test]
fn names_that_cannot_be_used() {
    let long = "x".repeat(300);
    for id in ["..", ".", "a/b", "a/../b", "a b", "ä", "-", "", "a\n", &long] {
        let sandbox = Sandbox::new();
        let bundle = sandbox.bundle();
        let mut words = vec!["run", "--bundle", bundle.to_str().unwrap()];
        if id == "-" && !runtime().is_ours() {
            continue; // To the references it is a name, to others a flag.
        }
        words.push(if id == "-" { "-/" } else { id });
        let error = sandbox.runtime(&words).output().stderr();
        let code = sandbox.runtime(&words).output().code();
        assert_ne!(code, 0, "{id:?}");
        assert!(!error.is_empty(), "{id:?}");
        let made = fs::read_dir(sandbox.root()).map(Iterator::count).unwrap_or(0);
        assert_eq!(made, 0, "{id:?} left something in the state folder");
        assert_eq!(
            fs::read_dir(sandbox.path()).unwrap().count(),
            1 + usize::from(sandbox.root().exists()),
            "{id:?}"
        );
    }
}

#[test]
fn a_name_of_255_bytes_and_all_allowed_characters() {
    let sandbox = Sandbox::new();
    let id = format!("{}.aZ0_+-{}", sandbox.id(), "x".repeat(255));
    let bundle = sandbox.bundle();
    sandbox.configure(|config| {
        config.probe(&["exit", "3"]);
    });
    sandbox.runtime(&["run", "--bundle", bundle.to_str().unwrap(), &id[..255]]).output().exits_with(3);
    sandbox.assert_nothing_left();
}

on_hosts! {
    fn failures_in_the_middle_of_the_set_up_leave_nothing(host: Host) {
        type Change = fn(&mut Config);
        let changes: [(&str, Change); 6] = [
            ("a device in the way of a folder", |config| {
                config["linux"]["devices"] = json!([{ "path": "/etc/passwd/device", "type": "c", "major": 1, "minor": 3 }]);
            }),
            ("a sysctl of a value that the kernel refuses", |config| {
                config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "banana" });
            }),
            ("a mount after all others", |config| {
                config.mount(json!({ "type": "nosuchfs", "source": "none", "destination": "/tmp" }));
            }),
            ("a masked path through a file", |config| {
                config["process"]["cwd"] = json!("/etc/passwd/below");
            }),
            ("a program that is not there", |config| {
                config["process"]["args"] = json!(["/no/such/program"]);
            }),
            ("a limit above what may be set", |config| {
                config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 1, "hard": 1_u64 << 40 }]);
            }),
        ];
        for (what, change) in changes {
            let sandbox = Sandbox::on(host);
            sandbox.configure(change);
            let output = sandbox.with_bundle("create", &[]).output();
            assert_eq!(output.code(), 1, "{what}: {}", output.stderr());
            if runtime().is_ours() {
                assert_eq!(output.stderr().lines().count(), 1, "{what}: {}", output.stderr());
            }
            sandbox.assert_nothing_left();
        }
    }
}

#[test]
fn cache_and_bandwidth_shares_on_a_host_without_them() {
    if fs::read_to_string("/proc/mounts").unwrap().contains(" resctrl ") {
        skip!("this host has a resctrl file system");
    }
    differs_from!("runc", "its error names no value");
    refused_config(&["/linux/intelRdt", "resctrl"], |config| {
        config["linux"]["intelRdt"] = json!({ "l3CacheSchema": "L3:0=f" });
    });
    refused_config(&["/linux/intelRdt/closID"], |config| {
        config["linux"]["intelRdt"] = json!({ "closID": "../x" })
    });
}

#[test]
fn a_pid_file_that_cannot_be_written_undoes_the_container() {
    let sandbox = Sandbox::new();
    let error =
        sandbox.with_bundle("create", &["--pid-file", "/no/such/folder/pid"]).output().exits_with(1).stderr();
    assert!(error.contains("/no/such/folder/"), "{error}");
    sandbox.assert_nothing_left();
}

#[test]
fn huge_documents_are_read_or_refused_in_bounded_time() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
        let many: Vec<String> = (0..100_000).map(|number| format!("/does/not/exist/{number}")).collect();
        config["annotations"] = json!({ "long": "x".repeat(1 << 20) });
        config["linux"]["maskedPaths"] = json!(&many[..1000]);
        config["linux"]["resources"]["devices"] = json!([{ "allow": false, "access": "rwm" }]);
        config["process"]["env"] = json!(
            many.iter().take(20_000).map(|path| format!("{}=1", path.replace('/', "_"))).collect::<Vec<_>>()
        );
    });
    sandbox.run().success();
    let sandbox = Sandbox::new();
    sandbox.write_text(&"[".repeat(200_000));
    refused(&sandbox, &["config.json"]);
}
