//! Attacks of the past, each as a hostile bundle; what counts is that the host is unchanged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use integration::harness::*;
use integration::{differs_from, on_hosts};
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use serde_json::{Value, json};

/// Content, size, mode and times of the runtime's own file.
fn runtime_file() -> (Vec<u8>, u64, u32, i64) {
    let metadata = fs::metadata(runtime().path()).unwrap();
    (fs::read(runtime().path()).unwrap(), metadata.size(), metadata.mode(), metadata.mtime_nsec())
}

fn executable(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A folder of the host that an attacker wants something to appear in.
fn decoy(sandbox: &Sandbox) -> std::path::PathBuf {
    let folder = sandbox.path().join("decoy");
    fs::create_dir(&folder).unwrap();
    for name in ["ptmx", "null", "console", "file"] {
        fs::write(folder.join(name), "untouched").unwrap();
    }
    folder
}

#[track_caller]
fn assert_untouched(folder: &Path) {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["console", "file", "null", "ptmx"]);
    for name in names {
        let metadata = fs::symlink_metadata(folder.join(&name)).unwrap();
        assert!(metadata.is_file() && metadata.mode() & 0o777 == 0o644, "{name}");
        assert_eq!(fs::read_to_string(folder.join(&name)).unwrap(), "untouched");
    }
}

// CVE-2019-5736

#[test]
fn the_runtimes_file_is_not_changed_through_proc_self_exe() {
    let before = runtime_file();
    let entrypoints: [(&str, &[u8]); 2] = [("script", b"#!/proc/self/exe\n"), ("nested", b"#!/script\n")];
    for name in ["/proc/self/exe", "/script", "/nested", "/link"] {
        let sandbox = Sandbox::new();
        for (file, content) in entrypoints {
            executable(&sandbox.rootfs().join(file), content);
        }
        symlink("/proc/self/exe", sandbox.rootfs().join("link")).unwrap();
        sandbox.configure(|config| {
            config["process"]["args"] = json!([name]);
            config["process"]["noNewPrivileges"] = json!(false);
        });
        // Whether such a program runs is not the question.
        drop(sandbox.run());
        sandbox.assert_nothing_left();
    }
    assert!(runtime_file() == before, "the runtime's file was changed");
}

#[test]
fn an_interpreter_of_proc_self_exe_does_not_change_the_runtimes_file() {
    let before = runtime_file();
    let sandbox = Sandbox::new();
    // A program whose interpreter has been replaced, if one is dynamically linked on this host.
    let mut program = fs::read("/bin/true").unwrap();
    let interpreter = b"/lib64/ld-linux-x86-64.so.2\0";
    let Some(place) = program.windows(interpreter.len()).position(|window| window == interpreter) else {
        integration::skip!("no dynamically linked program to change");
    };
    let mut replacement = b"/proc/self/exe\0".to_vec();
    replacement.resize(interpreter.len(), 0);
    program[place..place + interpreter.len()].copy_from_slice(&replacement);
    executable(&sandbox.rootfs().join("program"), &program);
    sandbox.configure(|config| config["process"]["args"] = json!(["/program"]));
    drop(sandbox.run());
    sandbox.assert_nothing_left();
    assert!(runtime_file() == before, "the runtime's file was changed");
}

on_hosts! {
    fn the_waiting_first_process_gives_no_writable_executable(host: Host) {
        let sandbox = Sandbox::on(host);
        sandbox.configure(|config| { config.probe(&["pause"]); });
        let container = sandbox.create();
        fs::File::options().write(true).open(container.proc("exe")).unwrap_err();
        // "Text file busy" would hold only until the process is gone; a read-only mount holds for ever.
        let flags = rustix::fs::statvfs(container.proc("exe")).unwrap().f_flag;
        assert!(flags.contains(rustix::fs::StatVfsMountFlags::RDONLY), "{flags:?}");
        // Nor can its file be replaced by name through that link, for it is not the file on the host.
        let running = fs::metadata(container.proc("exe")).unwrap();
        let mode = running.mode();
        let _ = fs::set_permissions(container.proc("exe"), fs::Permissions::from_mode(0o777));
        assert_eq!(fs::metadata(container.proc("exe")).unwrap().mode(), mode);
    }
}

// CVE-2019-18837, CVE-2024-45310: destinations that lead out of the root

#[test]
fn a_destination_through_a_link_to_the_host_stays_inside() {
    let sandbox = Sandbox::new();
    let decoy = decoy(&sandbox);
    symlink(&decoy, sandbox.rootfs().join("x")).unwrap();
    symlink(format!("../../../../../../..{}", decoy.display()), sandbox.rootfs().join("y")).unwrap();
    fs::write(sandbox.file("source"), "bound").unwrap();
    sandbox.configure(|config| {
        config["root"]["readonly"] = json!(false);
        config.bind(sandbox.file("source"), "/x/file", &["bind"]);
        config.bind(sandbox.file("source"), "/y/made/here", &["bind"]);
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/x/folder" }));
        config["linux"]["devices"] = json!([{ "path": "/x/device", "type": "c", "major": 1, "minor": 3 }]);
        config["process"]["cwd"] = json!("/x/cwd");
    });
    drop(sandbox.run());
    assert_untouched(&decoy);
    sandbox.assert_nothing_left();
}

#[test]
fn endless_and_long_chains_of_links_end_in_an_error() {
    let sandbox = Sandbox::new();
    symlink("/two", sandbox.rootfs().join("one")).unwrap();
    symlink("/one", sandbox.rootfs().join("two")).unwrap();
    sandbox.configure(|config| {
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/one" }));
    });
    sandbox.with_bundle("create", &[]).output().exits_with(1);
    sandbox.assert_nothing_left();
    let sandbox = Sandbox::new();
    for number in 0..4096 {
        symlink(format!("/tmp/{}", number + 1), sandbox.rootfs().join(format!("tmp/{number}"))).unwrap();
    }
    sandbox.configure(|config| {
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/tmp/0" }));
    });
    sandbox.with_bundle("create", &[]).output().exits_with(1);
    sandbox.assert_nothing_left();
}

// CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642

#[test]
fn proc_and_sys_are_not_mounted_on_links() {
    for folder in ["proc", "sys"] {
        let sandbox = Sandbox::new();
        fs::remove_dir(sandbox.rootfs().join(folder)).unwrap();
        fs::create_dir(sandbox.rootfs().join("elsewhere")).unwrap();
        symlink("/elsewhere", sandbox.rootfs().join(folder)).unwrap();
        sandbox.with_bundle("create", &[]).output().fails_saying("must be mounted on ordinary directory");
        sandbox.assert_nothing_left();
    }
}

#[test]
fn proc_is_not_replaced_by_another_file_system() {
    let sandbox = Sandbox::new();
    let fake = sandbox.file("fake");
    fs::create_dir_all(format!("{fake}/self/attr")).unwrap();
    fs::write(format!("{fake}/self/attr/exec"), "").unwrap();
    sandbox.configure(|config| {
        config.without_mount("/proc");
        config.bind(&fake, "/proc", &["rbind"]);
    });
    let error = sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
    assert!(error.contains("/proc"), "{error}");
    sandbox.assert_nothing_left();
    sandbox.configure(|config| {
        config.without_mount("/proc");
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/proc" }));
    });
    sandbox.with_bundle("create", &[]).output().exits_with(1);
    sandbox.assert_nothing_left();
}

#[test]
fn nothing_is_mounted_inside_proc() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.file("fake"), "fake").unwrap();
    sandbox.configure(|config| {
        config.bind(sandbox.file("fake"), "/proc/self/attr/exec", &["bind"]);
    });
    sandbox.with_bundle("create", &[]).output().exits_with(1);
    sandbox.assert_nothing_left();
}

// CVE-2021-30465: a target swapped for a link while containers are created

#[test]
fn a_target_that_is_swapped_for_a_link_never_leads_outside() {
    let sandbox = Sandbox::new();
    let decoy = decoy(&sandbox);
    let (folder, link) = (sandbox.rootfs().join("swap"), sandbox.rootfs().join("swap-link"));
    fs::create_dir(&folder).unwrap();
    symlink(&decoy, &link).unwrap();
    fs::write(sandbox.file("source"), "bound").unwrap();
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
        config["root"]["readonly"] = json!(false);
        config.bind(sandbox.file("source"), "/swap/made", &["bind"]);
        config.bind(sandbox.file("source"), "/swap/file", &["bind"]);
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/swap/folder/below" }));
    });
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for _ in 0..100 {
            let code = sandbox.run().code();
            if ![0, 1].contains(&code) {
                stop.store(true, Ordering::Relaxed);
                panic!("exit code {code}");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_untouched(&decoy);
    sandbox.assert_nothing_left();
}

/// A container whose /dev is a folder of a volume that another container can swap for one with a null device of its own
/// making, which devices(7) calls full. Whether it got that as a standard stream, for as often as it could be made.
fn gets_the_swapped_device(change: impl Fn(&mut Config)) -> Vec<bool> {
    let sandbox = Sandbox::new();
    let (folder, other) = (sandbox.path().join("volume/dev"), sandbox.path().join("volume/other"));
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir(&other).unwrap();
    let full = rustix::fs::makedev(1, 7);
    mknodat(CWD, other.join("null"), FileType::CharacterDevice, Mode::from_raw_mode(0o666), full).unwrap();
    fs::remove_dir(sandbox.rootfs().join("dev")).unwrap();
    symlink("/volume/dev", sandbox.rootfs().join("dev")).unwrap();
    sandbox.configure(|config| {
        config.probe(&["try", "write", "/proc/self/fd/0", "x"]);
        config["root"]["readonly"] = json!(false);
        config["linux"]["maskedPaths"] = json!([]);
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
        config.bind(sandbox.file("volume"), "/volume", &["rbind"]);
        config.mount(json!({ "type": "tmpfs", "source": "tmpfs", "destination": "/dev" }));
        change(config);
    });
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &folder, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let outputs: Vec<Output> = (0..150).map(|_| sandbox.run()).collect();
        stop.store(true, Ordering::Relaxed);
        let made = outputs.iter().filter(|output| output.code() == 0);
        made.map(|output| errnos(&output.stdout()) != [0]).collect()
    })
}

#[test]
fn no_device_that_takes_the_null_devices_place_becomes_a_stream() {
    differs_from!("runc", "its streams are pipes, and it makes few of these containers");
    // The runtime has a procfs for the score only.
    for score in [Value::Null, json!(100)] {
        let swapped = gets_the_swapped_device(|config| config["process"]["oomScoreAdj"] = score.clone());
        assert!(swapped.len() > 20, "{} containers were made", swapped.len());
        assert!(swapped.iter().all(|swapped| !swapped), "score {score}");
    }
}

// CVE-2024-21626: descriptors and working directories of the host

#[test]
fn descriptors_of_the_caller_do_not_reach_the_container() {
    let sandbox = Sandbox::new().after_shell("exec 3</etc 4</ 7</etc/passwd 9>/dev/null");
    let report = sandbox.report(|_| {});
    assert_eq!(report.descriptors().into_iter().collect::<Vec<_>>(), ["0", "1", "2"]);
}

#[test]
fn descriptors_are_preserved_only_if_asked_for() {
    let sandbox = Sandbox::new().after_shell("exec 3</etc/passwd 4</etc/passwd 5</etc/passwd");
    sandbox.configure(|_| {});
    let output = sandbox.with_bundle("run", &["--preserve-fds", "2"]).output().success();
    let report = Report::parse(&output.stdout());
    assert_eq!(report.descriptors().into_iter().collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
    assert_eq!(report["fds"]["3"], "/etc/passwd");
}

#[test]
fn the_working_directory_is_never_outside_of_the_container() {
    let sandbox = Sandbox::new().after_shell("exec 3</ 4</etc 8</work 9</");
    for number in 3..=20 {
        for path in [format!("/proc/self/fd/{number}"), format!("/proc/1/fd/{number}/../..")] {
            sandbox.configure(|config| config["process"]["cwd"] = json!(path));
            let output = sandbox.run();
            assert_ne!(output.code(), 0, "{path}: {}", output.stdout());
            assert_eq!(output.stdout(), "", "{path}: nothing ran");
            sandbox.assert_nothing_left();
        }
    }
}

#[test]
fn a_link_as_working_directory_is_resolved_inside() {
    let sandbox = Sandbox::new();
    symlink("/proc/self/fd/7", sandbox.rootfs().join("home/link")).unwrap();
    symlink("/home", sandbox.rootfs().join("inside")).unwrap();
    let sandbox = sandbox.after_shell("exec 7</");
    sandbox.configure(|config| config["process"]["cwd"] = json!("/home/link"));
    assert_ne!(sandbox.run().code(), 0);
    let report = sandbox.report(|config| config["process"]["cwd"] = json!("/inside"));
    assert_eq!(report["cwd"], "/home");
}

// CVE-2025-31133: /dev/null of the image is something else

#[test]
fn masks_are_the_real_null_device() {
    let sandbox = Sandbox::new();
    let decoy = decoy(&sandbox);
    fs::write(sandbox.rootfs().join("etc/secret"), "secret").unwrap();
    fs::create_dir_all(sandbox.rootfs().join("dev")).unwrap();
    symlink(decoy.join("null"), sandbox.rootfs().join("dev/null")).unwrap();
    fs::write(sandbox.rootfs().join("dev/zero"), "not a device").unwrap();
    sandbox.configure(|config| {
        config.probe(&["report", "--stat", "/etc/secret", "--read", "/etc/secret"]);
        config["mounts"]
            .as_array_mut()
            .unwrap()
            .retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
        config["linux"]["maskedPaths"] = json!(["/etc/secret"]);
        config["root"]["readonly"] = json!(false);
    });
    let output = sandbox.run();
    if output.code() == 0 {
        let report = Report::parse(&output.stdout());
        assert_eq!(report["stat"]["/etc/secret"]["rdev"], json!([1, 3]));
        assert_eq!(report["read"]["/etc/secret"], "");
    } else {
        drop(output.exits_with(1));
    }
    assert_untouched(&decoy);
    sandbox.assert_nothing_left();
}

#[test]
fn a_device_over_the_images_null_device_is_not_followed() {
    let sandbox = Sandbox::new();
    let decoy = decoy(&sandbox);
    let hostile = sandbox.path().join("dev");
    fs::create_dir(&hostile).unwrap();
    symlink(decoy.join("null"), hostile.join("null")).unwrap();
    symlink(decoy.join("ptmx"), hostile.join("ptmx")).unwrap();
    symlink(&decoy, hostile.join("pts")).unwrap();
    sandbox.configure(|config| {
        config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] != "/dev");
        config.bind(&hostile, "/dev", &["rbind"]);
    });
    drop(sandbox.run());
    assert_untouched(&decoy);
    sandbox.assert_nothing_left();
}

// CVE-2025-52565 and the class of CVE-2026-41579: links at /dev, /dev/pts and /dev/console

#[test]
fn a_dev_that_is_a_link_to_the_host_changes_nothing_there() {
    let sandbox = Sandbox::new();
    let decoy = decoy(&sandbox);
    fs::remove_dir(sandbox.rootfs().join("dev")).unwrap();
    symlink(&decoy, sandbox.rootfs().join("dev")).unwrap();
    sandbox.configure(|config| {
        config["root"]["readonly"] = json!(false);
        config["mounts"]
            .as_array_mut()
            .unwrap()
            .retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    });
    drop(sandbox.run());
    assert_untouched(&decoy);
    sandbox.assert_nothing_left();
}

#[test]
fn the_console_is_not_put_where_a_link_of_the_image_points() {
    let sandbox = Sandbox::new();
    let decoy = decoy(&sandbox);
    let console = Console::listen(sandbox.path());
    for name in ["console", "ptmx"] {
        symlink(decoy.join(name), sandbox.rootfs().join("dev").join(name)).unwrap();
    }
    sandbox.configure(|config| {
        config.probe(&["pause"]);
        config["process"]["terminal"] = json!(true);
        config["root"]["readonly"] = json!(false);
        config.without_mount("/dev").without_mount("/dev/shm").without_mount("/dev/mqueue");
    });
    let output = sandbox.with_bundle("create", &["--console-socket", console.path()]).output();
    assert!([0, 1].contains(&output.code()));
    assert_untouched(&decoy);
    sandbox.command(&["delete", "--force", "ID"]).success();
    sandbox.assert_nothing_left();
    assert_untouched(&decoy);
}

// CVE-2025-52881: writes to procfs that are led elsewhere

#[test]
fn system_controls_are_written_to_the_real_procfs() {
    let sandbox = Sandbox::new();
    let decoy = decoy(&sandbox);
    sandbox.configure(|config| {
        config.bind(decoy.join("file"), "/proc/sys/net/ipv4/ip_forward", &["bind"]);
        config.bind(&decoy, "/proc/sys/kernel", &["bind"]);
        config["linux"]["sysctl"] = json!({ "net.ipv4.ip_forward": "1", "kernel.msgmax": "4321" });
    });
    drop(sandbox.run());
    assert_untouched(&decoy);
    sandbox.assert_nothing_left();
}

// CVE-2016-3697: numeric names

#[test]
fn a_numeric_name_in_the_images_passwd_is_not_a_uid() {
    let report =
        Sandbox::new().report(|config| config["process"]["user"] = json!({ "uid": 1001, "gid": 1001 }));
    assert_eq!(report["process"]["uid"]["effective"], 1001);
    assert_eq!(report.env("HOME"), ["/"], "the row named 1001 is that of uid 0");
}

#[test]
fn a_huge_passwd_file_is_read_in_bounded_memory() {
    let sandbox = Sandbox::new();
    let passwd = fs::File::create(sandbox.rootfs().join("etc/passwd")).unwrap();
    passwd.set_len(1 << 32).unwrap();
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
        config["process"]["user"] = json!({ "uid": 5, "gid": 5 });
    });
    let code = sandbox.run().code();
    assert!([0, 1].contains(&code), "{code}");
    sandbox.assert_nothing_left();
}

#[test]
fn a_passwd_that_is_a_link_to_the_host_or_a_fifo_does_no_harm() {
    let sandbox = Sandbox::new();
    let passwd = sandbox.rootfs().join("etc/passwd");
    fs::write(sandbox.file("passwd"), "root:x:0:0::/leaked:/\n").unwrap();
    fs::remove_file(&passwd).unwrap();
    symlink(sandbox.file("passwd"), &passwd).unwrap();
    assert_eq!(sandbox.report(|_| {}).env("HOME"), ["/"]);
    differs_from!("runc", "it waits for a writer of the fifo");
    differs_from!("crun", "it waits for a writer of the fifo");
    fs::remove_file(&passwd).unwrap();
    mknodat(CWD, &passwd, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert_eq!(sandbox.report(|_| {}).env("HOME"), ["/"]);
}

#[test]
fn the_container_sees_only_its_own_processes_and_no_host_files() {
    let attempts = [
        "kill",
        "2",
        "0",
        "--",
        "list",
        "/proc/2",
        "--",
        "open",
        "/../../../etc/shadow",
        "--",
        "list",
        "/proc/1/root/work",
    ];
    let errnos = Sandbox::new().attempt(&attempts, |_| {});
    assert_eq!(errnos, [libc::ESRCH, libc::ENOENT, libc::ENOENT, libc::ENOENT]);
}

#[test]
fn mounting_is_denied_without_the_capability() {
    let attempts = [
        "mount",
        "tmpfs",
        "none",
        "/tmp",
        "--",
        "bind",
        "/proc",
        "/tmp",
        "--",
        "sethostname",
        "x",
        "--",
        "mknod",
        "c",
        "1",
        "3",
        "/dev/shm/node",
    ];
    let errnos = Sandbox::new().attempt(&attempts, |_| {});
    assert_eq!(errnos, [libc::EPERM; 4]);
}

#[test]
fn the_first_process_cannot_be_inspected_by_the_users_processes() {
    // The link to a process's namespaces is readable only with the right to trace it.
    let shared = Sandbox::new();
    let mut first = shared.started(&["pause"], |config| {
        config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    });
    assert_eq!(first.line(), "ready");
    let second = Sandbox::new();
    let path = first.proc("ns/pid");
    let errnos = second.attempt(&["list", "/proc/1/fd", "--", "list", "/proc/self/fd"], |config| {
        config.join("pid", &path);
        config["process"]["user"] = json!({ "uid": 2000, "gid": 2000 });
    });
    assert_eq!(errnos, [libc::EACCES, 0]);
}

#[test]
fn hostile_keys_do_not_reach_files_outside_of_the_cgroup() {
    let cases: [(&str, Value); 2] = [
        ("unified", json!({ "../../cgroup.procs": "0" })),
        ("hugepageLimits", json!([{ "pageSize": "../../2MB", "limit": 1 }])),
    ];
    for (field, value) in cases {
        let sandbox = Sandbox::new();
        sandbox.configure(|config| config["linux"]["resources"][field] = value);
        sandbox.with_bundle("create", &[]).output().exits_with(1);
        sandbox.assert_nothing_left();
    }
}
