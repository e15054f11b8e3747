use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cgroup::{Hierarchy, Unified};

fn v2() -> Layout {
    Layout { v1: vec![], v2: Some(Unified { mount: "/cg".into(), own: None, controllers: None }) }
}

fn v1() -> Layout {
    let hierarchy =
        Hierarchy { mount: "/cg/cpu".into(), controllers: vec!["cpu".into()], named: None, own: "/".into() };
    Layout { v1: vec![hierarchy], v2: None }
}

fn limits(resources: serde_json::Value) -> Limits {
    Limits::new(Some(&serde_json::from_value(resources).unwrap())).unwrap()
}

/// The properties of the resources.
fn shown(resources: serde_json::Value, layout: &Layout, version: u32) -> Vec<String> {
    let systemd = Systemd { version, ..Systemd::default() };
    let properties = properties(&rounded(&limits(resources)), layout, &systemd).unwrap();
    assert!(properties.iter().all(|property| property.pointer.is_some()), "{properties:?}");
    properties.iter().map(ToString::to_string).collect()
}

#[test]
fn every_limit_that_systemd_knows_becomes_a_property_on_v2() {
    let found = [
        (json!({"memory": {"limit": 5000}}), vec!["MemoryMax=5000"]),
        (json!({"memory": {"limit": -1}}), vec!["MemoryMax=infinity", "MemorySwapMax=infinity"]),
        (
            json!({"memory": {"limit": 5000, "reservation": 3000, "swap": 7000}}),
            vec!["MemoryMax=5000", "MemoryLow=3000", "MemorySwapMax=2000"],
        ),
        (json!({"memory": {"limit": 5000, "swap": -1}}), vec!["MemoryMax=5000", "MemorySwapMax=infinity"]),
        (json!({"cpu": {"shares": 1024}}), vec!["CPUWeight=100"]),
        (json!({"cpu": {"shares": 1024, "idle": 1}}), vec!["CPUWeight=0"]),
        (json!({"cpu": {"shares": 1024, "idle": 0}}), vec!["CPUWeight=100"]),
        (json!({"cpu": {"quota": 50000}}), vec!["CPUQuotaPerSecUSec=500000"]),
        (json!({"cpu": {"quota": -1}}), vec!["CPUQuotaPerSecUSec=infinity"]),
        (
            json!({"cpu": {"quota": 5000, "period": 10000}}),
            vec!["CPUQuotaPeriodUSec=10000", "CPUQuotaPerSecUSec=500000"],
        ),
        (json!({"cpu": {"period": 10000}}), vec!["CPUQuotaPeriodUSec=10000", "CPUQuotaPerSecUSec=infinity"]),
        (json!({"cpu": {"quota": 50001}}), vec!["CPUQuotaPerSecUSec=510000"]),
        (
            json!({"cpu": {"cpus": "0-3,8", "mems": "0"}}),
            vec!["AllowedCPUs=[15, 1]", "AllowedMemoryNodes=[1]"],
        ),
        (json!({"cpu": {"burst": 1000}}), vec![]),
        (json!({"pids": {"limit": 10}}), vec!["TasksMax=10"]),
        (json!({"pids": {"limit": -1}}), vec!["TasksMax=infinity"]),
        (json!({"pids": {"limit": 0}}), vec!["TasksMax=1"]),
        (
            json!({"blockIO": {"weight": 500, "weightDevice": [{"major": 8, "minor": 0, "weight": 10}]}}),
            vec!["IOWeight=4950", "IODeviceWeight=[/dev/block/8:0 1]"],
        ),
        (
            json!({"blockIO": {
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}, {"major": 8, "minor": 16, "rate": 2}],
                "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 3}],
                "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 4}],
                "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 5}]
            }}),
            vec![
                "IOReadBandwidthMax=[/dev/block/8:0 1, /dev/block/8:16 2]",
                "IOWriteBandwidthMax=[/dev/block/8:0 3]",
                "IOReadIOPSMax=[/dev/block/8:0 4]",
                "IOWriteIOPSMax=[/dev/block/8:0 5]",
            ],
        ),
        (json!({"hugepageLimits": [{"pageSize": "2MB", "limit": 5}]}), vec![]),
        (
            json!({"unified": {
                "memory.min": "1", "memory.low": "2", "memory.high": "max", "memory.max": "4",
                "memory.swap.max": "5", "pids.max": "6", "cpu.weight": "7", "cpuset.cpus": "1",
                "cpuset.mems": "0", "cpu.max": "50000 100000", "io.latency": "8:0 target=5", "memory.oom.group": "1"
            }}),
            vec![
                "CPUQuotaPeriodUSec=100000",
                "CPUQuotaPerSecUSec=500000",
                "CPUWeight=7",
                "AllowedCPUs=[2]",
                "AllowedMemoryNodes=[1]",
                "MemoryHigh=infinity",
                "MemoryLow=2",
                "MemoryMax=4",
                "MemoryMin=1",
                "MemorySwapMax=5",
                "TasksMax=6",
            ],
        ),
        // What is said by name is said last.
        (json!({"memory": {"limit": 5000}, "unified": {"memory.max": "max"}}), vec!["MemoryMax=infinity"]),
    ];
    for (resources, expected) in found {
        assert_eq!(shown(resources.clone(), &v2(), 257), expected, "{resources}");
    }
}

#[test]
fn v1_has_names_of_its_own() {
    let resources = json!({
        "memory": {"limit": 5000, "reservation": 3000, "swap": 7000}, "cpu": {"shares": 512, "quota": 50000},
        "pids": {"limit": 10}, "blockIO": {"weight": 500}
    });
    let expected = [
        "MemoryLimit=5000",
        "CPUShares=512",
        "CPUQuotaPerSecUSec=500000",
        "TasksMax=10",
        "BlockIOWeight=500",
    ];
    assert_eq!(shown(resources, &v1(), 247), expected);
}

#[test]
fn an_old_systemd_is_told_only_what_it_knows() {
    let resources = json!({"cpu": {"cpus": "0", "period": 10000, "quota": 5000, "idle": 1, "shares": 1024}});
    assert_eq!(shown(resources, &v2(), 239), ["CPUWeight=100", "CPUQuotaPerSecUSec=500000"]);
}

#[test]
fn what_systemd_cannot_say_names_the_value() {
    let of =
        |resources| properties(&limits(resources), &v2(), &Systemd { version: 257, ..Systemd::default() });
    for (resources, pointer) in [
        (json!({"cpu": {"cpus": "3-1"}}), "/linux/resources/cpu/cpus"),
        (json!({"cpu": {"cpus": "99999"}}), "/linux/resources/cpu/cpus"),
        (json!({"cpu": {"mems": "0:2"}}), "/linux/resources/cpu/mems"),
        (json!({"unified": {"memory.max": "much"}}), "/linux/resources/unified/memory.max"),
        (json!({"unified": {"cpu.max": "5 0"}}), "/linux/resources/unified/cpu.max"),
        (json!({"unified": {"cpu.max": "5 6 7"}}), "/linux/resources/unified/cpu.max"),
        (json!({"unified": {"cpuset.cpus": "-"}}), "/linux/resources/unified/cpuset.cpus"),
    ] {
        assert_eq!(of(resources.clone()).unwrap_err().pointer(), Some(pointer), "{resources}");
    }
}

#[test]
fn devices_are_listed_and_what_was_listed_before_is_dropped() {
    let of = |rules, layout: &Layout| {
        let properties = devices(&limits(json!({"devices": rules})).devices, layout);
        properties.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let nothing = of(json!([]), &v2());
    assert_eq!(nothing[..2], ["DevicePolicy=strict", "DeviceAllow=[]"]);
    assert!(nothing[2].starts_with("DeviceAllow=[char-* m, block-* m, /dev/char/1:3 rwm, "), "{nothing:?}");
    assert_eq!(of(json!([{"allow": true, "access": "rwm"}]), &v2()), ["DevicePolicy=auto", "DeviceAllow=[]"]);
    let but_one =
        json!([{"allow": true, "access": "rwm"}, {"allow": false, "type": "b", "major": 8, "access": "w"}]);
    assert_eq!(of(but_one.clone(), &v2()), ["DevicePolicy=auto", "DeviceAllow=[]"]);
    assert_eq!(of(but_one, &v1()), ["DevicePolicy=strict", "DeviceAllow=[]"]);
}

#[test]
fn an_annotation_has_the_last_word() {
    let asked = [Property::new("Delegate", false)];
    let always = always("web", &asked);
    assert!(always.iter().all(|property| property.name != "Delegate"));
    assert_eq!(always[0].to_string(), "Description=\"libcontainer container web\"");
}

proptest! {
    #[test]
    fn a_quota_is_rounded_up_by_less_than_a_step_and_stays(quota in 1000u64..10_000_000, period in 1000u64..1_000_000) {
        let exact = u128::from(quota) * 1_000_000 / u128::from(period);
        let kept = per_second(quota, period);
        prop_assert!(u128::from(kept) >= exact && u128::from(kept) < exact + 10_000);
        prop_assert_eq!(kept % 10_000, 0);
        let resources = json!({"cpu": {"quota": quota, "period": period}});
        let once = rounded(&limits(resources));
        // What the kernel is told is what systemd would make of what it keeps.
        prop_assert_eq!(once.cpu.quota, Some(Bound::At((u128::from(kept) * u128::from(period) / 1_000_000) as u64)));
    }

    #[test]
    fn bits_are_those_of_the_list(numbers in proptest::collection::btree_set(0usize..2000, 1..20)) {
        let list: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let bits = bits(&list.join(","), "/x").unwrap();
        let found = (0..bits.len() * 8).filter(|number| bits[number / 8] & (1 << (number % 8)) != 0);
        prop_assert!(found.eq(numbers));
    }
}
