//! Containers in the host's mount namespace, in which nothing may be mounted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

use integration::harness::*;
use integration::{differs_from, skip};
use serde_json::json;

macro_rules! needs_kernel {
    () => {
        differs_from!("runc", "it mounts on the host, and refuses to hide paths there");
        differs_from!("crun", "it mounts on the host");
        if !has_detached_mounts() {
            skip!("a tree of mounts that is attached nowhere needs Linux 6.15");
        }
    };
}

/// A stand-in for the host: a mount namespace whose mounts are shared with each other, as systemd has them, so that a
/// mount or a change of propagation that reaches them is seen.
struct Stage {
    holder: Holder,
    sandbox: Sandbox,
}

impl Stage {
    fn new() -> Self {
        let holder = Holder::new(&["--mount", "--propagation", "private"]);
        let enter = format!("--mount={}", holder.namespace("mnt"));
        drop(Invocation::new(&["nsenter", &enter, "mount", "--make-rshared", "/"]).output().success());
        let sandbox = Sandbox::new().wrapped(&["nsenter", &enter]);
        Self { holder, sandbox }
    }

    fn mounts(&self) -> String {
        fs::read_to_string(self.holder.namespace("mnt").replace("ns/mnt", "mountinfo")).unwrap()
    }

    fn configure(&self, change: impl FnOnce(&mut Config)) {
        self.sandbox.configure(|config| {
            config.without_namespace("mount");
            change(config);
        });
    }

    /// Runs the probe to its end, and checks that the host has the mounts that it had.
    #[track_caller]
    fn run(&self, probe: &[&str], change: impl FnOnce(&mut Config)) -> String {
        self.configure(|config| {
            config.probe(probe);
            change(config);
        });
        let before = self.mounts();
        let output = self.sandbox.run().success().stdout();
        assert_eq!(self.mounts(), before);
        self.sandbox.assert_nothing_left();
        output
    }

    /// The error of `create`, after which the host is as it was.
    #[track_caller]
    fn refused(&self, change: impl FnOnce(&mut Config)) -> String {
        self.configure(change);
        let before = self.mounts();
        let error = self.sandbox.with_bundle("create", &[]).output().exits_with(1).stderr();
        assert_eq!(self.mounts(), before);
        self.sandbox.assert_nothing_left();
        error
    }
}

fn hide(config: &mut Config) {
    config["linux"]["maskedPaths"] = json!(["/proc/timer_list", "/sys/firmware"]);
    config["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
}

#[test]
fn its_root_is_built_as_elsewhere_and_the_host_has_no_mount_more() {
    needs_kernel!();
    let stage = Stage::new();
    fs::write(stage.sandbox.file("data"), "data").unwrap();
    let options =
        ["--stat", "/data", "--read", "/data", "--list", "/sys/firmware", "--stat", "/proc/timer_list"];
    let report = Report::parse(&stage.run(&[&["report"], &options[..]].concat(), |config| {
        hide(config);
        config.bind(stage.sandbox.file("data"), "/data", &["bind", "ro"]);
    }));
    let own = fs::read_link(stage.holder.namespace("mnt")).unwrap();
    assert_eq!(report.namespace("mnt"), own.to_str().unwrap(), "the host's");
    assert_eq!(report["process"]["pid"], 1, "the others are its own");
    assert_eq!(report["dev"]["/dev/null"]["rdev"], json!([1, 3]));
    assert_eq!(report["read"]["/data"], "data");
    assert_eq!(report["stat"]["/proc/timer_list"]["rdev"], json!([1, 3]), "masked");
    assert_eq!(report["list"]["/sys/firmware"], json!([]), "masked");
}

#[test]
fn nothing_that_is_read_only_or_hidden_can_be_changed() {
    needs_kernel!();
    let stage = Stage::new();
    fs::write(stage.sandbox.file("data"), "data").unwrap();
    let attempts = [
        &["try", "create", "/file"][..],
        &["create", "/dev/file"],
        &["write", "/data", "x"],
        &["write", "/proc/sys/kernel/hostname", "x"],
        &["create", "/again/file"],
        &["write", "/dev/null", "x"],
        &["create", "/dev/shm/file"],
        &["clear-flags", "/"],
        &["mount", "tmpfs", "none", "/tmp"],
    ];
    let results = errnos(&stage.run(&attempts.join(&"--"), |config| {
        hide(config);
        for mount in config["mounts"].as_array_mut().unwrap() {
            if mount["destination"] == "/dev" {
                mount["options"].as_array_mut().unwrap().push(json!("ro"));
            }
        }
        config.bind(stage.sandbox.file("data"), "/data", &["bind", "ro"]);
        config.mount(json!({"type": "tmpfs", "source": "tmpfs", "destination": "/again"}));
        config.mount(json!({"destination": "/again", "options": ["remount", "ro"]}));
        config.capabilities(&["bounding", "effective", "permitted"], &["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
    }));
    let readonly = libc::EROFS;
    assert_eq!(results[..7], [readonly, readonly, readonly, readonly, readonly, 0, 0]);
    assert!(results[7..].iter().all(|errno| *errno != 0), "{results:?}");
}

#[test]
fn the_root_is_read_only_by_whatever_path_it_is_found() {
    needs_kernel!();
    let stage = Stage::new();
    symlink("/", stage.sandbox.rootfs().join("link")).unwrap();
    let attempt = |change: &dyn Fn(&mut Config)| {
        errnos(&stage.run(&["try", "create", "/file"], |config| {
            config["root"]["readonly"] = json!(false);
            change(config);
        }))
    };
    for path in ["/", "/..", "/dev/..", "/link"] {
        let by_mount = attempt(&|config| {
            config.mount(json!({"destination": path, "options": ["remount", "bind", "ro"]}));
        });
        let by_list = attempt(&|config| config["linux"]["readonlyPaths"] = json!([path]));
        assert_eq!([by_mount, by_list], [[libc::EROFS], [libc::EROFS]], "{path}");
    }
}

#[test]
fn a_program_that_may_chroot_finds_no_way_up_to_the_host() {
    needs_kernel!();
    let stage = Stage::new();
    let outside = format!(".{}/config.json", stage.sandbox.bundle().display());
    let mut attempts = vec!["try", "mkdir", "/tmp/inner", "--", "chroot", "/tmp/inner"];
    attempts.extend(["--", "chdir", ".."].repeat(8));
    attempts.extend(["--", "open", "./probe", "--", "open", &outside]);
    let results = errnos(&stage.run(&attempts, |config| {
        config["root"]["readonly"] = json!(false);
        config.capabilities(&["bounding", "effective", "permitted"], &["CAP_SYS_CHROOT"]);
    }));
    assert_eq!(results.split_last().unwrap(), (&libc::ENOENT, &[0; 11][..]));
}

#[test]
fn no_user_namespace_is_made_inside() {
    needs_kernel!();
    let new_user = libc::CLONE_NEWUSER.to_string();
    let results = errnos(&Stage::new().run(&["try", "syscall", "unshare", &new_user], |_| {}));
    assert_eq!(results, [libc::EPERM]);
}

#[test]
fn exec_is_in_the_root_of_the_container() {
    needs_kernel!();
    let stage = Stage::new();
    stage.configure(|config| {
        config.probe(&["pause"]);
    });
    let before = stage.mounts();
    let mut container = stage.sandbox.create();
    assert_eq!(stage.mounts(), before, "created");
    container.start();
    assert_eq!(container.line(), "ready");
    let output = stage.sandbox.command(&["exec", "ID", "/probe", "report", "--list", "/"]).success();
    let report = Report::parse(&output.stdout());
    let names = report["list"]["/"].as_array().unwrap();
    assert!(names.contains(&json!("probe")) && !names.contains(&json!("usr")), "{names:?}");
    assert_eq!(report.namespace("mnt"), fs::read_link(container.proc("ns/mnt")).unwrap().to_str().unwrap());
    let error =
        stage.sandbox.command(&["exec", "--cwd", "/no/such", "ID", "/probe"]).exits_with(255).stderr();
    assert!(error.contains("/no/such"), "{error}");
    assert_eq!(stage.mounts(), before, "running");
    container.kill("TERM");
    assert_eq!(container.wait(), 0);
    container.delete();
    assert_eq!(stage.mounts(), before, "deleted");
}

#[test]
fn it_may_have_no_namespace_of_its_own_at_all() {
    needs_kernel!();
    let stage = Stage::new();
    stage.configure(|config| {
        config.probe(&["pause"]);
        config.as_object_mut().unwrap().remove("hostname");
        config["linux"]["namespaces"] = json!([]);
    });
    let before = stage.mounts();
    let mut container = stage.sandbox.create();
    container.start();
    assert_eq!(container.line(), "ready");
    let exec = stage.sandbox.command(&["exec", "ID", "/probe", "try", "open", "/probe"]).success();
    assert_eq!(errnos(&exec.stdout()), [0]);
    drop(stage.sandbox.command(&["delete", "--force", "ID"]).success());
    assert_eq!(container.wait(), 137);
    stage.sandbox.assert_nothing_left();
    assert_eq!(stage.mounts(), before);
}

#[test]
fn a_failure_leaves_no_mount() {
    needs_kernel!();
    let stage = Stage::new();
    let error = stage.refused(|config| config["process"]["args"] = json!(["/no/such/program"]));
    assert!(error.contains("/no/such/program"), "{error}");
    let error = stage.refused(|config| {
        config.bind("/etc/passwd", "/tmp", &["bind"]);
    });
    assert!(error.contains("not a directory"), "{error}");
    let error = stage.refused(|config| {
        config.mount(json!({"destination": "/tmp", "options": ["remount", "ro"]}));
    });
    assert!(error.contains("nothing is mounted there"), "{error}");
}

#[test]
fn what_needs_a_mount_namespace_is_refused_by_name() {
    needs_kernel!();
    let stage = Stage::new();
    type Change = fn(&mut Config);
    let changes: [(&str, Change); 5] = [
        ("/linux/namespaces", |config| {
            config.user_namespace(100_000, 65_536);
        }),
        ("/linux/rootfsPropagation", |config| config["linux"]["rootfsPropagation"] = json!("rshared")),
        ("/linux/rootfsPropagation", |config| config["linux"]["rootfsPropagation"] = json!("slave")),
        ("/mounts/7/options", |config| {
            config.bind("/tmp", "/tmp", &["rbind", "rslave"]);
        }),
        ("/mounts/7/options", |config| {
            let long = format!("lowerdir={}", ["/tmp"; 80].join(":"));
            config.mount(json!({"type": "overlay", "source": "o", "destination": "/tmp", "options": [long]}));
        }),
    ];
    for (pointer, change) in changes {
        let error = stage.refused(change);
        assert!(error.contains(&format!("{pointer}: ")) && error.contains("mount"), "{error}");
    }
}

#[test]
fn it_is_not_joined_by_its_path() {
    differs_from!("runc", "it makes the container's root that of every process there");
    let stage = Stage::new();
    for path in [stage.holder.namespace("mnt"), "/proc/self/ns/mnt".to_owned()] {
        let error = stage.refused(|config| {
            config.join("mount", &path);
        });
        assert!(error.contains("/path: this is the caller's own mount namespace"), "{error}");
    }
}

#[test]
fn an_older_kernel_is_named_with_the_one_that_is_needed() {
    if has_detached_mounts() {
        skip!("this kernel can have a tree of mounts that is attached nowhere");
    }
    differs_from!("runc", "it mounts on the host");
    let error = Stage::new().refused(|_| {});
    let (major, minor) = kernel();
    assert!(error.contains("/linux/namespaces: "), "{error}");
    assert!(error.contains("Linux 6.15") && error.contains(&format!("Linux {major}.{minor}")), "{error}");
}

#[test]
fn a_terminal_is_the_console_there_too() {
    needs_kernel!();
    let stage = Stage::new();
    stage.configure(|config| {
        config.probe(&["report", "--stat", "/dev/console"]);
        config["process"]["terminal"] = json!(true);
    });
    let console = Console::listen(stage.sandbox.path());
    let before = stage.mounts();
    let container = stage.sandbox.create_with(&["--console-socket", console.path()]);
    let (mut terminal, _) = console.terminal();
    container.start();
    let report = Report::parse(&terminal.line(Instant::now() + PATIENCE));
    assert_eq!(report["stat"]["/dev/console"]["rdev"], json!([136, 0]));
    assert_eq!(container.wait(), 0);
    container.delete();
    assert_eq!(stage.mounts(), before);
}
