use std::fs;

use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};

use super::*;
use crate::cgroup::host_tests::{Place, SOON, any, has, may_open, unified};
use crate::cgroup::{Group, Layout, Unified, freeze, is_frozen};

const MIB: i64 = 1 << 20;

fn limits(resources: Value) -> Limits {
    let resources: LinuxResources = serde_json::from_value(resources).unwrap();
    Limits::new(Some(&resources)).unwrap()
}

/// The file's text in whichever cgroup of the place has it.
fn read(place: &Place, file: &str) -> String {
    let texts = place.dirs().into_iter().filter_map(|dir| fs::read_to_string(dir.join(file)).ok());
    texts.map(|text| text.trim().to_owned()).next().unwrap_or_else(|| panic!("no {file}"))
}

#[test]
fn memory_and_its_sum_with_swap_grow_and_shrink_together() {
    let Some(place) = Place::of("update-memory", has("memory")) else { return };
    let _created = place.create();
    if !place.dirs()[0].join("memory.memsw.limit_in_bytes").exists() {
        println!("skipped: this kernel does not account swap");
        return;
    }
    for mebibytes in [64, 256, 16, 128] {
        let (limit, swap) = (mebibytes * MIB, 2 * mebibytes * MIB);
        update(&place.dirs(), None, limits(json!({"memory": {"limit": limit, "swap": swap}}))).unwrap();
        assert_eq!(read(&place, "memory.limit_in_bytes"), limit.to_string());
        assert_eq!(read(&place, "memory.memsw.limit_in_bytes"), swap.to_string());
    }
    update(&place.dirs(), None, limits(json!({"memory": {"swap": 300 * MIB}}))).unwrap();
    assert_eq!(read(&place, "memory.limit_in_bytes"), (128 * MIB).to_string());
    assert_eq!(read(&place, "memory.memsw.limit_in_bytes"), (300 * MIB).to_string());
    let error = update(&place.dirs(), None, limits(json!({"memory": {"swap": 100 * MIB}}))).unwrap_err();
    assert!(error.to_string().contains("at least the memory limit 134217728"), "{error}");
    update(&place.dirs(), None, limits(json!({"memory": {"limit": -1}}))).unwrap();
    assert_eq!(v1_bound(&read(&place, "memory.limit_in_bytes")), Some(Bound::Max));
    assert_eq!(v1_bound(&read(&place, "memory.memsw.limit_in_bytes")), Some(Bound::Max));
    let error = update(&place.dirs(), None, limits(json!({"memory": {"swap": 100 * MIB}}))).unwrap_err();
    assert!(error.to_string().contains("cannot be set without a memory limit"), "{error}");
}

#[test]
fn quota_and_period_change_in_either_order() {
    let Some(place) = Place::of("update-cpu", has("cpu")) else { return };
    let _created = place.create();
    for (quota, period, burst) in [(50_000, 100_000, 40_000), (900_000, 1_000_000, 0), (2_000, 2_000, 1_000)]
    {
        let cpu = json!({"cpu": {"quota": quota, "period": period, "burst": burst}});
        update(&place.dirs(), None, limits(cpu)).unwrap();
        assert_eq!(read(&place, "cpu.cfs_quota_us"), quota.to_string());
        assert_eq!(read(&place, "cpu.cfs_period_us"), period.to_string());
        assert_eq!(read(&place, "cpu.cfs_burst_us"), burst.to_string());
    }
}

#[test]
fn weight_and_idle_change_in_either_order() {
    let Some(place) = Place::of("update-idle", has("cpu")) else { return };
    let _created = place.create();
    for (shares, idle) in [(512, 0), (256, 1), (2048, 0)] {
        update(&place.dirs(), None, limits(json!({"cpu": {"shares": shares, "idle": idle}}))).unwrap();
        assert_eq!(read(&place, "cpu.idle"), idle.to_string());
        if idle == 0 {
            assert_eq!(read(&place, "cpu.shares"), shares.to_string());
        }
    }
}

#[test]
fn a_refusal_tells_what_was_changed_before_it() {
    let Some(place) = Place::of("update-partly", |group| has("cpu")(group) || has("memory")(group)) else {
        return;
    };
    let _created = place.create();
    let both = json!({"memory": {"limit": 64 * MIB}, "cpu": {"period": 7}});
    let error = update(&place.dirs(), None, limits(both)).unwrap_err();
    assert_eq!(error.pointer(), Some("/linux/resources/cpu/period"));
    assert!(error.to_string().ends_with("(changed before that: /linux/resources/memory/limit)"), "{error}");
    assert_eq!(read(&place, "memory.limit_in_bytes"), (64 * MIB).to_string());
    let error = update(&place.dirs(), None, limits(json!({"cpu": {"period": 7}}))).unwrap_err();
    assert!(!error.to_string().contains("changed before"), "{error}");
}

#[test]
fn what_cannot_be_expressed_is_found_before_anything_is_changed() {
    let Some(place) = Place::of("update-whole", has("memory")) else { return };
    let _created = place.create();
    let before = read(&place, "memory.limit_in_bytes");
    let both = json!({"memory": {"limit": 64 * MIB}, "cpu": {"shares": 512}});
    let error = update(&place.dirs(), None, limits(both)).unwrap_err();
    assert_eq!(error.pointer(), Some("/linux/resources/cpu/shares"), "the place has no such cgroup: {error}");
    assert_eq!(read(&place, "memory.limit_in_bytes"), before);
}

#[test]
fn huge_pages_are_limited_where_the_controller_is() {
    let Some(place) = Place::of("update-huge", any) else { return };
    let _created = place.create();
    for pages in [2, 7, 0] {
        let bytes = pages * 2 * MIB;
        let wanted = limits(json!({"hugepageLimits": [{"pageSize": "2MB", "limit": bytes}]}));
        if let Err(CgroupError::Unsupported { reason, .. }) = update(&place.dirs(), None, wanted) {
            println!("skipped: {reason}");
            return;
        }
        let suffix = if place.dirs().iter().any(|dir| dir.join("hugetlb.2MB.max").exists()) {
            "max"
        } else {
            "limit_in_bytes"
        };
        assert_eq!(read(&place, &format!("hugetlb.2MB.{suffix}")), bytes.to_string());
        assert_eq!(read(&place, &format!("hugetlb.2MB.rsvd.{suffix}")), bytes.to_string());
    }
    let odd = limits(json!({"hugepageLimits": [{"pageSize": "3MB", "limit": 0}]}));
    let error = update(&place.dirs(), None, odd).unwrap_err();
    assert!(error.to_string().contains("/linux/resources/hugepageLimits/0/limit"), "{error}");
}

#[test]
fn a_frozen_cgroup_stays_frozen() {
    let Some(place) = Place::of("update-frozen", any) else { return };
    let _created = place.create();
    freeze(&place.dirs(), SOON).unwrap();
    let wanted = limits(json!({"pids": {"limit": 7}, "devices": [{"allow": false, "access": "rwm"}]}));
    match update(&place.dirs(), None, wanted) {
        Err(CgroupError::Unsupported { reason, .. }) => println!("skipped: {reason}"),
        result => {
            result.unwrap();
            assert_eq!(read(&place, "pids.max"), "7");
            assert!(is_frozen(&place.dirs()).unwrap());
        }
    }
}

fn devices_are_replaced(name: &str, keep: impl Fn(&Group) -> bool) {
    let Some(place) = Place::of(name, keep) else { return };
    let created = place.create();
    let allow = |minors: &[i64]| {
        let rule =
            |minor: &i64| json!({"allow": true, "type": "c", "major": 1, "minor": minor, "access": "r"});
        let rules: Vec<_> =
            [json!({"allow": false, "access": "rwm"})].into_iter().chain(minors.iter().map(rule)).collect();
        update(&place.dirs(), None, limits(json!({"devices": rules}))).unwrap();
        [1, 11].map(|minor| may_open(&created, (1, minor)))
    };
    assert_eq!(allow(&[1]), [true, false]);
    assert_eq!(allow(&[11]), [false, true]);
    assert_eq!(allow(&[1, 11]), [true, true]);
    assert_eq!(allow(&[]), [false, false]);
    update(&place.dirs(), None, limits(json!({"devices": [{"allow": true, "access": "rwm"}]}))).unwrap();
    assert!(may_open(&created, (1, 1)), "nothing is restricted any more");
}

#[test]
fn device_rules_are_replaced_on_v1() {
    devices_are_replaced("update-devices-v1", has("devices"));
}

#[test]
fn device_rules_are_replaced_on_v2() {
    devices_are_replaced("update-devices-v2", unified);
}

/// A folder with files like those of a v2 cgroup.
struct Fake(tempfile::TempDir);

impl Fake {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self(folder)
    }

    fn cgroups(&self) -> Cgroups {
        let path = self.0.path().strip_prefix("/").unwrap().to_str().unwrap().to_owned();
        let group = Group { mount: "/".into(), path, controllers: Vec::new(), unified: true };
        Cgroups::open(&Placement { groups: vec![group] }).unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file)).unwrap()
    }

    /// The limits together with what is in force.
    fn completed(&self, resources: Value) -> Limits {
        let mut limits = limits(resources);
        complete(&mut limits, &self.cgroups()).unwrap();
        limits
    }
}

#[test]
fn on_v2_a_changed_memory_limit_keeps_the_sum_with_swap() {
    let fake = Fake::new(&[("memory.max", "100\n"), ("memory.swap.max", "20\n")]);
    let memory = fake.completed(json!({"memory": {"limit": 90}})).memory;
    assert_eq!(memory.swap_alone().map(|(swap, _)| swap), Some(Bound::At(30)));
    let mut more = limits(json!({"memory": {"limit": 130}}));
    let error = complete(&mut more, &fake.cgroups()).unwrap_err();
    assert_eq!(error.pointer(), Some("/linux/resources/memory/limit"), "more than the sum: {error}");
    let memory = fake.completed(json!({"memory": {"swap": 150}})).memory;
    assert_eq!((memory.limit, memory.swap_alone().unwrap().0), (Some(Bound::At(100)), Bound::At(50)));
    let unlimited = Fake::new(&[("memory.max", "max\n"), ("memory.swap.max", "max\n")]);
    assert_eq!(unlimited.completed(json!({"memory": {"limit": 90}})).memory.swap, None);
    assert!(unlimited.completed(json!({"memory": {"swap": 90}})).memory.check_swap().is_err());
}

#[test]
fn on_v2_quota_and_period_keep_each_other() {
    let fake = Fake::new(&[("cpu.max", "5000 20000\n")]);
    let cpu = fake.completed(json!({"cpu": {"period": 30_000}})).cpu;
    assert_eq!((cpu.quota, cpu.period), (Some(Bound::At(5000)), Some(30_000)));
    let cpu = fake.completed(json!({"cpu": {"quota": -1}})).cpu;
    assert_eq!((cpu.quota, cpu.period), (Some(Bound::Max), Some(20_000)));
    assert_eq!(fake.completed(json!({"cpu": {"shares": 7}})).cpu.quota, None);
}

#[test]
fn an_error_names_the_value_that_was_given_and_not_the_one_that_goes_with_it() {
    let fake =
        Fake::new(&[("cpu.max", "5000 20000\n"), ("memory.max", "100\n"), ("memory.swap.max", "20\n")]);
    let blamed = |resources: Value| {
        let mut limits = limits(resources);
        let completed = complete(&mut limits, &fake.cgroups()).unwrap();
        let v2 = Some(Unified { mount: "/cg".into(), own: None, controllers: None });
        let mut writes = writes(&limits, &Layout { v1: Vec::new(), v2 }).unwrap().early;
        completed.iter().for_each(|completed| completed.blame(&mut writes));
        let last = |write: &Write| write.pointer.rsplit('/').next().unwrap_or_default().to_owned();
        writes.iter().map(last).collect::<Vec<_>>()
    };
    assert_eq!(blamed(json!({"cpu": {"period": 7}})), ["period"]);
    assert_eq!(blamed(json!({"cpu": {"quota": 7}})), ["quota"]);
    assert_eq!(blamed(json!({"memory": {"limit": 90}})), ["limit", "limit"]);
    assert_eq!(blamed(json!({"memory": {"swap": 150}})), ["swap", "swap"]);
    assert_eq!(blamed(json!({"memory": {"limit": 90, "swap": 150}})), ["swap", "limit"]);
}

#[test]
fn a_checked_limit_below_the_usage_is_not_written() {
    let fake = Fake::new(&[("memory.max", "max"), ("memory.current", "4096\n")]);
    let change = |limit: i64| {
        let controllers = Some(vec!["memory".to_owned()]);
        let v2 = Some(Unified { mount: "/cg".into(), own: None, controllers });
        let layout = Layout { v1: Vec::new(), v2 };
        let limits = limits(json!({"memory": {"limit": limit, "checkBeforeUpdate": true}}));
        fake.cgroups().change(&writes(&limits, &layout).unwrap().early)
    };
    let error = change(4096).unwrap_err();
    assert_eq!(error.pointer(), Some("/linux/resources/memory/limit"));
    assert_eq!(fake.read("memory.max"), "max");
    change(8192).unwrap();
    assert_eq!(fake.read("memory.max"), "8192");
}
