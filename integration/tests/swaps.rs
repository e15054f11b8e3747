//! Attacks by somebody who shares folders with the container and puts something else into the place of what was found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use integration::differs_from;
use integration::harness::*;
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};
use rustix::io::Errno;
use serde_json::json;

/// A file that does something when it is opened, and who sees that.
struct Trap(OwnedFd);

impl Trap {
    fn at(path: &Path) -> Self {
        mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).unwrap();
        add_watch(&inotify, path, WatchFlags::OPEN).unwrap();
        Self(inotify)
    }

    #[track_caller]
    fn assert_not_opened(&self) {
        let mut space = [MaybeUninit::uninit(); 4096];
        let event = Reader::new(&self.0, &mut space).next().map(|event| event.events());
        assert_eq!(event.unwrap_err(), Errno::AGAIN, "it was opened");
    }
}

/// Swaps two folders for as long as `act` runs.
fn swapping<T>(one: &Path, other: &Path, act: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        stop.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn what_takes_the_place_of_passwd_is_not_opened() {
    differs_from!("runc", "it opens what is there");
    differs_from!("crun", "it opens what is there");
    let sandbox = Sandbox::new();
    let (folder, other) = (sandbox.path().join("volume/etc"), sandbox.path().join("volume/other"));
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir(&other).unwrap();
    fs::write(folder.join("passwd"), "root:x:0:0::/root:/\n").unwrap();
    let trap = Trap::at(&other.join("passwd"));
    fs::remove_dir_all(sandbox.rootfs().join("etc")).unwrap();
    symlink("/volume/etc", sandbox.rootfs().join("etc")).unwrap();
    sandbox.configure(|config| {
        config.probe(&["exit", "0"]);
        config.bind(sandbox.file("volume"), "/volume", &["rbind"]);
        // With it the runtime has a procfs.
        config["process"]["oomScoreAdj"] = json!(100);
    });
    swapping(&folder, &other, || (0..150).for_each(|_| drop(sandbox.run().exits_with(0))));
    trap.assert_not_opened();
}

#[test]
fn what_is_in_the_place_of_the_terminals_multiplexer_is_not_opened() {
    differs_from!("crun", "it looks at what it has opened");
    let sandbox = Sandbox::new();
    let console = Console::listen(sandbox.path());
    fs::create_dir_all(sandbox.rootfs().join("dev/pts")).unwrap();
    let trap = Trap::at(&sandbox.rootfs().join("dev/pts/ptmx"));
    sandbox.configure(|config| {
        config["process"]["terminal"] = json!(true);
        let mounts = config["mounts"].as_array_mut().unwrap();
        mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
        config["root"]["readonly"] = json!(false);
    });
    sandbox.with_bundle("create", &["--console-socket", console.path()]).output().exits_with(1);
    trap.assert_not_opened();
    sandbox.assert_nothing_left();
}

/// Whoever has the container's root file system elsewhere may rename the folder on which procfs is mounted.
#[test]
fn files_of_procfs_are_hidden_wherever_its_folder_is_put() {
    differs_from!("runc", "it looks for them by path");
    differs_from!("crun", "it looks for them by path");
    let sandbox = Sandbox::new();
    let swap = "cd ROOT && mkdir fake && mv proc moved && mv fake proc";
    let errnos = sandbox.attempt(
        &[
            "write",
            "/moved/sys/kernel/hostname",
            "x",
            "--",
            "write",
            "/moved/timer_list",
            "x",
            "--",
            "read",
            "/moved/version",
        ],
        |config| {
            config.shell_hook("createRuntime", &swap.replace("ROOT", sandbox.rootfs().to_str().unwrap()));
            config["linux"]["readonlyPaths"] = json!(["/proc/sys"]);
            config["linux"]["maskedPaths"] = json!(["/proc/timer_list"]);
        },
    );
    assert_eq!(errnos, [libc::EROFS, 0, 0]);
}

/// A path with a detour may lead to the top of the mount, which is then covered, and what is hidden later is in the cover.
#[test]
fn files_are_hidden_in_a_kernel_folder_that_is_covered() {
    for covered in ["/sys", "/sys/.", "//sys", "/link"] {
        let sandbox = Sandbox::new();
        symlink("/sys", sandbox.rootfs().join("link")).unwrap();
        let report =
            sandbox.report_with(&["--read", "/proc/version", "--stat", "/sys/kernel/notes"], |config| {
                config["linux"]["readonlyPaths"] = json!([covered, "/proc/."]);
                config["linux"]["maskedPaths"] = json!(["/sys/kernel/notes", "/proc/version"]);
            });
        assert_eq!(report["stat"]["/sys/kernel/notes"]["rdev"], json!([1, 3]), "{covered}");
        assert_eq!(report["read"]["/proc/version"], "", "{covered}");
    }
}
