//! Tests against the cgroups of the host that they run on.

use std::fs;
use std::io::{Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};

use super::*;

pub(super) const SOON: Duration = Duration::from_secs(10);

/// The cgroups of one test, removed with everything in them at its end.
pub(super) struct Place {
    pub(super) layout: Layout,
    pub(super) placement: Placement,
}

impl Place {
    /// Only the hierarchies that `keep` accepts; `None`, with the reason, where the test cannot run.
    pub(super) fn of(name: &str, keep: impl Fn(&Group) -> bool) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: not root");
            return None;
        }
        let layout = match detect(Want { controllers: true, own: true }) {
            Ok(layout) => layout,
            Err(error) => {
                println!("skipped: {error}");
                return None;
            }
        };
        let path = format!("/libcontainer-test-{}-{name}", std::process::id());
        let mut placement = place(&layout, Some(&path), "unused").unwrap();
        placement.groups.retain(keep);
        if placement.groups.is_empty() {
            println!("skipped: this host does not have the hierarchy");
            return None;
        }
        Some(Self { layout, placement })
    }

    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        self.placement.dirs()
    }

    pub(super) fn create(&self) -> Created {
        create(&self.placement, &Controllers::default()).unwrap()
    }

    fn writes(&self, resources: Value) -> Writes {
        let resources: LinuxResources = serde_json::from_value(resources).unwrap();
        writes(&Limits::new(Some(&resources)).unwrap(), &self.layout).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = kill_all(&self.dirs(), SOON).and_then(|()| remove(&self.dirs(), SOON));
        if !std::thread::panicking() {
            left.unwrap();
        }
    }
}

pub(super) fn any(_: &Group) -> bool {
    true
}

pub(super) fn has(controller: &'static str) -> impl Fn(&Group) -> bool {
    move |group| group.controllers.iter().any(|name| name == controller)
}

pub(super) fn unified(group: &Group) -> bool {
    group.unified
}

/// A process that waits for its standard input to end.
pub(super) fn waiting(script: &str) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

pub(super) fn output(mut child: Child) -> String {
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    text
}

#[test]
fn everything_made_is_undone_and_nothing_else() {
    let Some(test) = Place::of("undo", any) else { return };
    let keep: Vec<_> = test
        .dirs()
        .iter()
        .map(|dir| {
            let mut name = dir.file_name().unwrap().to_owned();
            name.push("-kept");
            dir.with_file_name(name)
        })
        .collect();
    for dir in &keep {
        fs::create_dir_all(dir).unwrap();
    }
    let created = test.create();
    assert_eq!(created.made(), test.dirs());
    fs::create_dir(test.dirs()[0].join("inner")).unwrap();
    created.undo().unwrap();
    assert!(test.dirs().iter().all(|dir| !dir.exists()));
    assert!(keep.iter().all(|dir| dir.exists()));
    remove(&keep, SOON).unwrap();
}

#[test]
fn parents_are_made_and_undone_too() {
    let Some(mut test) = Place::of("deep", any) else { return };
    for group in &mut test.placement.groups {
        group.path.push_str("/a/b");
    }
    let created = test.create();
    let tops: Vec<_> =
        test.dirs().iter().map(|dir| dir.parent().unwrap().parent().unwrap().to_owned()).collect();
    assert!(test.dirs().iter().all(|dir| dir.is_dir()));
    assert!(tops.iter().all(|top| created.made().contains(top)));
    created.undo().unwrap();
    assert!(tops.iter().all(|dir| !dir.exists()));
}

#[test]
fn an_existing_cgroup_is_used_only_if_it_is_empty() {
    let Some(test) = Place::of("existing", any) else { return };
    let first = test.create();
    let again = test.create();
    assert!(again.made().is_empty());
    again.undo().unwrap();
    assert!(test.dirs()[0].is_dir(), "not made by the second, so not its to remove");

    let mut child = waiting("read x");
    first.cgroups().join(child.id().cast_signed()).unwrap();
    let error = create(&test.placement, &Controllers::default()).unwrap_err();
    assert!(error.to_string().starts_with("container's cgroup is not empty: 1 process"), "{error}");
    kill_all(&test.dirs(), SOON).unwrap();
    child.wait().unwrap();
}

fn a_frozen_cgroup_is_refused(name: &str, keep: impl Fn(&Group) -> bool) {
    let Some(test) = Place::of(name, keep) else { return };
    test.create();
    freeze(&test.dirs(), SOON).unwrap();
    let error = create(&test.placement, &Controllers::default()).unwrap_err();
    assert!(error.to_string().starts_with("container's cgroup unexpectedly frozen"), "{error}");
    thaw(&test.dirs()).unwrap();
    test.create();
}

#[test]
fn a_frozen_cgroup_is_refused_on_v1() {
    a_frozen_cgroup_is_refused("frozen-v1", has("freezer"));
}

#[test]
fn a_frozen_cgroup_is_refused_on_v2() {
    a_frozen_cgroup_is_refused("frozen-v2", unified);
}

#[test]
fn processes_are_listed_frozen_and_killed_in_every_hierarchy() {
    let Some(test) = Place::of("life", any) else { return };
    let created = test.create();
    let mut children: Vec<_> = (0..3).map(|_| waiting("read x")).collect();
    let mut pids: Vec<_> = children.iter().map(|child| child.id().cast_signed()).collect();
    pids.sort_unstable();
    pids.iter().for_each(|pid| created.cgroups().join(*pid).unwrap());
    assert_eq!(processes(&test.dirs()).unwrap(), pids);

    assert!(!is_frozen(&test.dirs()).unwrap());
    freeze(&test.dirs(), SOON).unwrap();
    assert!(is_frozen(&test.dirs()).unwrap());
    thaw(&test.dirs()).unwrap();
    assert!(!is_frozen(&test.dirs()).unwrap());

    freeze(&test.dirs(), SOON).unwrap();
    kill_all(&test.dirs(), SOON).unwrap();
    assert_eq!(processes(&test.dirs()).unwrap(), [0; 0]);
    for child in &mut children {
        child.wait().unwrap();
    }
    thaw(&test.dirs()).unwrap();
}

fn what_keeps_forking_is_frozen_at_every_try(name: &str, keep: impl Fn(&Group) -> bool) {
    let Some(test) = Place::of(name, keep) else { return };
    let created = test.create();
    let mut child = waiting("read x; while :; do sh -c : & wait $!; done");
    created.cgroups().join(child.id().cast_signed()).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    for _ in 0..20 {
        freeze(&test.dirs(), SOON).unwrap();
        assert!(is_frozen(&test.dirs()).unwrap());
        let frozen = processes(&test.dirs()).unwrap();
        assert_eq!(processes(&test.dirs()).unwrap(), frozen, "nothing is born or dies meanwhile");
        thaw(&test.dirs()).unwrap();
        assert!(!is_frozen(&test.dirs()).unwrap());
    }
    kill_all(&test.dirs(), SOON).unwrap();
    child.wait().unwrap();
}

#[test]
fn what_keeps_forking_is_frozen_on_v1() {
    what_keeps_forking_is_frozen_at_every_try("fork-freeze-v1", has("freezer"));
}

#[test]
fn what_keeps_forking_is_frozen_on_v2() {
    what_keeps_forking_is_frozen_at_every_try("fork-freeze-v2", unified);
}

#[test]
fn v1_alone_kills_a_tree_that_keeps_forking() {
    let Some(test) = Place::of("forks", has("freezer")) else { return };
    let created = test.create();
    let mut child = waiting("read x; while :; do sh -c 'while :; do :; done' & sleep 0.01 & wait $!; done");
    created.cgroups().join_v1(child.id().cast_signed()).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    while processes(&test.dirs()).unwrap().len() < 10 {
        std::thread::yield_now();
    }
    kill_all(&test.dirs(), SOON).unwrap();
    child.wait().unwrap();
    assert_eq!(processes(&test.dirs()).unwrap(), [0; 0]);
}

#[test]
fn more_processes_than_one_batch_are_killed_without_a_unified_hierarchy() {
    let Some(test) = Place::of("many", has("pids")) else { return };
    let created = test.create();
    let mut child = waiting("for i in $(seq 300); do sleep 1000 & done; read x");
    created.cgroups().join_v1(child.id().cast_signed()).unwrap();
    let mut moved = 0;
    while moved < 300 {
        // Those that were forked before the shell was moved are left to the kernel's parent links.
        moved = children_of(child.id()).iter().filter(|pid| created.cgroups().join_v1(**pid).is_ok()).count();
    }
    kill_all(&test.dirs(), SOON).unwrap();
    child.wait().unwrap();
    assert_eq!(processes(&test.dirs()).unwrap(), [0; 0]);
}

fn children_of(pid: u32) -> Vec<i32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    listed.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn a_signal_reaches_every_process_of_sub_cgroups() {
    let Some(test) = Place::of("signal", unified) else { return };
    test.create();
    let inner = test.dirs()[0].join("inner");
    fs::create_dir(&inner).unwrap();
    let mut child = waiting("read x");
    fs::write(inner.join("cgroup.procs"), child.id().to_string()).unwrap();
    signal_all(&test.dirs(), rustix::process::Signal::TERM).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGTERM));
    remove(&test.dirs(), SOON).unwrap();
    assert!(!test.dirs()[0].exists());
}

#[test]
fn removal_waits_for_the_last_process_and_gives_up_in_time() {
    for (name, v2) in [("busy-v1", false), ("busy-v2", true)] {
        let Some(test) = Place::of(name, |group| group.unified == v2 && (v2 || has("pids")(group))) else {
            continue;
        };
        let created = test.create();
        let mut child = waiting("read x");
        created.cgroups().join(child.id().cast_signed()).unwrap();
        let error = remove(&test.dirs(), Duration::from_millis(20)).unwrap_err();
        assert!(matches!(error, CgroupError::TimedOut { .. }), "{error}");

        std::thread::scope(|scope| {
            let removal = scope.spawn(|| remove(&test.dirs(), SOON));
            child.stdin.take().unwrap().write_all(b"go\n").unwrap();
            removal.join().unwrap().unwrap();
        });
        assert!(!test.dirs()[0].exists());
        child.wait().unwrap();
    }
}

#[test]
fn what_the_limits_need_is_enabled_from_the_top() {
    let Some(mut test) = Place::of("enable", unified) else { return };
    let offered = test.layout.v2.as_ref().and_then(|unified| unified.controllers.clone()).unwrap_or_default();
    let Some(controller) = offered.first() else {
        println!("skipped: the unified hierarchy has no controller");
        return;
    };
    let control = test.layout.v2.as_ref().unwrap().mount.join("cgroup.subtree_control");
    let enabled_before = fs::read_to_string(&control).unwrap().contains(controller.as_str());
    test.placement.groups[0].path.push_str("/a");
    let wanted = Controllers { needed: vec![controller.clone()], offered: Vec::new() };
    let created = create(&test.placement, &wanted).unwrap();
    let enabled = fs::read_to_string(test.dirs()[0].join("cgroup.controllers")).unwrap();
    assert!(enabled.split_whitespace().any(|name| name == controller), "{enabled}");
    created.undo().unwrap();

    let wanted = Controllers { needed: vec!["nonesuch".to_owned()], offered: Vec::new() };
    let error = create(&test.placement, &wanted).unwrap_err();
    assert!(error.to_string().contains("\"+nonesuch\" to"), "{error}");
    assert!(!test.dirs()[0].exists(), "a failed creation leaves nothing");
    let offered = vec!["nonesuch".to_owned(), controller.clone()];
    let created = create(&test.placement, &Controllers { needed: Vec::new(), offered }).unwrap();
    let enabled = fs::read_to_string(test.dirs()[0].join("cgroup.controllers")).unwrap();
    assert!(enabled.split_whitespace().any(|name| name == controller), "what can be had is had: {enabled}");
    created.undo().unwrap();
    if !enabled_before {
        fs::write(&control, format!("-{controller}")).unwrap();
    }
}

#[test]
fn removing_what_is_gone_succeeds() {
    let Some(test) = Place::of("gone", any) else { return };
    remove(&test.dirs(), SOON).unwrap();
    kill_all(&test.dirs(), SOON).unwrap();
    assert_eq!(processes(&test.dirs()).unwrap(), [0; 0]);
    assert!(!is_frozen(&test.dirs()).unwrap());
}

/// Whether a process in the cgroups may open a character device. The rules are asked before the
/// driver, so a device that this kernel does not have fails in another way.
pub(super) fn may_open(created: &Created, numbers: (u32, u32)) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let node = folder.path().join("node");
    let device = rustix::fs::makedev(numbers.0, numbers.1);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &node,
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::RUSR,
        device,
    )
    .unwrap();
    let child = waiting(&format!("read x; head -c 1 {} >/dev/null", node.display()));
    created.cgroups().join(child.id().cast_signed()).unwrap();
    !output(child).contains("not permitted")
}

fn devices_are_restricted(name: &str, keep: impl Fn(&Group) -> bool) {
    let Some(test) = Place::of(name, keep) else { return };
    let layout = Layout {
        v1: test.layout.v1.iter().filter(|_| !test.placement.groups[0].unified).cloned().collect(),
        v2: test.layout.v2.clone(),
    };
    let created = test.create();
    assert!(may_open(&created, (1, 1)), "nothing is restricted yet");
    let resources: LinuxResources = serde_json::from_value(json!({"devices": [
        {"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 1, "minor": 11, "access": "r"}
    ]}))
    .unwrap();
    let rules = Limits::new(Some(&resources)).unwrap().devices;
    created.cgroups().restrict_devices(&devices(&rules, &layout).unwrap()).unwrap();
    assert!(!may_open(&created, (1, 1)), "mem is not in the rules");
    assert!(may_open(&created, (1, 5)), "zero is a default");
    assert!(may_open(&created, (1, 11)), "kmsg is allowed by the rules");
    assert!(may_open(&created, (10, 200)), "tun is a default");
}

#[test]
fn device_rules_hold_on_v1() {
    devices_are_restricted("devices-v1", has("devices"));
}

#[test]
fn device_rules_hold_on_v2() {
    devices_are_restricted("devices-v2", unified);
}

#[test]
fn limits_are_what_the_kernel_reads_back_in_either_order_of_change() {
    let Some(test) = Place::of("limits", |group| !group.controllers.is_empty()) else { return };
    if !["memory", "cpu", "cpuset", "pids"].iter().all(|name| test.placement.groups.iter().any(has(name))) {
        println!("skipped: not all of the controllers are on v1");
        return;
    }
    let created = test.create();
    let read = |controller: &'static str, file: &str| {
        let group = test.placement.groups.iter().find(|group| has(controller)(group)).unwrap();
        fs::read_to_string(group.dir().join(file)).unwrap().trim().to_owned()
    };
    assert_ne!(read("cpuset", "cpuset.cpus"), "");
    assert_ne!(read("cpuset", "cpuset.mems"), "");
    for mebibytes in [64_i64, 16, 256] {
        let bytes = mebibytes << 20;
        let writes = test.writes(json!({
            "memory": {"limit": bytes, "reservation": bytes / 2},
            "cpu": {"shares": 512, "quota": mebibytes * 1000, "period": 100_000, "cpus": "0", "mems": "0"},
            "pids": {"limit": 7}
        }));
        created.cgroups().change(&writes.early).unwrap();
        created.cgroups().change(&writes.late).unwrap();
        assert_eq!(read("memory", "memory.limit_in_bytes"), bytes.to_string());
        assert_eq!(read("memory", "memory.soft_limit_in_bytes"), (bytes / 2).to_string());
        assert_eq!(read("cpu", "cpu.shares"), "512");
        assert_eq!(read("cpu", "cpu.cfs_quota_us"), (mebibytes * 1000).to_string());
        assert_eq!(read("cpuset", "cpuset.cpus"), "0");
        assert_eq!(read("pids", "pids.max"), "7");
    }
}

#[test]
fn a_refused_limit_names_pointer_file_and_value() {
    let Some(test) = Place::of("refused", has("cpu")) else { return };
    let created = test.create();
    let writes = test.writes(json!({"cpu": {"period": 7}}));
    let error = created.cgroups().apply(&writes.early).unwrap_err();
    assert_eq!(error.pointer(), Some("/linux/resources/cpu/period"));
    assert_eq!(error.errno(), Some(rustix::io::Errno::INVAL));
    assert!(error.to_string().contains("write \"7\" to"), "{error}");
    assert!(error.to_string().contains("cpu.cfs_period_us: EINVAL"), "{error}");
}

#[test]
fn an_own_cgroup_that_was_asked_for_is_found() {
    let Ok(layout) = detect(Want { controllers: true, own: true }) else {
        println!("skipped: no cgroups here");
        return;
    };
    for (mount, own) in layout
        .v1
        .iter()
        .map(|hierarchy| (&hierarchy.mount, &hierarchy.own))
        .chain(layout.v2.iter().filter_map(|unified| Some((&unified.mount, unified.own.as_ref()?))))
    {
        let procs = mount.join(own.trim_start_matches('/')).join("cgroup.procs");
        let listed = fs::read_to_string(&procs).unwrap();
        assert!(listed.lines().any(|pid| pid == std::process::id().to_string()), "{}", procs.display());
    }
}
