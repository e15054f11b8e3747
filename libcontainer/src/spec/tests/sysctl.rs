use serde_json::{Value, json};

use super::{accepted, isolated, refused, with};
use crate::spec::SysctlOwner::{Ipc, Network, User, Uts};
use crate::spec::{Sysctl, SysctlOwner};

#[track_caller]
fn one(key: &str) -> Sysctl {
    let mut list = accepted(&isolated("/linux/sysctl", json!({key: "1"}))).sysctl;
    assert_eq!(list.len(), 1);
    list.remove(0)
}

#[track_caller]
fn bad(key: &str, token: &str) -> String {
    refused(&isolated("/linux/sysctl", json!({key: "1"})), &format!("/linux/sysctl/{token}"))
}

#[test]
fn the_first_separator_decides_about_the_rest() {
    let paths = [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
    ];
    for (key, path) in paths {
        let expected = Sysctl { key: key.into(), path: path.into(), value: "1".into(), owner: Network };
        assert_eq!(one(key), expected);
    }
}

#[test]
fn the_owner_is_found_by_name() {
    let owners = [
        ("kernel.msgmax", Ipc),
        ("kernel.sem", Ipc),
        ("kernel.shm_rmid_forced", Ipc),
        ("kernel/shmmax", Ipc),
        ("fs.mqueue.msg_max", Ipc),
        ("net.core.somaxconn", Network),
        ("kernel.domainname", Uts),
    ];
    for (key, owner) in owners {
        assert_eq!(one(key).owner, owner, "{key}");
    }
}

#[test]
fn what_belongs_to_no_namespace_is_refused() {
    for key in
        ["kernel.panic", "vm.swappiness", "fs.file-max", "network.x", "kernel.semantics", "fs.mqueue", "net"]
    {
        assert!(bad(key, key).contains("belongs to no namespace"), "{key}");
    }
    assert!(bad("kernel.hostname", "kernel.hostname").contains("use /hostname"));
}

#[test]
fn nothing_leads_out_of_proc_sys() {
    bad("net/../kernel/panic", "net~1..~1kernel~1panic");
    bad("net.//.kernel", "net.~1~1.kernel");
    bad("net/ipv4/./x", "net~1ipv4~1.~1x");
    bad("net//x", "net~1~1x");
    bad("/net/x", "~1net~1x");
    bad("net.", "net.");
    bad("", "");
    bad("net.a\u{0}", "net.a\u{0}");
}

#[test]
fn values_have_no_nul() {
    refused(&isolated("/linux/sysctl", json!({"net.x": "a\u{0}"})), "/linux/sysctl/net.x");
    assert_eq!(accepted(&isolated("/linux/sysctl", json!({"net.x": "1 2\n"}))).sysctl[0].value, "1 2\n");
}

#[test]
fn the_namespace_must_not_be_the_hosts() {
    let keys = [
        ("kernel.sem", "ipc"),
        ("fs.mqueue.x", "ipc"),
        ("net.x", "network"),
        ("kernel.domainname", "uts"),
        ("user.max_user_namespaces", "user"),
    ];
    for (key, namespace) in keys {
        let text = refused(&with("/linux/sysctl", json!({key: "1"})), &format!("/linux/sysctl/{key}"));
        assert!(text.contains(&format!("{{\"type\": \"{namespace}\"}}")), "{text}");
    }
}

#[test]
fn user_limits_go_with_a_user_namespace() {
    let map = json!([{"containerID": 0, "hostID": 1, "size": 1}]);
    let linux = json!({
        "namespaces": [{"type": "user"}], "uidMappings": map, "gidMappings": map,
        "sysctl": {"user.max_user_namespaces": "0"},
    });
    let owner: SysctlOwner = accepted(&with("/linux", linux)).sysctl[0].owner;
    assert_eq!(owner, User);
}

#[test]
fn a_joined_namespace_is_enough() {
    let linux =
        json!({"namespaces": [{"type": "network", "path": "/run/netns/a"}], "sysctl": {"net.x": "1"}});
    assert_eq!(accepted(&with("/linux", linux)).sysctl.len(), 1);
}

#[test]
fn parameters_are_sorted_and_given_once() {
    let keys = |value: Value| -> Vec<String> {
        accepted(&isolated("/linux/sysctl", value)).sysctl.into_iter().map(|one| one.key).collect()
    };
    assert_eq!(keys(json!({"net.b": "", "kernel.sem": "", "net.a": ""})), ["kernel.sem", "net.a", "net.b"]);
    let both = json!({"net.a": "1", "net/a": "1"});
    assert!(refused(&isolated("/linux/sysctl", both), "/linux/sysctl/net~1a").contains("net.a"));
}

#[test]
fn the_domain_name_has_one_value() {
    let document = |sysctl: &str| {
        json!({
            "ociVersion": "1.2.0", "root": {"path": "r"}, "domainname": "a",
            "linux": {"namespaces": [{"type": "uts"}], "sysctl": {"kernel.domainname": sysctl}},
        })
        .to_string()
        .into_bytes()
    };
    accepted(&document("a"));
    assert!(refused(&document("b"), "/linux/sysctl/kernel.domainname").contains("contradicts /domainname"));
}
