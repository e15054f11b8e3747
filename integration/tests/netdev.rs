//! Network devices that are moved into the container. The runtime runs in a network namespace made for the test, so
//! that no device of the real host is touched and no other test sees ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::collections::BTreeSet;

use integration::harness::*;
use integration::{differs_from, skip};
use serde_json::{Value, json};

/// A network namespace with the devices `v0` and `v1`, the two ends of a cable.
struct Network {
    holder: Holder,
}

impl Network {
    /// `None` where the kernel or iproute2 cannot make such devices.
    fn new() -> Option<Self> {
        let network = Self { holder: Holder::new(&["--net"]) };
        let made = Invocation::new(&network.words("sh", &["-c", "ip link add v0 type veth peer name v1"]));
        (made.output().code() == 0).then_some(network)
    }

    fn path(&self) -> String {
        self.holder.namespace("net")
    }

    fn words(&self, program: &str, arguments: &[&str]) -> Vec<String> {
        within(&self.path(), program, arguments)
    }

    /// Runs `ip` here, which must work.
    fn ip(&self, arguments: &str) -> &Self {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        drop(Invocation::new(&self.words("ip", &arguments)).output().success());
        self
    }

    /// A sandbox whose runtime runs here.
    fn sandbox(&self) -> Sandbox {
        Sandbox::new().wrapped(&["nsenter", &format!("--net={}", self.path())])
    }

    fn device(&self, name: &str) -> Device {
        device(&self.path(), name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    fn names(&self) -> BTreeSet<String> {
        names(&self.path())
    }
}

fn within(namespace: &str, program: &str, arguments: &[&str]) -> Vec<String> {
    let words = ["nsenter".to_owned(), format!("--net={namespace}"), program.to_owned()];
    words.into_iter().chain(arguments.iter().map(|word| (*word).to_owned())).collect()
}

/// What `ip` says of the devices in a namespace.
fn list(namespace: &str) -> Vec<Value> {
    let output = Invocation::new(&within(namespace, "ip", &["-json", "address", "show"])).output().success();
    serde_json::from_str(&output.stdout()).expect("JSON")
}

fn names(namespace: &str) -> BTreeSet<String> {
    list(namespace).iter().map(|device| device["ifname"].as_str().unwrap().to_owned()).collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Device {
    mtu: u64,
    is_up: bool,
    /// Those of global scope, with what is particular about them.
    addresses: BTreeSet<String>,
}

fn device(namespace: &str, name: &str) -> Option<Device> {
    let all = list(namespace);
    let found = all.iter().find(|device| device["ifname"] == name)?;
    let addresses = found["addr_info"].as_array().unwrap().iter();
    let addresses = addresses.filter(|address| address["scope"] == "global").map(|address| {
        let particular = ["broadcast", "address", "nodad", "noprefixroute", "metric"];
        let particular = particular.iter().filter_map(|key| Some(format!(" {key}={}", address.get(*key)?)));
        let local = address["local"].as_str().unwrap();
        format!("{local}/{}{}", address["prefixlen"], particular.collect::<String>())
    });
    Some(Device {
        mtu: found["mtu"].as_u64().unwrap(),
        is_up: found["flags"].as_array().unwrap().contains(&json!("UP")),
        addresses: addresses.collect(),
    })
}

fn addresses(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn moving(config: &mut Config, devices: Value) {
    config["linux"]["netDevices"] = devices;
}

macro_rules! network {
    () => {{
        differs_from!("runc", "netDevices came with version 1.4");
        match Network::new() {
            Some(network) => network,
            None => skip!("no iproute2, or no veth devices in this kernel"),
        }
    }};
}

#[test]
fn a_device_is_moved_and_is_up() {
    let network = network!();
    let report = network.sandbox().report(|config| moving(config, json!({ "v0": {} })));
    assert_eq!(report["net"]["v0"]["up"], true);
    assert_eq!(report["net"].as_object().unwrap().keys().collect::<Vec<_>>(), ["lo", "v0"]);
}

#[test]
fn a_moved_device_keeps_its_addresses_and_mtu_under_another_name() {
    let network = network!();
    network.ip("link set v0 mtu 1400").ip("link set v0 up");
    network.ip("address add 10.77.0.2/24 broadcast 10.77.0.255 dev v0");
    network.ip("address add 10.77.0.3/24 dev v0 noprefixroute metric 77");
    network.ip("address add 10.77.1.2 peer 10.77.1.9/32 dev v0 label v0:peer");
    network.ip("address add fd00:77::2/64 dev v0 nodad");
    let before = network.device("v0");
    assert_eq!(before.addresses.len(), 4);
    let sandbox = network.sandbox();
    sandbox.configure(|config| moving(config, json!({ "v0": { "name": "net1" } })));
    let container = sandbox.create();
    assert!(!network.names().contains("v0"));
    assert_eq!(device(&container.proc("ns/net"), "net1"), Some(before));
    container.start();
    assert_eq!(container.wait(), 0);
    container.delete();
}

#[test]
fn addresses_of_the_link_or_with_an_end_are_not_kept() {
    let network = network!();
    network.ip("address add 169.254.7.7/16 scope link dev v0");
    network.ip("address add 10.77.0.2/24 valid_lft 1000 preferred_lft 1000 dev v0");
    network.ip("address add 10.77.0.3/24 dev v0");
    let sandbox = network.sandbox();
    sandbox.configure(|config| moving(config, json!({ "v0": {} })));
    let container = sandbox.create();
    let moved = list(&container.proc("ns/net")).into_iter().find(|device| device["ifname"] == "v0").unwrap();
    let ipv4 = moved["addr_info"].as_array().unwrap().iter().filter(|address| address["family"] == "inet");
    assert_eq!(ipv4.map(|address| &address["local"]).collect::<Vec<_>>(), ["10.77.0.3"]);
}

#[test]
fn a_device_that_moved_sends_and_receives() {
    let network = network!();
    network.ip("address add 10.77.0.1/24 dev v1").ip("link set v1 up").ip("address add 10.77.0.2/24 dev v0");
    let sandbox = network.sandbox();
    sandbox.configure(|config| moving(config, json!({ "v0": {} })));
    let container = sandbox.create();
    // The route comes with the address, as soon as the device is up.
    let words = within(&container.proc("ns/net"), "ip", &["-json", "route", "get", "10.77.0.1"]);
    let route: Value = serde_json::from_str(&Invocation::new(&words).output().success().stdout()).unwrap();
    assert_eq!((&route[0]["dev"], &route[0]["prefsrc"]), (&json!("v0"), &json!("10.77.0.2")));
    assert!(network.device("v1").is_up);
}

#[test]
fn a_template_gets_the_first_free_number() {
    let network = network!();
    network.ip("link add w0 type veth peer name w1");
    let devices = json!({ "v0": { "name": "net%d" }, "v1": { "name": "net%d" }, "w0": { "name": "net0" }, "w1": { "name": "x%dy" } });
    let report = network.sandbox().report(|config| moving(config, devices));
    let names: Vec<&String> = report["net"].as_object().unwrap().keys().collect();
    // The device that asks for net0 by name has it, whatever the order.
    assert_eq!(names, ["lo", "net0", "net1", "net2", "x0y"]);
}

#[test]
fn devices_may_change_their_names_with_one_another() {
    let network = network!();
    network.ip("link set v0 mtu 1400");
    let sandbox = network.sandbox();
    sandbox.configure(|config| moving(config, json!({ "v0": { "name": "v1" }, "v1": { "name": "v0" } })));
    let container = sandbox.create();
    let namespace = container.proc("ns/net");
    assert_eq!(device(&namespace, "v1").unwrap().mtu, 1400);
    assert_eq!(device(&namespace, "v0").unwrap().mtu, 1500);
}

#[test]
fn a_parameter_of_a_moved_device_can_be_set() {
    let network = network!();
    let report = network.sandbox().report_with(&["--sysctl", "net/ipv4/conf/net1/forwarding"], |config| {
        moving(config, json!({ "v0": { "name": "net1" } }));
        config["linux"]["sysctl"] = json!({ "net.ipv4.conf.net1.forwarding": "1" });
    });
    assert_eq!(report["sysctls"]["net/ipv4/conf/net1/forwarding"], "1");
}

#[test]
fn devices_go_into_a_namespace_that_is_joined() {
    let network = network!();
    network.ip("address add 10.77.0.2/24 dev v0");
    let pod = Holder::new(&["--net"]);
    // Its device has the name and the number that ours has on the host.
    Invocation::new(&within(&pod.namespace("net"), "ip", &["link", "add", "v1", "type", "bridge"]))
        .output()
        .success();
    Invocation::new(&within(&pod.namespace("net"), "ip", &["link", "add", "v0", "type", "bridge"]))
        .output()
        .success();
    let sandbox = network.sandbox();
    let mut container = sandbox.started(&["report", "--wait"], |config| {
        config.join("network", &pod.namespace("net"));
        moving(config, json!({ "v0": { "name": "v%d" } }));
    });
    assert_eq!(container.report()["net"]["v2"]["up"], true);
    assert_eq!(device(&pod.namespace("net"), "v2").unwrap().addresses, addresses(&["10.77.0.2/24"]));
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
    container.delete();
    // The namespace is not the container's, and neither is what is in it.
    assert!(names(&pod.namespace("net")).contains("v2"));
}

#[test]
fn devices_go_into_a_user_namespace_and_come_back_from_it() {
    let network = network!();
    network.ip("address add 10.77.0.2/24 dev v0").ip("link set v0 up");
    let before = network.device("v0");
    let change = |config: &mut Config| {
        config.user_namespace(100_000, 65_536);
        moving(config, json!({ "v0": { "name": "net1" } }));
    };
    let report = network.sandbox().report(change);
    assert_eq!(report["net"]["net1"]["up"], true);
    let network = network!();
    network.ip("address add 10.77.0.2/24 dev v0").ip("link set v0 up");
    let sandbox = network.sandbox();
    sandbox.configure(|config| {
        change(config);
        config["process"]["args"] = json!(["/no/such/program"]);
    });
    sandbox.with_bundle("create", &[]).output().exits_with(1);
    assert_eq!(network.device("v0"), before);
}

#[test]
fn a_failed_create_brings_the_devices_back() {
    let network = network!();
    network.ip("link set v0 mtu 1400").ip("link set v0 up");
    network.ip("address add 10.77.0.2/24 dev v0").ip("address add fd00:77::2/64 dev v0 nodad");
    let before = (network.device("v0"), network.device("v1"));
    assert!(before.0.is_up && !before.1.is_up);
    let sandbox = network.sandbox();
    sandbox.configure(|config| {
        moving(config, json!({ "v0": { "name": "net1" }, "v1": { "name": "v0" } }));
        config["process"]["args"] = json!(["/no/such/program"]);
    });
    let error = sandbox.with_bundle("create", &[]).output().fails_saying("/no/such/program");
    assert!(!error.contains("undoing"), "{error}");
    assert_eq!((network.device("v0"), network.device("v1")), before);
    sandbox.assert_nothing_left();
}

#[test]
fn of_a_move_that_fails_the_earlier_ones_are_undone() {
    let network = network!();
    let pod = Holder::new(&["--net"]);
    Invocation::new(&within(&pod.namespace("net"), "ip", &["link", "add", "taken", "type", "bridge"]))
        .output()
        .success();
    let before = network.names();
    let sandbox = network.sandbox();
    sandbox.configure(|config| {
        config.join("network", &pod.namespace("net"));
        moving(config, json!({ "v0": {}, "v1": { "name": "taken" } }));
    });
    let error = sandbox.with_bundle("create", &[]).output().fails_saying("/linux/netDevices/v1");
    assert!(error.contains("has a network device taken already"), "{error}");
    assert_eq!(network.names(), before);
    assert_eq!(names(&pod.namespace("net")), BTreeSet::from(["lo".to_owned(), "taken".to_owned()]));
    sandbox.assert_nothing_left();
}

#[test]
fn a_device_that_the_kernel_does_not_let_go_is_named_with_the_reason() {
    let network = network!();
    let sandbox = network.sandbox();
    sandbox.configure(|config| moving(config, json!({ "lo": { "name": "lo1" } })));
    let error = sandbox.with_bundle("create", &[]).output().fails_saying("/linux/netDevices/lo");
    assert!(error.contains("RTM_SETLINK: EINVAL"), "{error}");
    sandbox.assert_nothing_left();
}

#[test]
fn wrong_uses_are_errors_that_name_the_value() {
    let network = network!();
    type Change = fn(&mut Config);
    let wrong: [(&str, Change); 6] = [
        ("/linux/netDevices/v9", |config| moving(config, json!({ "v9": {} }))),
        ("/linux/netDevices/v0/name", |config| {
            moving(config, json!({ "v0": { "name": "sixteen-letters-" } }))
        }),
        ("/linux/netDevices/v0/name", |config| moving(config, json!({ "v0": { "name": "a/b" } }))),
        ("/linux/netDevices/v0/name", |config| moving(config, json!({ "v0": { "name": "net%s" } }))),
        ("/linux/netDevices/v1", |config| {
            moving(config, json!({ "v0": { "name": "x" }, "v1": { "name": "x" } }))
        }),
        ("/linux/netDevices", |config| {
            config.without_namespace("network");
            moving(config, json!({ "v0": {} }));
        }),
    ];
    for (pointer, change) in wrong {
        let sandbox = network.sandbox();
        sandbox.configure(change);
        drop(sandbox.with_bundle("create", &[]).output().fails_saying(pointer));
        sandbox.assert_nothing_left();
    }
    let sandbox = network.sandbox();
    sandbox.configure(|config| {
        config.join("network", &network.path());
        moving(config, json!({ "v0": { "name": "x" } }));
    });
    drop(sandbox.with_bundle("create", &[]).output().fails_saying("/linux/netDevices/v0"));
    assert_eq!(network.names(), BTreeSet::from(["lo", "v0", "v1"].map(str::to_owned)));
}
