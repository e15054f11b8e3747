//! Hosts of all kinds, and what a caller may ask for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use libcontainer::cgroup::{Hierarchy, Layout, Unified};
use libcontainer::facts::{Facts, PathFact, Unprivileged};
use libcontainer::planner::Options;
use libcontainer::resctrl::Resctrl;
use libcontainer::spec::Config;
use proptest::collection::{btree_map, btree_set};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;

const V1: [&str; 8] = ["cpu", "cpuset", "memory", "devices", "freezer", "pids", "blkio", "hugetlb"];
const V2: [&str; 6] = ["cpu", "cpuset", "io", "memory", "pids", "hugetlb"];

/// What a user namespace binds if the configuration asks for it.
const DEVICES: [&str; 8] = [
    "/dev/null",
    "/dev/random",
    "/dev/full",
    "/dev/tty",
    "/dev/zero",
    "/dev/urandom",
    "/dev/fuse",
    "/srv/tty",
];

/// The kinds of namespaces that may belong to a user namespace that is joined.
const OWNED: [i32; 5] =
    [libc::CLONE_NEWNS, libc::CLONE_NEWNET, libc::CLONE_NEWIPC, libc::CLONE_NEWUTS, libc::CLONE_NEWPID];

/// Nearly always there, since without it nothing else is looked at.
fn root() -> impl Strategy<Value = PathFact> {
    prop_oneof![19 => Just(PathFact::Folder), 1 => path()]
}

fn path() -> impl Strategy<Value = PathFact> {
    prop_oneof![
        30 => Just(PathFact::Folder),
        30 => Just(PathFact::File),
        1 => Just(PathFact::Missing { errno: libc::ENOENT }),
    ]
}

fn names(all: &'static [&'static str], always: usize) -> impl Strategy<Value = Vec<String>> {
    let list = subsequence(all.to_vec(), always..=all.len());
    list.prop_map(|list| list.into_iter().map(str::to_owned).collect())
}

fn v1() -> impl Strategy<Value = Vec<Hierarchy>> {
    let hierarchy = |name: String| Hierarchy {
        mount: PathBuf::from("/sys/fs/cgroup").join(&name),
        controllers: vec![name],
        named: None,
        own: "/user.slice".to_owned(),
    };
    let named = Hierarchy {
        mount: "/sys/fs/cgroup/systemd".into(),
        controllers: Vec::new(),
        named: Some("systemd".to_owned()),
        own: "/".to_owned(),
    };
    names(&V1, 6).prop_map(move |names| {
        std::iter::once(named.clone()).chain(names.into_iter().map(hierarchy)).collect()
    })
}

fn v2(mount: &'static str) -> impl Strategy<Value = Unified> {
    (option::of(names(&V2, 4)), prop::bool::weighted(0.95)).prop_map(move |(controllers, asked)| Unified {
        mount: mount.into(),
        own: asked.then(|| "/system.slice/x.service".to_owned()),
        controllers,
    })
}

fn cgroup() -> impl Strategy<Value = Layout> {
    prop_oneof![
        v1().prop_map(|v1| Layout { v1, v2: None }),
        v2("/sys/fs/cgroup").prop_map(|v2| Layout { v1: Vec::new(), v2: Some(v2) }),
        (v1(), v2("/sys/fs/cgroup/unified")).prop_map(|(v1, v2)| Layout { v1, v2: Some(v2) }),
    ]
}

pub(crate) fn facts() -> impl Strategy<Value = Facts> {
    let last_capability = prop_oneof![Just(40_u8), 30_u8..=63];
    let lsms = subsequence(vec!["apparmor".to_owned(), "selinux".to_owned()], 0..=2);
    let devices = btree_map(prop::sample::select(&DEVICES[..]), path(), 0..4);
    let owned = btree_set(prop::sample::select(&OWNED[..]).prop_map(i32::cast_unsigned), 0..4);
    let parts = (cgroup(), any::<u64>(), last_capability, lsms, root(), all_sources(), devices, owned);
    let unprivileged = option::weighted(0.2, unprivileged());
    (parts, option::weighted(0.9, resctrl()), unprivileged).prop_map(|(parts, resctrl, unprivileged)| {
        let (cgroup, capabilities, last_capability, lsms, root, sources, devices, owned) = parts;
        let least =
            serde_json::json!({"cgroup": {}, "capabilities": 0, "lastCapability": 0, "root": "folder"});
        let mut facts: Facts = serde_json::from_value(least).unwrap();
        facts.cgroup = cgroup;
        facts.capabilities = capabilities;
        facts.last_capability = last_capability;
        facts.lsms = lsms;
        facts.root = root;
        facts.sources = sources;
        facts.devices = DEVICES.iter().map(|path| (PathBuf::from(path), PathFact::File)).collect();
        facts.devices.extend(devices.into_iter().map(|(path, fact)| (PathBuf::from(path), fact)));
        facts.owned_by_joined_user = owned;
        facts.resctrl = resctrl;
        facts.unprivileged = unprivileged;
        facts.kernel = Some((6, 15));
        facts
    })
}

/// A caller that has the helpers for id maps: without them most maps are refused.
fn unprivileged() -> impl Strategy<Value = Unprivileged> {
    (0..3_u32, 0..3_u32).prop_map(|(uid, gid)| Unprivileged {
        uid,
        gid,
        newuidmap: Some("/usr/bin/newuidmap".into()),
        newgidmap: Some("/usr/bin/newgidmap".into()),
    })
}

/// As a file of facts has it.
fn resctrl() -> impl Strategy<Value = Resctrl> {
    let class = option::of(Just("L3:0=7f0\nMB:0=20\n"));
    (class, any::<bool>()).prop_map(|(class, monitoring)| {
        let text = serde_json::json!({"root": "/sys/fs/resctrl", "class": class, "monitoring": monitoring});
        serde_json::from_value(text).unwrap()
    })
}

/// Of any mount that a configuration has.
fn all_sources() -> impl Strategy<Value = BTreeMap<usize, PathFact>> {
    prop::collection::vec(path(), 12).prop_map(|all| all.into_iter().enumerate().collect())
}

pub(crate) fn options() -> impl Strategy<Value = Options> {
    let file = |name: &'static str| option::of(Just(PathBuf::from(name)));
    let parts = (any::<[bool; 4]>(), file("/run/pidfd.sock"), file("/run/pid"), 0_u32..4);
    parts.prop_map(|([at_once, no_pivot, no_new_keyring, notify], pidfd_socket, pid_file, preserve_fds)| {
        Options {
            state: "/run/runc-shim/test".into(),
            bundle: "/bundle".into(),
            at_once,
            console_socket: None,
            pidfd_socket,
            pid_file,
            no_pivot,
            no_new_keyring,
            preserve_fds,
            listen_fds: preserve_fds / 2,
            listen_names: None,
            notify,
            ..Options::default()
        }
    })
}

/// A terminal and its socket come together.
pub(crate) fn fitting(options: Options, config: &Config) -> Options {
    let terminal = config.process.as_ref().is_some_and(|process| process.terminal);
    Options { console_socket: terminal.then(|| "/run/console.sock".into()), ..options }
}
