use std::path::Path;

use serde_json::{Value, json};

use super::{accepted, refused, unsupported, with};
use crate::spec::{Attributes, Mount, MountKind, Propagation, PropagationKind, Warning, attr};

fn document(mount: &Value) -> Vec<u8> {
    with("/mounts", json!([mount]))
}

#[track_caller]
fn mount(mount: &Value) -> Mount {
    accepted(&document(mount)).mounts.remove(0)
}

#[track_caller]
fn tmpfs(options: &[&str]) -> Mount {
    mount(&json!({"destination": "/x", "type": "tmpfs", "options": options}))
}

#[track_caller]
fn data(options: &[&str]) -> Vec<(String, Option<String>)> {
    match tmpfs(options).kind {
        MountKind::Filesystem { data, .. } => data,
        other => panic!("{other:?}"),
    }
}

fn flag(name: &str) -> (String, Option<String>) {
    (name.to_owned(), None)
}

fn value(name: &str, value: &str) -> (String, Option<String>) {
    (name.to_owned(), Some(value.to_owned()))
}

const UNCHANGED: Attributes = Attributes { set: 0, clear: 0 };

#[test]
fn a_file_system_has_a_type_a_source_and_data() {
    let expected = Mount {
        index: 0,
        destination: "/dev/pts".into(),
        kind: MountKind::Filesystem {
            fstype: "devpts".into(),
            source: "src".into(),
            data: vec![flag("newinstance"), value("ptmxmode", "0666"), value("x", "a=b"), value("empty", "")],
            copy_up: false,
        },
        attributes: Attributes { set: attr::NOSUID | attr::NOEXEC, clear: 0 },
        recursive: UNCHANGED,
        propagation: None,
        idmap: None,
    };
    let options = json!(["nosuid", "noexec", "newinstance", "ptmxmode=0666", "x=a=b", "empty="]);
    let raw = json!({"destination": "/dev/pts", "type": "devpts", "source": "src", "options": options});
    assert_eq!(mount(&raw), expected);
}

#[test]
fn an_absent_source_is_the_type() {
    match tmpfs(&[]).kind {
        MountKind::Filesystem { fstype, source, data, .. } => {
            assert_eq!((fstype.as_str(), source.as_str(), data.len()), ("tmpfs", "tmpfs", 0));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_attribute_can_be_set_and_cleared_alone_and_recursively() {
    let pairs = [
        ("ro", "rw", attr::RDONLY),
        ("nosuid", "suid", attr::NOSUID),
        ("nodev", "dev", attr::NODEV),
        ("noexec", "exec", attr::NOEXEC),
        ("nodiratime", "diratime", attr::NODIRATIME),
        ("nosymfollow", "symfollow", attr::NOSYMFOLLOW),
    ];
    for (on, off, bit) in pairs {
        let set = Attributes { set: bit, clear: 0 };
        let clear = Attributes { set: 0, clear: bit };
        let (r_on, r_off) = (format!("r{on}"), format!("r{off}"));
        for (options, attributes, recursive) in [
            ([on, "defaults"], set, UNCHANGED),
            ([off, "defaults"], clear, UNCHANGED),
            ([off, on], set, UNCHANGED),
            ([on, off], clear, UNCHANGED),
            ([&r_on, "defaults"], UNCHANGED, set),
            ([&r_off, "defaults"], UNCHANGED, clear),
            ([&r_on, &r_off], UNCHANGED, clear),
            ([&r_on, off], clear, set),
        ] {
            let mount = tmpfs(&options);
            assert_eq!((mount.attributes, mount.recursive), (attributes, recursive), "{options:?}");
        }
    }
}

#[test]
fn the_last_choice_of_access_times_wins() {
    let chosen = |choice| Attributes { set: choice, clear: attr::ATIME };
    let cases: &[(&[&str], Attributes)] = &[
        (&["noatime"], chosen(attr::NOATIME)),
        (&["strictatime"], chosen(attr::STRICTATIME)),
        (&["relatime"], chosen(attr::RELATIME)),
        (&["atime"], chosen(attr::RELATIME)),
        (&["nostrictatime"], chosen(attr::RELATIME)),
        (&["norelatime"], UNCHANGED),
        (&["relatime", "norelatime"], UNCHANGED),
        (&["noatime", "norelatime"], chosen(attr::NOATIME)),
        (&["strictatime", "noatime"], chosen(attr::NOATIME)),
        (&["noatime", "atime"], chosen(attr::RELATIME)),
    ];
    for (options, expected) in cases {
        assert_eq!(tmpfs(options).attributes, *expected, "{options:?}");
        let recursive: Vec<String> = options.iter().map(|option| format!("r{option}")).collect();
        let recursive: Vec<&str> = recursive.iter().map(String::as_str).collect();
        let mount = tmpfs(&recursive);
        assert_eq!((mount.attributes, mount.recursive), (UNCHANGED, *expected), "{recursive:?}");
    }
}

#[test]
fn the_last_propagation_wins() {
    assert_eq!(tmpfs(&[]).propagation, None);
    let expected = Propagation { kind: PropagationKind::Slave, recursive: true };
    assert_eq!(tmpfs(&["private", "rslave"]).propagation, Some(expected));
    for word in ["private", "shared", "slave", "unbindable", "rprivate", "rshared", "rslave", "runbindable"] {
        assert_eq!(tmpfs(&[word]).propagation.unwrap().recursive, word.starts_with('r'), "{word}");
    }
}

#[test]
fn flags_of_the_superblock_become_keys() {
    let on = ["sync", "dirsync", "mand", "lazytime"];
    assert_eq!(data(&on), on.map(flag));
    assert_eq!(data(&["sync", "sync"]), [flag("sync")]);
    let pairs = [("sync", "async"), ("mand", "nomand"), ("lazytime", "nolazytime")];
    for (on, off) in pairs {
        assert_eq!(data(&[on, off]), []);
        assert_eq!(data(&[off, on]), [flag(on)]);
    }
}

#[test]
fn options_without_effect_are_not_handed_to_the_file_system() {
    assert_eq!(data(&["defaults", "silent", "loud", "async", ""]), []);
}

#[test]
fn commas_separate_data_but_not_in_quotes_or_behind_a_backslash() {
    assert_eq!(
        data(&["mode=755,size=1k,,noswap"]),
        [value("mode", "755"), value("size", "1k"), flag("noswap")]
    );
    assert_eq!(data(&["context=\"a:c1,c2\",x"]), [value("context", "a:c1,c2"), flag("x")]);
    assert_eq!(
        data(&[r"lowerdir=/a\,b:/c,index=off"]),
        [value("lowerdir", r"/a\,b:/c"), value("index", "off")]
    );
}

#[track_caller]
fn bind(raw: &Value) -> (std::path::PathBuf, bool) {
    match mount(raw).kind {
        MountKind::Bind { source, recursive } => (source, recursive),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bind_is_one_by_type_or_by_option() {
    let raw = |fstype: &str, options: Value| json!({"destination": "/x", "type": fstype, "source": "/s", "options": options});
    assert!(!bind(&raw("bind", json!([]))).1);
    assert!(!bind(&raw("none", json!(["bind"]))).1);
    assert!(!bind(&raw("", json!(["bind"]))).1);
    assert!(bind(&raw("bind", json!(["rbind"]))).1);
    assert!(bind(&raw("tmpfs", json!(["rbind", "bind"]))).1);
    refused(&document(&raw("none", json!(["ro"]))), "/mounts/0/type");
    refused(&document(&raw("", json!([]))), "/mounts/0/type");
}

#[test]
fn the_source_of_a_bind_is_relative_to_the_bundle() {
    let raw = |source: Value| json!({"destination": "/x", "type": "bind", "source": source});
    assert_eq!(bind(&raw(json!("data/x"))).0, Path::new("/bundle/data/x"));
    assert_eq!(bind(&raw(json!("/data"))).0, Path::new("/data"));
    for bad in [json!(null), json!(""), json!("/a\u{0}"), json!("x".repeat(4096))] {
        refused(&document(&raw(bad)), "/mounts/0/source");
    }
}

#[test]
fn data_on_a_bind_or_cgroup_mount_is_ignored_with_a_warning() {
    for (fstype, what) in
        [("bind", "a bind mount"), ("cgroup", "the cgroup mount"), ("cgroup2", "the cgroup mount")]
    {
        let options = json!(["ro", "mode=755", "sync", "rslave", "nomand"]);
        let raw = json!({"destination": "/x", "type": fstype, "source": "/s", "options": options});
        let config = accepted(&document(&raw));
        let expected = Warning {
            pointer: "/mounts/0/options".into(),
            message: format!("options for a file system have no effect on {what}: mode, sync"),
        };
        assert_eq!(config.warnings, [expected]);
        assert_eq!(config.mounts[0].attributes.set, attr::RDONLY);
        assert!(config.mounts[0].propagation.is_some());
    }
    let quiet =
        json!({"destination": "/x", "type": "bind", "source": "/s", "options": ["rbind", "rprivate", "rw"]});
    assert!(accepted(&document(&quiet)).warnings.is_empty());
}

#[test]
fn the_cgroup_tree_is_a_kind_of_its_own() {
    for fstype in ["cgroup", "cgroup2"] {
        let raw = json!({"destination": "/sys/fs/cgroup", "type": fstype, "source": "cgroup"});
        assert_eq!(mount(&raw).kind, MountKind::Cgroup);
    }
}

#[test]
fn a_remount_has_no_type_and_no_source() {
    let remount = |fstype: &str, options: Value| {
        mount(&json!({"destination": "/x", "type": fstype, "options": options})).kind
    };
    for fstype in ["", "none", "bind", "tmpfs", "cgroup"] {
        assert_eq!(remount(fstype, json!(["remount", "ro"])), MountKind::Remount { data: Vec::new() });
    }
    assert_eq!(
        remount("tmpfs", json!(["remount", "size=1m"])),
        MountKind::Remount { data: vec![value("size", "1m")] }
    );
    let raw = json!({"destination": "/x", "type": "none", "options": ["bind", "remount", "size=1m"]});
    let config = accepted(&document(&raw));
    assert_eq!(config.mounts[0].kind, MountKind::Remount { data: Vec::new() });
    assert!(config.warnings[0].message.contains("size"), "{:?}", config.warnings);
}

#[test]
fn only_a_new_tmpfs_is_filled() {
    let kind = |fstype: &str, options: Value| json!({"destination": "/x", "type": fstype, "source": "/s", "options": options});
    let filled = mount(&kind("tmpfs", json!(["tmpcopyup", "mode=755"]))).kind;
    assert!(matches!(filled, MountKind::Filesystem { copy_up: true, .. }), "{filled:?}");
    for (fstype, options) in [
        ("bind", json!(["tmpcopyup"])),
        ("tmpfs", json!(["tmpcopyup", "rbind"])),
        ("tmpfs", json!(["tmpcopyup", "remount"])),
        ("proc", json!(["tmpcopyup"])),
    ] {
        refused(&document(&kind(fstype, options)), "/mounts/0/options/0");
    }
}

#[test]
fn counting_changes_of_inodes_is_left_to_the_file_system() {
    for option in ["iversion", "noiversion"] {
        let raw = json!({"destination": "/x", "type": "tmpfs", "options": ["ro", option]});
        let config = accepted(&document(&raw));
        assert_eq!(config.warnings[0].pointer, "/mounts/0/options/1");
        assert!(matches!(&config.mounts[0].kind, MountKind::Filesystem { data, .. } if data.is_empty()));
    }
}

fn line() -> Value {
    json!([{"containerID": 0, "hostID": 1000, "size": 10}])
}

#[test]
fn maps_of_a_mount_come_from_it_or_from_the_user_namespace() {
    let maps = |options: Value, lines: Value| {
        let raw = json!({"destination": "/x", "type": "tmpfs", "options": options, "uidMappings": lines, "gidMappings": lines});
        mount(&raw).idmap
    };
    assert_eq!(maps(json!([]), json!([])), None);
    for (option, recursive) in [("defaults", false), ("idmap", false), ("ridmap", true)] {
        let found = maps(json!([option]), line()).unwrap();
        assert_eq!(found.recursive, recursive);
        assert_eq!(found.maps.unwrap().gids[0].host, 1000);
    }
    let without = json!({"destination": "/x", "type": "tmpfs", "options": ["ro", "idmap"]});
    refused(&document(&without), "/mounts/0/options/1");
    let mut with_user: Value = serde_json::from_slice(&document(&without)).unwrap();
    with_user["linux"]["namespaces"] = json!([{"type": "mount"}, {"type": "user"}]);
    with_user["linux"]["uidMappings"] = line();
    with_user["linux"]["gidMappings"] = line();
    let found = accepted(with_user.to_string().as_bytes()).mounts.remove(0).idmap.unwrap();
    assert_eq!(found.maps, None);
}

#[test]
fn maps_that_cannot_be_applied_are_refused() {
    let tmpfs = |key: &str| json!({"destination": "/x", "type": "tmpfs", key: line()});
    refused(&document(&tmpfs("uidMappings")), "/mounts/0/gidMappings");
    refused(&document(&tmpfs("gidMappings")), "/mounts/0/uidMappings");
    let both = |lines: Value, fstype: &str, options: Value| {
        document(
            &json!({"destination": "/x", "type": fstype, "options": options, "uidMappings": line(), "gidMappings": lines}),
        )
    };
    refused(
        &both(json!([{"containerID": 0, "hostID": 1, "size": 0}]), "tmpfs", json!([])),
        "/mounts/0/gidMappings/0/size",
    );
    refused(&both(line(), "tmpfs", json!(["remount", "idmap"])), "/mounts/0/options/1");
    unsupported(&both(line(), "cgroup", json!(["idmap"])), "/mounts/0/options/0");
}

#[test]
fn the_label_of_mounts_is_text() {
    assert_eq!(accepted(&with("/linux/mountLabel", json!("a:b:c"))).mount_label.as_deref(), Some("a:b:c"));
    assert_eq!(accepted(&with("/linux/mountLabel", json!(""))).mount_label, None);
    refused(&with("/linux/mountLabel", json!("a\u{0}b")), "/linux/mountLabel");
}

#[test]
fn destinations_are_absolute_and_tidy_but_keep_their_way_up() {
    let destination = |path: &str| mount(&json!({"destination": path, "type": "tmpfs"})).destination;
    assert_eq!(destination("x/y"), "/x/y");
    assert_eq!(destination("//x/.//y/"), "/x/y");
    assert_eq!(destination("/x/../y"), "/x/../y");
    assert_eq!(destination("/"), "/");
    assert_eq!(destination("."), "/");
    for bad in [json!(""), json!(null), json!("/a\u{0}"), json!("x".repeat(4096))] {
        refused(&document(&json!({"destination": bad, "type": "tmpfs"})), "/mounts/0/destination");
    }
}

#[test]
fn strings_have_no_nul() {
    refused(&document(&json!({"destination": "/x", "type": "tmp\u{0}fs"})), "/mounts/0/type");
    let raw = json!({"destination": "/x", "type": "tmpfs", "options": ["ro", "mode=7\u{0}"]});
    refused(&document(&raw), "/mounts/0/options/1");
}

#[test]
fn proc_is_a_procfs_or_a_bind() {
    let at =
        |path: &str, fstype: &str| document(&json!({"destination": path, "type": fstype, "source": "/s"}));
    accepted(&at("/proc", "proc"));
    accepted(&at("/proc", "bind"));
    for fstype in ["tmpfs", "sysfs", "cgroup", "overlay"] {
        refused(&at("/proc", fstype), "/mounts/0/destination");
        refused(&at("x/.././proc/", fstype), "/mounts/0/destination");
    }
    accepted(&at("/proc2", "tmpfs"));
    accepted(&at("/x/proc", "tmpfs"));
    accepted(&at("/proc/..", "tmpfs"));
}

#[test]
fn the_folders_of_the_kernel_are_known_by_any_name() {
    let raw = |path: &str| mount(&json!({"destination": path, "type": "proc"}));
    for path in ["/proc", "proc", "/x/../proc", "/../proc/."] {
        assert!(raw(path).is_at_kernel_folder(), "{path}");
        assert_eq!(raw(path).target(), "/proc", "{path}");
    }
    assert!(!raw("/x/proc").is_at_kernel_folder());
    assert_eq!(raw("/x/../y").target(), "/x/../y");
}

#[test]
fn inside_proc_only_emulated_files_are_replaced() {
    let at =
        |path: &str, fstype: &str| document(&json!({"destination": path, "type": fstype, "source": "/s"}));
    for file in ["cpuinfo", "meminfo", "stat", "uptime", "loadavg", "swaps", "diskstats", "slabinfo"] {
        accepted(&at(&format!("/proc/{file}"), "bind"));
    }
    accepted(&at("/proc/sys/kernel/ns_last_pid", "bind"));
    accepted(&at("/proc/sys/crypto/fips_enabled", "bind"));
    for path in [
        "/proc/self/attr",
        "/proc/sys/net",
        "/proc/sys",
        "/proc/x/../kcore",
        "/x/../../proc/1",
        "/proc/cpuinfo/x",
    ] {
        for fstype in ["bind", "tmpfs", "proc"] {
            refused(&at(path, fstype), "/mounts/0/destination");
        }
    }
}

#[test]
fn positions_are_kept_and_numbers_bounded() {
    let list = |count: usize| json!(vec![json!({"destination": "/x", "type": "tmpfs"}); count]);
    let mounts = accepted(&with("/mounts", list(10_000))).mounts;
    assert!(mounts.iter().enumerate().all(|(index, mount)| mount.index == index));
    assert!(refused(&with("/mounts", list(10_001)), "/mounts").contains("at most 10000"));
}
