//! Kernel parameters, names and annotations: what belongs to which namespace, and wrong uses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use integration::differs_from;
use integration::harness::*;
use serde_json::{Value, json};

type Change = fn(&mut Config);

/// Each change alone is refused, naming the value, and leaves nothing.
#[track_caller]
fn refused(cases: &[(&str, Change)]) {
    for (pointer, change) in cases {
        let sandbox = Sandbox::new();
        sandbox.configure(change);
        sandbox.with_bundle("create", &[]).output().fails_saying(&format!("{pointer}: "));
        sandbox.assert_nothing_left();
    }
}

/// The parameters as the container has them.
fn parameters<const N: usize>(keys: [&str; N], change: impl FnOnce(&mut Config)) -> [Value; N] {
    let options: Vec<&str> = keys.iter().flat_map(|key| ["--sysctl", key]).collect();
    let report = Sandbox::new().report_with(&options, change);
    keys.map(|key| report["sysctls"][key].clone())
}

#[test]
fn both_spellings_reach_the_same_parameters() {
    let keys = ["net/core/somaxconn", "kernel/shmmni", "fs/mqueue/msg_max", "kernel/sem"];
    let found = parameters(keys, |config| {
        config["linux"]["sysctl"] = json!({
            "net.core.somaxconn": "77", "kernel/shmmni": "78", "fs/mqueue/msg_max": "9", "kernel.sem": "250 32000 32 79",
        });
    });
    assert_eq!(found, ["77", "78", "9", "250\t32000\t32\t79"]);
}

#[test]
fn parameters_in_a_user_namespace_are_set_by_its_root() {
    let found = parameters(["net/ipv4/ip_forward", "net/ipv4/ping_group_range"], |config| {
        config.user_namespace(100_000, 65_536);
        config["linux"]["sysctl"] =
            json!({ "net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "0 1000" });
    });
    assert_eq!(found, ["1", "0\t1000"]);
}

#[test]
fn limits_of_users_go_with_a_user_namespace() {
    differs_from!("runc", "it refuses user.*");
    let found = parameters(["user/max_uts_namespaces"], |config| {
        config.user_namespace(100_000, 65_536);
        config["linux"]["sysctl"] = json!({ "user.max_uts_namespaces": "5" });
    });
    assert_eq!(found, ["5"]);
}

#[test]
fn the_domain_name_may_be_given_as_a_parameter() {
    let report = Sandbox::new()
        .report(|config| config["linux"]["sysctl"] = json!({ "kernel.domainname": "d.example" }));
    assert_eq!(report["domainname"], "d.example");
    let both = Sandbox::new().report(|config| {
        config["domainname"] = json!("d.example");
        config["linux"]["sysctl"] = json!({ "kernel.domainname": "d.example" });
    });
    assert_eq!(both["domainname"], "d.example");
}

#[test]
fn parameters_that_would_change_the_host_or_contradict_are_errors_that_name_them() {
    differs_from!("runc", "its errors name no value, and some of these it accepts");
    refused(&[
        ("/linux/sysctl/vm.swappiness", |config| config["linux"]["sysctl"] = json!({ "vm.swappiness": "1" })),
        ("/linux/sysctl/kernel~1panic", |config| config["linux"]["sysctl"] = json!({ "kernel/panic": "1" })),
        ("/linux/sysctl/net~1..~1kernel~1panic", |config| {
            config["linux"]["sysctl"] = json!({ "net/../kernel/panic": "1" });
        }),
        ("/linux/sysctl/kernel.hostname", |config| {
            config["linux"]["sysctl"] = json!({ "kernel.hostname": "x" })
        }),
        ("/linux/sysctl/net~1core~1somaxconn", |config| {
            config["linux"]["sysctl"] = json!({ "net.core.somaxconn": "1", "net/core/somaxconn": "2" });
        }),
        ("/linux/sysctl/kernel.domainname", |config| {
            config["domainname"] = json!("one");
            config["linux"]["sysctl"] = json!({ "kernel.domainname": "two" });
        }),
        ("/linux/sysctl/kernel.domainname", |config| {
            config.as_object_mut().unwrap().remove("hostname");
            config.without_namespace("uts");
            config["linux"]["sysctl"] = json!({ "kernel.domainname": "two" });
        }),
        ("/linux/sysctl/fs.mqueue.msg_max", |config| {
            config.without_namespace("ipc");
            config["linux"]["sysctl"] = json!({ "fs.mqueue.msg_max": "9" });
        }),
        ("/linux/sysctl/user.max_uts_namespaces", |config| {
            config["linux"]["sysctl"] = json!({ "user.max_uts_namespaces": "5" });
        }),
    ]);
}

#[test]
fn a_parameter_that_the_kernel_does_not_have_or_refuses_is_named() {
    let names: [(&str, &str); 2] =
        [("net.ipv4.no_such_parameter", "ENOENT"), ("net.ipv4.ip_forward", "EINVAL")];
    for (key, errno) in names {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| config["linux"]["sysctl"] = json!({ key: "banana" }));
        let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
        assert!(error.contains(&key.replace('.', "/")) || error.contains(key), "{error}");
        assert!(error.contains(errno) || !runtime().is_ours(), "{error}");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn names_have_as_many_bytes_as_the_kernel_takes() {
    let longest = "x".repeat(64);
    let report = Sandbox::new().report(|config| {
        config["hostname"] = json!(longest);
        config["domainname"] = json!(longest);
    });
    assert_eq!(
        (report["hostname"].as_str(), report["domainname"].as_str()),
        (Some(&*longest), Some(&*longest))
    );
    differs_from!("runc", "its errors name no value");
    refused(&[
        ("/hostname", |config| config["hostname"] = json!("x".repeat(65))),
        ("/domainname", |config| config["domainname"] = json!("x".repeat(65))),
        ("/hostname", |config| config["hostname"] = json!("a\0b")),
    ]);
}

#[test]
fn names_are_set_in_a_namespace_that_is_joined() {
    let pod = Holder::new(&["--uts"]);
    let report = Sandbox::new().report(|config| {
        config.join("uts", &pod.namespace("uts"));
        config["hostname"] = json!("of-the-pod");
        config["domainname"] = json!("pod.example");
    });
    assert_eq!((&report["hostname"], &report["domainname"]), (&json!("of-the-pod"), &json!("pod.example")));
    let seen = Invocation::new(&["nsenter", &format!("--uts={}", pod.namespace("uts")), "uname", "-n"]);
    assert_eq!(seen.output().success().stdout(), "of-the-pod\n");
}

#[test]
fn annotations_are_kept_as_they_are() {
    let annotations = json!({
        "org.example.Key": "value", "with space": "two\nlines", "": "no name", "é/~": "\"quoted\"", "empty": "",
        "org.criu.config": "/etc/criu.conf", "org.systemd.property.TimeoutStopUSec": "uint64 1",
    });
    let sandbox = Sandbox::new();
    sandbox.configure(|config| config["annotations"] = annotations.clone());
    let container = sandbox.create();
    let kept = sandbox.state()["annotations"].clone();
    for (key, value) in annotations.as_object().unwrap() {
        assert_eq!(&kept[key], value, "{key:?}");
    }
    container.start();
    assert_eq!(container.wait(), 0);
    assert_eq!(sandbox.state()["annotations"], kept, "stopped or not");
    container.delete();
}

#[test]
fn annotations_are_texts() {
    differs_from!("runc", "its errors name no value");
    refused(&[
        ("/annotations/a", |config| config["annotations"] = json!({ "a": 1 })),
        ("/annotations/a", |config| config["annotations"] = json!({ "a": { "b": "c" } })),
        ("/annotations", |config| config["annotations"] = json!(["a"])),
    ]);
}

#[test]
fn a_propagation_that_is_none_is_an_error_that_names_it() {
    differs_from!("runc", "its errors name no value");
    refused(&[
        ("/linux/rootfsPropagation", |config| config["linux"]["rootfsPropagation"] = json!("sharedd")),
        ("/linux/rootfsPropagation", |config| config["linux"]["rootfsPropagation"] = json!("RSHARED")),
        ("/linux/rootfsPropagation", |config| config["linux"]["rootfsPropagation"] = json!(1)),
    ]);
}

#[test]
fn parameters_of_a_joined_network_are_not_the_callers() {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        let network = namespaces.iter_mut().find(|namespace| namespace["type"] == "network").unwrap();
        network["path"] = json!("/proc/self/ns/net");
        config["linux"]["sysctl"] = json!({ "net.ipv4.ip_default_ttl": "65" });
    });
    let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
    assert!(error.contains("net"), "{error}");
    assert_ne!(std::fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").unwrap().trim(), "65");
    sandbox.assert_nothing_left();
}
