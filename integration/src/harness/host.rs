//! What the host looks like, and what a container left on it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::invocation::PATIENCE;
use super::stream::wait_readable;

/// Which cgroup layout a runtime is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// This host's, as it is.
    Native,
    /// cgroup v2 alone, in a mount namespace of the command's own.
    V2,
    /// This host's v1 hierarchies without the unified one, where it has both.
    V1,
}

const ONLY_V1: &str =
    "if mountpoint -q /sys/fs/cgroup/unified; then umount --lazy /sys/fs/cgroup/unified; fi && exec \"$@\"";
const ONLY_CGROUP2: &str =
    "umount --lazy /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$@\"";

impl Host {
    /// The command that puts its arguments on such a host.
    #[must_use]
    pub fn wrapper(self) -> &'static [&'static str] {
        match self {
            Self::Native => &[],
            Self::V1 => &["unshare", "--mount", "--propagation", "private", "sh", "-c", ONLY_V1, "sh"],
            Self::V2 => &["unshare", "--mount", "--propagation", "private", "sh", "-c", ONLY_CGROUP2, "sh"],
        }
    }

    /// Whether the runtime sees cgroup v1 controllers.
    #[must_use]
    pub fn has_v1(self) -> bool {
        self != Self::V2 && hierarchies().iter().any(|(kind, _)| kind == "cgroup")
    }

    /// Whether limits of `controller` can be set.
    #[must_use]
    pub fn has_controller(self, controller: &str) -> bool {
        let Some(hierarchy) = self.hierarchy(controller) else { return false };
        let offered = fs::read_to_string(hierarchy.join("cgroup.subtree_control")).unwrap_or_default();
        self.has_v1() || offered.split_whitespace().any(|offered| offered == controller)
    }

    /// The folder of v1 `controller` or, on a v2 host, of the one hierarchy.
    #[must_use]
    pub fn hierarchy(self, controller: &str) -> Option<PathBuf> {
        let named = |path: &PathBuf| path.file_name().is_some_and(|name| name == controller);
        let mut all = hierarchies().into_iter();
        if self.has_v1() {
            all.find_map(|(kind, path)| (kind == "cgroup" && named(&path)).then_some(path))
        } else {
            all.find_map(|(kind, path)| (kind == "cgroup2").then_some(path))
        }
    }
}

/// The first two numbers of the kernel's version.
#[must_use]
pub fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release
        .split(|letter: char| !letter.is_ascii_digit())
        .map(|number| number.parse().expect("a number"));
    (numbers.next().expect("a number"), numbers.next().expect("a number"))
}

/// Whether the kernel attaches mounts to a tree that is attached nowhere, without which no container can be in the host's
/// mount namespace.
#[must_use]
pub fn has_detached_mounts() -> bool {
    kernel() >= (6, 15)
}

fn hierarchies() -> Vec<(String, PathBuf)> {
    let hierarchy = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let kind = after.split(' ').next().filter(|kind| kind.starts_with("cgroup"))?;
        Some((kind.to_owned(), PathBuf::from(before.split(' ').nth(4)?)))
    };
    mountinfo().lines().filter_map(hierarchy).collect()
}

fn mountinfo() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("mountinfo")
}

/// Cgroups of any hierarchy whose name contains `id`, parents first.
#[must_use]
pub fn cgroups_named(id: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (_, path) in hierarchies() {
        walk(&path, id, false, &mut found);
    }
    found
}

fn walk(directory: &Path, id: &str, inside: bool, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in
        entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
    {
        let inside = inside || entry.file_name().to_string_lossy().contains(id);
        if inside {
            found.push(entry.path());
        }
        walk(&entry.path(), id, inside, found);
    }
}

/// Processes other than this one whose command line, environment or mounts mention `id`.
#[must_use]
pub fn processes_of(id: &str) -> Vec<u32> {
    let myself = std::process::id();
    let pids = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let pids = pids.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    pids.filter(|pid| *pid != myself && mentions(*pid, id)).collect()
}

/// Waits until no process mentions `id`: those that only have to notice that they are alone end soon.
pub fn wait_until_gone(id: &str) {
    wait_until_only(id, &BTreeSet::new());
}

/// Waits until no process mentions `id` but those of `own`.
pub fn wait_until_only(id: &str, own: &BTreeSet<u32>) {
    use std::os::fd::AsFd;
    let deadline = Instant::now() + PATIENCE;
    while let Some(pid) = processes_of(id).into_iter().find(|pid| !own.contains(pid)) {
        assert!(Instant::now() < deadline, "process {pid} of {id} does not end");
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
        if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) {
            wait_readable(&[pidfd.as_fd()], deadline);
        }
    }
}

fn mentions(pid: u32, id: &str) -> bool {
    ["cmdline", "environ", "mountinfo"].iter().any(|file| {
        let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(id)
    })
}

pub(crate) fn mounts_below(directory: &Path) -> Vec<PathBuf> {
    let points = mountinfo();
    let points = points.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    points.filter(|point| point.starts_with(directory)).collect()
}

pub(crate) fn network_devices() -> BTreeSet<String> {
    let devices = fs::read_dir("/sys/class/net").expect("/sys/class/net").filter_map(Result::ok);
    devices.map(|device| device.file_name().to_string_lossy().into_owned()).collect()
}

/// Ends what is left of `id`, so that one failed test does not disturb the next ones.
pub(crate) fn clean_up(id: &str, directory: &Path) {
    for pid in processes_of(id) {
        kill_and_wait(pid);
    }
    for cgroup in cgroups_named(id).iter().rev() {
        // What cannot be removed has been reported as left behind already.
        let _ = fs::remove_dir(cgroup);
    }
    for mount in mounts_below(directory).iter().rev() {
        let _ = rustix::mount::unmount(mount, rustix::mount::UnmountFlags::DETACH);
    }
}

fn kill_and_wait(pid: u32) {
    use std::os::fd::AsFd;
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if pidfd_send_signal(&pidfd, Signal::KILL).is_ok() {
        wait_readable(&[pidfd.as_fd()], Instant::now() + PATIENCE);
    }
}
