//! Every option of the specification's table, on file systems and on binds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::os::unix::fs::symlink;

use integration::differs_from;
use integration::harness::*;
use serde_json::{Value, json};

const PRIVATE: [&str; 4] = ["unshare", "--mount", "--propagation", "private"];

/// Each attribute: the option that sets it, the one that takes it back, and what mountinfo shows.
const ATTRIBUTES: [(&str, &str, &str); 6] = [
    ("ro", "rw", "ro"),
    ("nosuid", "suid", "nosuid"),
    ("nodev", "dev", "nodev"),
    ("noexec", "exec", "noexec"),
    ("nodiratime", "diratime", "nodiratime"),
    ("nosymfollow", "symfollow", "nosymfollow"),
];

/// Choices of access times, and what mountinfo shows: nothing for strictatime.
const TIMES: [(&str, Option<&str>); 6] = [
    ("noatime", Some("noatime")),
    ("strictatime", None),
    ("relatime", Some("relatime")),
    ("atime", Some("relatime")),
    ("norelatime", Some("relatime")),
    ("nostrictatime", Some("relatime")),
];

fn tmpfs(destination: &str, options: &[&str]) -> Value {
    json!({ "type": "tmpfs", "source": "tmpfs", "destination": destination, "options": options })
}

/// A container with one tmpfs an entry of `lists`, at /tmp/0, /tmp/1 and so on.
fn file_systems(lists: &[Vec<&str>]) -> Report {
    Sandbox::new().report(|config| {
        config.mount(tmpfs("/tmp", &[]));
        for (number, options) in lists.iter().enumerate() {
            config.mount(tmpfs(&format!("/tmp/{number}"), options));
        }
    })
}

/// The same of binds of a tmpfs that the host has mounted with `flags`, with another one mounted below.
fn binds(flags: &str, lists: &[Vec<&str>]) -> Report {
    let sandbox = Sandbox::new();
    let folder = sandbox.file("folder");
    fs::create_dir(&folder).unwrap();
    let lines = format!(
        "mount -t tmpfs tmpfs {folder} && mkdir {folder}/inner && mount -t tmpfs -o {flags} tmpfs {folder}/inner && mount -o remount,bind,{flags} {folder}"
    );
    let sandbox = sandbox.wrapped(&PRIVATE).after_shell(&lines);
    sandbox.report(|config| {
        config.mount(tmpfs("/tmp", &[]));
        for (number, options) in lists.iter().enumerate() {
            let options: Vec<&str> = ["rbind"].iter().chain(options).copied().collect();
            config.bind(&folder, &format!("/tmp/{number}"), &options);
        }
    })
}

fn shows(report: &Report, number: usize, below: &str, word: &str) -> bool {
    report.own_mount_options(&format!("/tmp/{number}{below}")).contains(word)
}

#[test]
fn every_attribute_of_a_new_file_system() {
    let mut lists: Vec<Vec<&str>> = Vec::new();
    for (on, off, _) in ATTRIBUTES {
        lists.extend([vec![on], vec![on, off], vec![off, on]]);
    }
    let report = file_systems(&lists);
    for (number, (on, _, word)) in ATTRIBUTES.iter().enumerate() {
        let found = [0, 1, 2].map(|place| shows(&report, number * 3 + place, "", word));
        assert_eq!(found, [true, false, true], "{on}");
    }
}

#[test]
fn every_attribute_of_a_bind_is_set_and_cleared() {
    differs_from!("runc", "it does not clear nodiratime");
    let mut lists: Vec<Vec<&str>> = Vec::new();
    for (on, off, _) in ATTRIBUTES {
        lists.extend([vec![on], vec![off]]);
    }
    for (flags, unchanged) in [("rw", false), ("ro,nosuid,nodev,noexec,nodiratime,nosymfollow", true)] {
        let report = binds(flags, &lists);
        for (number, (on, _, word)) in ATTRIBUTES.iter().enumerate() {
            assert!(shows(&report, number * 2, "", word), "{on} on {flags}");
            assert!(!shows(&report, number * 2 + 1, "", word), "not {on} on {flags}");
            for place in [0, 1] {
                assert_eq!(
                    shows(&report, number * 2 + place, "/inner", word),
                    unchanged,
                    "{on} below, on {flags}"
                );
            }
        }
    }
}

#[test]
fn recursive_attributes_set_and_clear_what_is_below() {
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for (set, clear, _) in ATTRIBUTES {
        on.push(format!("r{set}"));
        off.push(format!("r{clear}"));
    }
    for (flags, options, expected) in
        [("rw", on, true), ("ro,nosuid,nodev,noexec,nodiratime,nosymfollow", off, false)]
    {
        let lists: Vec<Vec<&str>> = options.iter().map(|option| vec![option.as_str()]).collect();
        let report = binds(flags, &lists);
        for (number, (name, _, word)) in ATTRIBUTES.iter().enumerate() {
            for below in ["", "/inner"] {
                assert_eq!(shows(&report, number, below, word), expected, "{name} of {below:?} on {flags}");
            }
        }
    }
}

#[test]
fn every_choice_of_access_times() {
    let plain: Vec<Vec<&str>> = TIMES.iter().map(|(option, _)| vec![*option]).collect();
    let recursive: Vec<String> = TIMES.iter().map(|(option, _)| format!("r{option}")).collect();
    let recursive: Vec<Vec<&str>> = recursive.iter().map(|option| vec![option.as_str()]).collect();
    let reports = [
        (file_systems(&plain), ""),
        (binds("relatime", &plain), ""),
        (binds("relatime", &recursive), "/inner"),
    ];
    for (report, below) in reports {
        for (number, (option, expected)) in TIMES.iter().enumerate() {
            for word in ["noatime", "relatime"] {
                assert_eq!(shows(&report, number, below, word), *expected == Some(word), "{option} {below}");
            }
        }
    }
}

#[test]
fn links_are_not_followed_where_that_is_forbidden() {
    let sandbox = Sandbox::new();
    let folder = sandbox.file("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(format!("{folder}/file"), "x").unwrap();
    symlink("file", format!("{folder}/link")).unwrap();
    let errnos = sandbox.attempt(&["open", "/tmp/file", "--", "open", "/tmp/link"], |config| {
        config.bind(&folder, "/tmp", &["rbind", "nosymfollow"]);
    });
    assert_eq!(errnos, [0, libc::ELOOP]);
}

#[test]
fn flags_of_the_superblock_reach_a_new_file_system() {
    differs_from!("runc", "it hands defaults to the file system");
    let lists = [
        vec!["sync"],
        vec!["dirsync"],
        vec!["lazytime"],
        vec!["sync", "async"],
        vec!["lazytime", "nolazytime"],
        vec!["mand"],
        vec!["nomand", "silent", "loud", "defaults"],
    ];
    let report = file_systems(&lists);
    let found = |number: usize, word: &str| report.mount_options(&format!("/tmp/{number}")).contains(word);
    assert!(found(0, "sync") && found(1, "dirsync") && found(2, "lazytime"));
    assert!(!found(3, "sync") && !found(4, "lazytime"));
}

#[test]
fn options_without_effect_are_warned_of() {
    differs_from!("runc", "it is silent");
    differs_from!("crun", "it is silent");
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("folder")).unwrap();
    for (options, text) in [
        (vec!["bind", "sync"], "no effect on a bind mount: sync"),
        (vec!["rbind", "mode=700,uid=1"], "no effect on a bind mount: mode, uid"),
        (vec!["bind", "nonsense"], "no effect on a bind mount: nonsense"),
        (vec!["bind", "iversion"], "/mounts/7/options/1"),
    ] {
        sandbox.configure(|config| {
            config.bind(sandbox.file("folder"), "/tmp", &options);
        });
        let output = sandbox.run().success();
        assert!(output.stderr().contains(text), "{options:?}: {:?}", output.stderr());
    }
    sandbox.configure(|config| {
        config.mount(tmpfs("/tmp", &["nonsense"]));
    });
    sandbox.with_bundle("create", &[]).output().fails_saying("/mounts/7");
    sandbox.assert_nothing_left();
}

#[test]
fn a_remount_changes_what_is_there() {
    differs_from!("runc", "it opens the source of a bind that is a remount");
    let sandbox = Sandbox::new();
    let report = sandbox.report(|config| {
        config.mount(tmpfs("/tmp", &["nosuid", "nodev", "size=1m"]));
        config.mount(json!({ "type": "none", "source": "none", "destination": "/tmp", "options": ["bind", "remount", "ro", "nosuid", "nodev"] }));
        config.mount(tmpfs("/home", &["noexec", "size=1m"]));
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/home", "options": ["remount", "size=2m", "noexec"] }));
    });
    let options = report.mount_options("/tmp");
    for word in ["ro", "nosuid", "nodev", "size=1024k"] {
        assert!(options.contains(word), "{word}: {options:?}");
    }
    let options = report.mount_options("/home");
    assert!(options.contains("size=2048k") && options.contains("noexec"), "{options:?}");
    let mounts = report["mounts"].as_array().unwrap().iter();
    assert_eq!(mounts.filter(|mount| mount["destination"] == "/tmp").count(), 1, "nothing is put on top");
}

#[test]
fn a_remount_keeps_what_it_does_not_name() {
    differs_from!("runc", "it clears what is not named");
    differs_from!("crun", "it clears what is not named");
    let report = Sandbox::new().report(|config| {
        config.mount(tmpfs("/tmp", &["nosuid", "noexec"]));
        config.mount(json!({ "destination": "/tmp", "options": ["remount", "ro", "exec", "rprivate"] }));
    });
    let options = report.own_mount_options("/tmp");
    assert!(
        options.contains("nosuid") && options.contains("ro") && !options.contains("noexec"),
        "{options:?}"
    );
}

#[test]
fn only_a_mount_can_be_remounted() {
    for options in [json!(["remount", "ro"]), json!(["remount", "size=1m"])] {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.mount(
                json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/home", "options": options }),
            );
        });
        let output = sandbox.with_bundle("create", &[]).output();
        let error = output.fails_saying("/home");
        assert!(!runtime().is_ours() || error.contains("/mounts/7"), "{error}");
        sandbox.assert_nothing_left();
    }
}

/// A bind of a tmpfs with `nosuid,nodev,noexec` of the host into a container with a user namespace.
fn from_host(change: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    std::os::unix::fs::chown(sandbox.rootfs(), Some(100_000), Some(100_000)).unwrap();
    let folder = sandbox.file("folder");
    fs::create_dir(&folder).unwrap();
    let mount = format!("mount -t tmpfs -o nosuid,nodev,noexec,noatime tmpfs {folder}");
    let sandbox = sandbox.wrapped(&PRIVATE).after_shell(&mount);
    sandbox.configure(|config| {
        config.user_namespace(100_000, 65536);
        config.bind(&folder, "/tmp", &["rbind"]);
        config.mount(json!({ "type": "none", "source": "none", "destination": "/tmp", "options": change }));
    });
    sandbox
}

#[test]
fn flags_of_the_hosts_mount_are_kept() {
    differs_from!("runc", "it opens the source of a bind that is a remount");
    let report = Report::parse(&from_host(&["bind", "remount", "ro"]).run().success().stdout());
    let options = report.own_mount_options("/tmp");
    for word in ["ro", "nosuid", "nodev", "noexec", "noatime"] {
        assert!(options.contains(word), "{word}: {options:?}");
    }
}

/// What the host's mounts forbid stays forbidden for a root that may mount in its user namespace; what the configuration
/// forbids is its own affair.
#[test]
fn the_containers_root_cannot_clear_flags_of_the_host() {
    let sandbox = Sandbox::new();
    std::os::unix::fs::chown(sandbox.rootfs(), Some(100_000), Some(100_000)).unwrap();
    let [forbidden, allowed] = ["forbidden", "allowed"].map(|name| {
        let folder = sandbox.file(name);
        fs::create_dir(&folder).unwrap();
        folder
    });
    let mount = format!(
        "mount -t tmpfs -o ro,nosuid,nodev tmpfs {forbidden} && mkdir {allowed}/below \
         && mount -t tmpfs -o ro,mode=755 tmpfs {allowed}/below"
    );
    let sandbox = sandbox.wrapped(&PRIVATE).after_shell(&mount);
    let tries = ["clear-flags", "/tmp", "--", "clear-flags", "/home/below", "--", "clear-flags", "/home"];
    let errnos = sandbox.attempt(&tries, |config| {
        let all = ["bounding", "permitted", "effective"];
        config.user_namespace(100_000, 65536).capabilities(&all, &["CAP_SYS_ADMIN"]);
        config.bind(&forbidden, "/tmp", &["rbind"]);
        config.bind(&allowed, "/home", &["rbind", "nosuid"]);
    });
    assert_eq!(errnos, [libc::EPERM, libc::EPERM, 0]);
}

/// In a user namespace of the runtime's own, the flags of the host's mounts are locked for it.
#[test]
fn clearing_a_locked_flag_is_an_error() {
    let inside = "exec unshare --user --map-root-user --mount \"$@\"";
    for option in ["suid", "dev", "exec", "strictatime", "rsuid"] {
        let sandbox = Sandbox::new();
        let folder = sandbox.file("folder");
        fs::create_dir(&folder).unwrap();
        let mount = format!("mount -t tmpfs -o nosuid,nodev,noexec,noatime tmpfs {folder}");
        let sandbox = sandbox.wrapped(&PRIVATE).after_shell(&mount).wrapped(&["sh", "-c", inside, "sh"]);
        sandbox.configure(|config| {
            // The default ones name a group that this user namespace does not have.
            config["mounts"] = json!([]);
            config.bind(&folder, "/tmp", &["rbind", option]);
        });
        let error = sandbox.with_bundle("create", &[]).output().fails_saying("");
        if runtime().is_ours() {
            assert!(error.contains("/mounts/0") && error.contains("locked"), "{option}: {error}");
        }
        sandbox.assert_nothing_left();
    }
}

/// Layers whose names together are longer than `length`.
fn layers(sandbox: &Sandbox, length: usize) -> Vec<String> {
    let mut layers = Vec::new();
    while layers.iter().map(|layer: &String| layer.len() + 1).sum::<usize>() <= length {
        let layer = sandbox.file(&format!("layers/{}", layers.len()));
        fs::create_dir_all(&layer).unwrap();
        fs::write(format!("{layer}/{}", layers.len()), "").unwrap();
        layers.push(layer);
    }
    layers
}

fn overlay(sandbox: &Sandbox, layers: &[String]) -> Value {
    for folder in ["upper", "work"] {
        fs::create_dir_all(sandbox.file(folder)).unwrap();
    }
    let options = [
        format!("lowerdir={}", layers.join(":")),
        format!("upperdir={}", sandbox.file("upper")),
        format!("workdir={}", sandbox.file("work")),
        "nosuid".to_owned(),
        "noatime".to_owned(),
    ];
    json!({ "type": "overlay", "source": "overlay", "destination": "/tmp", "options": options })
}

#[test]
fn options_of_any_length_reach_the_file_system() {
    for length in [300, 3000, 8000] {
        if length > 4096 && !runtime().is_ours() {
            continue; // mount(2) takes no more than a page.
        }
        // On a tmpfs: overlay does not take a folder of the host's overlay as its upper one.
        let sandbox = Sandbox::new();
        let layers = layers(&sandbox, length);
        let report = sandbox.report_with(&["--list", "/tmp"], |config| {
            config.mount(overlay(&sandbox, &layers));
        });
        assert_eq!(report["list"]["/tmp"].as_array().unwrap().len(), layers.len(), "{length} bytes");
        let options = report.own_mount_options("/tmp");
        assert!(options.contains("nosuid") && options.contains("noatime"), "{options:?}");
        assert_eq!(report.mount("/tmp").unwrap()["type"], "overlay");
    }
}

#[test]
fn a_value_that_no_call_takes_is_an_error() {
    differs_from!("runc", "it cuts the value");
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.mount(tmpfs("/tmp", &[&format!("size={}", "1".repeat(5000))]));
    });
    let output = sandbox.with_bundle("create", &[]).output();
    if runtime().is_ours() {
        output.fails_saying("/mounts/7/options: the value of size is longer");
    } else {
        output.exits_with(1);
    }
    sandbox.assert_nothing_left();
}

#[test]
fn a_label_without_selinux_is_warned_of() {
    differs_from!("runc", "it fails");
    let sandbox = Sandbox::new();
    sandbox
        .configure(|config| config["linux"]["mountLabel"] = json!("system_u:object_r:container_file_t:s0"));
    if fs::exists("/sys/fs/selinux/enforce").unwrap() {
        let report = Report::parse(&sandbox.run().success().stdout());
        assert!(report.mount("/dev").unwrap()["superblock"].to_string().contains("container_file_t"));
        return;
    }
    let output = sandbox.run().success();
    if runtime().is_ours() {
        assert!(output.stderr().contains("/linux/mountLabel"), "{}", output.stderr());
    }
}

#[test]
fn a_read_only_tmpfs_takes_the_places_of_what_is_mounted_in_it() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("volume")).unwrap();
    for (options, user) in [(&["ro"][..], false), (&["ro"], true), (&["ro", "tmpcopyup"], false)] {
        let attempts =
            ["create", "/tmp/made", "--", "create", "/tmp/folder/made", "--", "list", "/tmp/volume"];
        let errnos = sandbox.attempt(&attempts, |config| {
            if user {
                config.user_namespace(100_000, 65_536);
            }
            config
                .mount(json!({ "type": "tmpfs", "source": "a", "destination": "/tmp", "options": options }));
            config.bind(sandbox.file("volume"), "/tmp/volume", &["rbind", "ro"]);
            config.mount(json!({ "type": "tmpfs", "source": "b", "destination": "/tmp/folder" }));
        });
        assert_eq!(errnos, [libc::EROFS, 0, 0], "{options:?}, user {user}");
    }
}

#[test]
fn what_covers_a_read_only_tmpfs_stays_writable() {
    differs_from!("runc", "it makes read-only what is at the path in the end");
    let errnos = Sandbox::new().attempt(&["create", "/tmp/made"], |config| {
        config.mount(json!({ "type": "tmpfs", "source": "a", "destination": "/tmp", "options": ["ro"] }));
        config.mount(json!({ "type": "tmpfs", "source": "b", "destination": "/tmp" }));
        config.mount(json!({ "type": "tmpfs", "source": "c", "destination": "/tmp/below" }));
    });
    assert_eq!(errnos, [0]);
}
