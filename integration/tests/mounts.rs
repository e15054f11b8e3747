//! The root file system and what is mounted in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use integration::harness::*;
use integration::{differs_from, on_hosts, skip};
use serde_json::{Value, json};

/// A mount namespace of the runtime's caller in which a test may mount things.
const PRIVATE: [&str; 4] = ["unshare", "--mount", "--propagation", "private"];

fn writable(config: &mut Config) {
    config["root"]["readonly"] = json!(false);
}

on_hosts! {
    fn the_default_mounts_have_their_types_and_options(host: Host) {
        let report = Sandbox::on(host).report(|_| {});
        let expected: [(&str, &str, &[&str]); 7] = [
            ("/", "ext4", &["ro"]),
            ("/proc", "proc", &["rw"]),
            ("/dev", "tmpfs", &["rw", "nosuid", "size=65536k", "mode=755"]),
            ("/dev/pts", "devpts", &["rw", "nosuid", "noexec", "gid=5", "mode=620", "ptmxmode=666"]),
            ("/dev/shm", "tmpfs", &["rw", "nosuid", "nodev", "noexec", "size=65536k"]),
            ("/dev/mqueue", "mqueue", &["rw", "nosuid", "nodev", "noexec"]),
            ("/sys", "sysfs", &["ro", "nosuid", "nodev", "noexec"]),
        ];
        for (destination, kind, options) in expected {
            let found = report.mount_options(destination);
            let missing: Vec<_> = options.iter().filter(|option| !found.contains(*option)).collect();
            assert!(missing.is_empty(), "{destination} lacks {missing:?}: {found:?}");
            let found = report.mount(destination).unwrap()["type"].as_str().unwrap();
            assert!(destination == "/" || found == kind, "{destination} is a {found}");
        }
        assert!(!report.mount_options("/dev").contains("relatime"), "strictatime was asked for");
    }

    fn nothing_of_the_host_is_mounted(host: Host) {
        let report = Sandbox::on(host).report(|_| {});
        let allowed = |destination: &str| {
            ["/", "/proc", "/dev", "/sys"].contains(&destination)
                || ["/dev/", "/proc/", "/sys/"].iter().any(|prefix| destination.starts_with(prefix))
        };
        let destinations = report["mounts"].as_array().unwrap().iter().map(|mount| mount["destination"].as_str().unwrap());
        let others: Vec<&str> = destinations.filter(|destination| !allowed(destination)).collect();
        assert_eq!(others, Vec::<&str>::new());
        let shared = report["mounts"].as_array().unwrap().iter().filter(|mount| {
            mount["propagation"].as_array().unwrap().iter().any(|tag| tag.as_str().unwrap().starts_with("shared"))
        });
        assert_eq!(shared.count(), 0, "nothing propagates to the host");
    }

    fn the_cgroup_tree_is_read_only(host: Host) {
        let controller = if host.has_v1() { "/sys/fs/cgroup/pids" } else { "/sys/fs/cgroup" };
        let file = format!("{controller}/cgroup.procs");
        let made = format!("{controller}/made");
        let attempts = ["write", &file, "1", "--", "mkdir", &made, "--", "list", controller];
        assert_eq!(Sandbox::on(host).attempt(&attempts, |_| {}), [libc::EROFS, libc::EROFS, 0]);
    }

    fn with_a_cgroup_namespace_the_tree_begins_at_the_container(host: Host) {
        let controller = if host.has_v1() { "/sys/fs/cgroup/pids" } else { "/sys/fs/cgroup" };
        let file = format!("{controller}/cgroup.procs");
        let report = Sandbox::on(host).report_with(&["--read", &file], |config| { config.namespace("cgroup"); });
        assert_eq!(report["read"][&file], "1", "only the container's process");
        let paths = report["cgroups"].as_object().unwrap();
        if host == Host::V2 {
            assert_eq!(paths[""], "/", "{paths:?}");
        } else {
            assert!(paths.values().all(|path| path == "/"), "{paths:?}");
        }
    }

    fn the_cgroup_tree_is_writable_if_asked_for(host: Host) {
        let made = if host.has_v1() { "/sys/fs/cgroup/pids/made" } else { "/sys/fs/cgroup/made" };
        let errnos = Sandbox::on(host).attempt(&["mkdir", made], |config| {
            config.namespace("cgroup").without_mount("/sys/fs/cgroup");
            config.mount(json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                "options": ["nosuid", "noexec", "nodev", "relatime"] }));
        });
        assert_eq!(errnos, [0]);
    }

    fn a_bind_of_a_folder_is_seen_in_both_directions(host: Host) {
        let sandbox = Sandbox::on(host);
        fs::create_dir(sandbox.file("shared")).unwrap();
        fs::write(sandbox.file("shared/in"), "from the host").unwrap();
        let attempts = ["read", "/tmp/in", "--", "create", "/tmp/out"];
        let errnos = sandbox.attempt(&attempts, |config| { config.bind(sandbox.file("shared"), "/tmp", &["rbind"]); });
        assert_eq!(errnos, [0, 0]);
        assert!(fs::metadata(sandbox.file("shared/out")).is_ok());
    }
}

#[test]
fn without_a_cgroup_namespace_a_v1_tree_is_that_of_the_container() {
    if !Host::Native.has_v1() {
        skip!("needs cgroup v1 controllers");
    }
    let file = "/sys/fs/cgroup/pids/cgroup.procs";
    let report = Sandbox::new().report_with(&["--read", file], |_| {});
    assert_eq!(report["read"][file], "1");
}

#[test]
fn a_v1_host_shows_each_controller_and_its_aliases() {
    if !Host::Native.has_v1() {
        skip!("needs cgroup v1 controllers");
    }
    let report = Sandbox::new().report_with(&["--list", "/sys/fs/cgroup"], |_| {});
    let listed: BTreeSet<&str> =
        report["list"]["/sys/fs/cgroup"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for controller in ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"] {
        assert!(listed.contains(controller), "{controller} is not in {listed:?}");
        let mount = report.mount(&format!("/sys/fs/cgroup/{controller}")).unwrap();
        assert_eq!(mount["type"], "cgroup", "{mount}");
    }
    if runtime().is_ours() {
        // The references leave the folder of the controllers' mount points writable.
        assert!(report.mount_options("/sys/fs/cgroup").contains("ro"));
    }
}

#[test]
fn a_read_only_root_cannot_be_written_and_another_can() {
    let attempts = ["create", "/made", "--", "mkdir", "/tmp/made"];
    assert_eq!(Sandbox::new().attempt(&attempts, |_| {}), [libc::EROFS, libc::EROFS]);
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.attempt(&attempts, writable), [0, 0]);
    assert!(sandbox.rootfs().join("made").is_file());
}

#[test]
fn a_bind_of_a_file() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("hosts"), "content").unwrap();
    let report = sandbox.report_with(&["--read", "/etc/hosts", "--stat", "/etc/hosts"], |config| {
        writable(config);
        config.bind(sandbox.file("hosts"), "/etc/hosts", &["rbind", "rprivate"]);
    });
    assert_eq!(report["read"]["/etc/hosts"], "content");
    let target = fs::metadata(sandbox.rootfs().join("etc/hosts")).unwrap();
    assert!(target.is_file() && target.len() == 0, "an empty file was made as the target");
}

#[test]
fn read_only_binds_cannot_be_written() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("shared")).unwrap();
    let errnos = sandbox.attempt(&["create", "/tmp/x", "--", "list", "/tmp"], |config| {
        config.bind(sandbox.file("shared"), "/tmp", &["rbind", "ro"]);
    });
    assert_eq!(errnos, [libc::EROFS, 0]);
}

#[test]
fn binds_take_the_flags_and_their_opposites() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("shared")).unwrap();
    copy_probe(&sandbox.path().join("shared/probe"));
    let report = sandbox.report(|config| {
        config.bind(sandbox.file("shared"), "/tmp", &["bind", "nosuid", "nodev", "noexec", "noatime"]);
    });
    let options = report.own_mount_options("/tmp");
    for option in ["rw", "nosuid", "nodev", "noexec", "noatime"] {
        assert!(options.contains(option), "{option}: {options:?}");
    }
    let errnos = sandbox.attempt(&["run", "/tmp/probe"], |config| {
        config.bind(sandbox.file("shared"), "/tmp", &["bind", "noexec"]);
    });
    assert_eq!(errnos, [libc::EACCES]);
    let errnos = sandbox.attempt(&["run", "/tmp/probe"], |config| {
        config.bind(sandbox.file("shared"), "/tmp", &["bind", "noexec", "exec"]);
    });
    assert_eq!(errnos, [0], "the last option wins");
}

#[test]
fn a_clearing_flag_on_a_bind_works() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("shared")).unwrap();
    let mount = format!("mount -t tmpfs -o ro,noexec tmpfs {}", sandbox.file("shared"));
    let sandbox_path = sandbox.file("shared");
    let sandbox = sandbox.wrapped(&PRIVATE).after_shell(&mount);
    let report = sandbox.report(|config| {
        config.bind(&sandbox_path, "/tmp", &["bind", "rw", "exec"]);
    });
    let options = report.own_mount_options("/tmp");
    assert!(!options.contains("noexec"), "{options:?}");
}

/// A sandbox whose folder `outer` has a tmpfs mounted at `outer/inner`, in the runtime's mount namespace.
fn nested() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let outer = sandbox.file("outer");
    fs::create_dir_all(format!("{outer}/inner")).unwrap();
    let mount = format!("mount -t tmpfs tmpfs {outer}/inner && touch {outer}/inner/deep");
    (sandbox.wrapped(&PRIVATE).after_shell(&mount), outer)
}

#[test]
fn only_recursive_binds_bring_the_mounts_below() {
    let (sandbox, outer) = nested();
    let attempts = ["open", "/tmp/inner/deep"];
    let recursive = sandbox.attempt(&attempts, |config| {
        config.bind(&outer, "/tmp", &["rbind"]);
    });
    assert_eq!(recursive, [0]);
    let single = sandbox.attempt(&attempts, |config| {
        config.bind(&outer, "/tmp", &["bind"]);
    });
    assert_eq!(single, [libc::ENOENT]);
}

#[test]
fn recursive_attributes_reach_the_mounts_below_and_plain_ones_do_not() {
    let (sandbox, outer) = nested();
    let attempts = ["create", "/tmp/x", "--", "create", "/tmp/inner/x"];
    let plain = sandbox.attempt(&attempts, |config| {
        config.bind(&outer, "/tmp", &["rbind", "ro"]);
    });
    assert_eq!(plain, [libc::EROFS, 0]);
    let recursive = sandbox.attempt(&attempts, |config| {
        config.bind(&outer, "/tmp", &["rbind", "rro"]);
    });
    assert_eq!(recursive, [libc::EROFS, libc::EROFS]);
}

#[test]
fn a_bind_by_type_needs_no_option() {
    differs_from!("runc", "it goes by the option alone");
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("shared")).unwrap();
    let errnos = sandbox.attempt(&["create", "/tmp/x"], |config| {
        config.mount(json!({ "type": "bind", "source": sandbox.file("shared"), "destination": "/tmp" }));
    });
    assert_eq!(errnos, [0]);
    assert!(fs::metadata(sandbox.file("shared/x")).is_ok());
}

#[test]
fn a_relative_source_is_in_the_bundle() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.bundle().join("data")).unwrap();
    let errnos = sandbox.attempt(&["create", "/tmp/x"], |config| {
        config.mount(json!({ "type": "bind", "source": "data", "destination": "/tmp", "options": ["bind"] }));
    });
    assert_eq!(errnos, [0]);
    assert!(sandbox.bundle().join("data/x").is_file());
}

#[test]
fn missing_targets_are_made() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.file("folder")).unwrap();
    fs::write(sandbox.file("file"), "x").unwrap();
    sandbox.report(|config| {
        writable(config);
        config.bind(sandbox.file("folder"), "/made/folder", &["bind"]);
        config.bind(sandbox.file("file"), "/made/for/file", &["bind"]);
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/made/tmpfs" }));
    });
    assert!(sandbox.rootfs().join("made/folder").is_dir());
    assert!(sandbox.rootfs().join("made/for/file").is_file());
    let mode = fs::metadata(sandbox.rootfs().join("made")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o755);
}

#[test]
fn a_tmpfs_takes_its_options_or_the_mode_of_its_target() {
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.rootfs().join("home"), PermissionsExt::from_mode(0o2711)).unwrap();
    let options = ["--stat", "/tmp", "--stat", "/home", "--stat", "/made"];
    let report = sandbox.report_with(&options, |config| {
        writable(config);
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/tmp", "options": ["size=1m", "mode=0700", "nr_inodes=64"] }));
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/home" }));
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/made" }));
    });
    let options = report.mount_options("/tmp");
    assert!(options.contains("size=1024k") && options.contains("nr_inodes=64"), "{options:?}");
    assert_eq!(report["stat"]["/tmp"]["mode"], "0700");
    assert_eq!(report["stat"]["/home"]["mode"], "2711");
    if runtime().is_ours() {
        assert_eq!(report["stat"]["/made"]["mode"], "1777");
    }
}

#[test]
fn destinations_are_resolved_inside_the_root() {
    let sandbox = Sandbox::new();
    symlink("/home", sandbox.rootfs().join("absolute")).unwrap();
    symlink("../../../tmp", sandbox.rootfs().join("relative")).unwrap();
    let report = sandbox.report(|config| {
        config.mount(json!({ "type": "tmpfs", "source": "one", "destination": "/absolute/app" }));
        config.mount(json!({ "type": "tmpfs", "source": "two", "destination": "/relative" }));
    });
    assert_eq!(report.mount("/home/app").unwrap()["source"], "one");
    assert_eq!(report.mount("/tmp").unwrap()["source"], "two");
}

#[test]
fn a_relative_destination_begins_at_the_root() {
    let report = Sandbox::new().report(|config| {
        config["process"]["cwd"] = json!("/etc");
        config.mount(json!({ "type": "tmpfs", "source": "relative", "destination": "home/app" }));
    });
    assert_eq!(report.mount("/home/app").unwrap()["source"], "relative");
}

#[test]
fn later_mounts_are_above_earlier_ones() {
    let report = Sandbox::new().report(|config| {
        config.mount(json!({ "type": "tmpfs", "source": "first", "destination": "/tmp" }));
        config.mount(json!({ "type": "tmpfs", "source": "second", "destination": "/tmp" }));
        config.mount(json!({ "type": "tmpfs", "source": "third", "destination": "/tmp/below" }));
    });
    assert_eq!(report.mount("/tmp").unwrap()["source"], "second");
    assert_eq!(report.mount("/tmp/below").unwrap()["source"], "third");
}

/// Binds of folders of the host in this order, each at a destination; the destinations as the container sees them.
fn binds_at(sandbox: &Sandbox, destinations: &[&str]) -> Report {
    sandbox.report(|config| {
        for (number, destination) in destinations.iter().enumerate() {
            let folder = sandbox.file(&format!("folder-{number}"));
            fs::create_dir_all(format!("{folder}/below")).unwrap();
            config.bind(folder, destination, &["rbind"]);
        }
    })
}

#[test]
fn binds_beside_each_other_are_where_the_config_says() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.rootfs().join("a/x")).unwrap();
    fs::create_dir_all(sandbox.rootfs().join("elsewhere")).unwrap();
    symlink("/elsewhere", sandbox.rootfs().join("a/link")).unwrap();
    symlink("/missing", sandbox.rootfs().join("a/dangling")).unwrap();
    // A neighbour, one on a link, one that is missing, one below another, and neighbours of what is covered since.
    let destinations = ["/a/x", "/a/link", "/a/dangling", "/a/made", "/a/x/below", "/a", "/a/below", "/a/x"];
    let report = binds_at(&sandbox, &destinations);
    let places = ["/a/x", "/elsewhere", "/missing", "/a/made", "/a/x/below", "/a", "/a/below", "/a/x"];
    let root = |mount: &Value| mount["root"].as_str().unwrap_or_default().to_owned();
    for (number, place) in places.iter().enumerate() {
        let folder = format!("/folder-{number}");
        let mounts = report["mounts"].as_array().unwrap().iter();
        let mut found = mounts.filter(|mount| root(mount).ends_with(&folder));
        assert_eq!(found.next().unwrap()["destination"], *place, "{folder}");
        assert!(found.next().is_none(), "{folder} is there once");
    }
    // The last ones are in the folder that was mounted on /a, which shows those who look inside.
    assert!(
        fs::metadata(sandbox.file("folder-5/x")).unwrap().is_dir(),
        "a missing target is made where it is seen"
    );
}

/// More binds in a row than are lent in one turn, file systems between them, and with a tmpfs filled from a bind before
/// it also what the host makes.
fn in_all_ways(config: &mut Config, folder: &str) -> Vec<String> {
    writable(config);
    for number in 0..80 {
        config.bind(folder, &format!("/many/{number}"), &["rbind", "ro"]);
    }
    config.mount(json!({ "type": "tmpfs", "source": "over", "destination": "/many/3" }));
    config.bind(folder, "/many/3/inside", &["bind"]);
    config.bind(folder, "/copy", &["bind"]);
    let copied =
        json!({ "type": "tmpfs", "source": "copied", "destination": "/copy", "options": ["tmpcopyup"] });
    config.mount(copied);
    config.mount(json!({ "type": "tmpfs", "source": "last", "destination": "/last" }));
    let mounts = config["mounts"].as_array().unwrap().iter();
    mounts.map(|mount| mount["destination"].as_str().unwrap().to_owned()).collect()
}

on_hosts! {
    fn mounts_are_listed_in_the_order_of_the_config(host: Host) {
        let sandbox = Sandbox::on(host);
        let folder = sandbox.file("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(format!("{folder}/file"), "content").unwrap();
        let mut wanted = Vec::new();
        let report =
            sandbox.report_with(&["--read", "/copy/file"], |config| wanted = in_all_ways(config, &folder));
        let listed = report["mounts"].as_array().unwrap().iter().map(|mount| mount["destination"].as_str().unwrap());
        let listed: Vec<&str> = listed.filter(|place| wanted.iter().any(|wanted| wanted == place)).collect();
        assert_eq!(listed, wanted);
        assert_eq!(report["read"]["/copy/file"], "content");
    }
}

#[test]
fn hundreds_of_mounts() {
    let report = Sandbox::new().report(|config| {
        config.mount(json!({ "type": "tmpfs", "source": "all", "destination": "/tmp" }));
        for number in 0..300 {
            config
                .mount(json!({ "type": "tmpfs", "source": "one", "destination": format!("/tmp/{number}") }));
        }
    });
    let ours = report["mounts"].as_array().unwrap().iter().filter(|mount| mount["source"] == "one");
    assert_eq!(ours.count(), 300);
}

/// Binds of `count` folders of the host, under a limit of 1024 open files.
fn with_binds(count: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.mount(json!({ "type": "tmpfs", "source": "all", "destination": "/tmp" }));
        for number in 0..count {
            let folder = sandbox.file(&format!("folders/{number}"));
            fs::create_dir_all(&folder).unwrap();
            config.bind(folder, &format!("/tmp/{number}"), &["rbind", "ro"]);
        }
    });
    sandbox.after_shell("ulimit -Sn 1024")
}

#[test]
fn hundreds_of_binds_need_no_more_descriptors_than_there_are() {
    let report = Report::parse(&with_binds(900).run().success().stdout());
    let mounts = report["mounts"].as_array().unwrap().iter();
    let ours = mounts.filter(|mount| mount["root"].as_str().is_some_and(|root| root.contains("/folders/")));
    assert_eq!(ours.count(), 900);
    if runtime().is_ours() {
        let sandbox = with_binds(1100);
        sandbox.with_bundle("create", &[]).output().fails_saying("ulimit -n");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn too_few_descriptors_at_any_step_leave_nothing_behind() {
    differs_from!("runc", "it ends in a panic");
    let code = |limit: u32| {
        let sandbox = Sandbox::new().after_shell(&format!("ulimit -n {limit}"));
        let output = sandbox.run_probe(&["exit", "0"], |config| {
            config["process"].as_object_mut().unwrap().remove("rlimits");
            config.mount(json!({ "type": "tmpfs", "source": "all", "destination": "/tmp" }));
            for number in 0..20 {
                config.bind("/etc", &format!("/tmp/{number}"), &["rbind"]);
            }
        });
        sandbox.assert_nothing_left();
        let code = output.code();
        if code != 0 {
            output.fails_saying("EMFILE");
        }
        code
    };
    let codes: Vec<i32> = (10..75).map(code).collect();
    assert!(codes.is_sorted_by(|one, next| one >= next), "{codes:?}");
    assert_eq!((codes.first(), codes.last()), (Some(&1), Some(&0)), "{codes:?}");
}

on_hosts! {
    fn without_pivot_root_the_container_works_and_sees_no_more(host: Host) {
        let sandbox = Sandbox::on(host);
        let output = sandbox.with_bundle("run", &["--no-pivot"]).output().success();
        let report = Report::parse(&output.stdout());
        assert_eq!(report["cwd"], "/");
        assert!(report.mount("/proc").is_some());
        let attempts = ["try", "list", "/work", "--", "open", "/etc/passwd", "--", "open", "/../../etc/shadow"];
        sandbox.configure(|config| { config.probe(&attempts); });
        let output = sandbox.with_bundle("run", &["--no-pivot"]).output().success();
        assert_eq!(errnos(&output.stdout()), [libc::ENOENT, 0, libc::ENOENT]);
    }
}

#[test]
fn mounts_that_cannot_be_made_are_errors_that_name_them() {
    let cases = [
        (json!({ "type": "nosuchfs", "source": "x", "destination": "/tmp" }), "no such device"),
        (
            json!({ "type": "bind", "source": "/no/such/source", "destination": "/tmp", "options": ["bind"] }),
            "/no/such/source",
        ),
        (
            json!({ "type": "tmpfs", "source": "x", "destination": "/tmp", "options": ["no-such-option"] }),
            "/tmp",
        ),
        (
            json!({ "type": "bind", "source": "/etc", "destination": "/etc/passwd", "options": ["bind"] }),
            "not a directory",
        ),
        (
            json!({ "type": "bind", "source": "/etc/passwd", "destination": "/tmp", "options": ["bind"] }),
            "directory",
        ),
    ];
    for (mount, text) in cases {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| {
            config.mount(mount);
        });
        let error = sandbox.with_bundle("create", &[]).output().fails_saying(text);
        if runtime().is_ours() {
            assert!(error.contains("/mounts/7"), "the JSON pointer: {error}");
        }
        sandbox.assert_nothing_left();
    }
}
