use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::dir::{Dir, Step, walk};
use super::wait::{self, Deadline};
use super::{CgroupError, freezer};

/// The processes in some cgroups and all below them, each once, in ascending order.
///
/// A cgroup that does not exist has none. Processes that the caller's pid namespace does not show
/// are not among them.
///
/// # Errors
/// A cgroup that cannot be read.
pub fn processes(dirs: &[PathBuf]) -> Result<Vec<i32>, CgroupError> {
    let mut pids = Vec::new();
    for top in dirs {
        walk(top, |step| {
            let Step::Cgroup(dir) = step else { return Ok(()) };
            let listed = listed(dir)?;
            pids.extend(listed.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
            Ok(())
        })?;
    }
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// What a process that is to join a container's cgroup has to know of it.
#[derive(Debug)]
pub struct Found {
    /// Whether it is in the unified hierarchy.
    pub unified: bool,
    /// The cgroup below in which process `pid` is, if this one gives controllers to those below it and so takes no
    /// processes itself.
    pub occupied: Option<PathBuf>,
}

/// Looks at one of the cgroups of a container whose first process is `pid`.
///
/// # Errors
/// A cgroup that does not exist or cannot be read.
pub fn find(path: &Path, pid: i32) -> Result<Found, CgroupError> {
    let dir = Dir::open(path)?;
    let unified = dir.is_unified()?;
    if !unified || dir.read("cgroup.subtree_control")?.trim().is_empty() {
        return Ok(Found { unified, occupied: None });
    }
    let mut occupied = None;
    walk(path, |step| {
        let Step::Cgroup(below) = step else { return Ok(()) };
        let is_below = below.path() != path && occupied.is_none();
        if is_below && listed(below)?.lines().any(|line| line.parse() == Ok(pid)) {
            occupied = Some(below.path().to_owned());
        }
        Ok(())
    })?;
    Ok(Found { unified, occupied })
}

fn listed(dir: &Dir) -> Result<String, CgroupError> {
    match dir.read_if_exists("cgroup.procs") {
        // A threaded cgroup; its domain above, which is read too, lists its processes.
        Err(error) if error.errno() == Some(Errno::OPNOTSUPP) => Ok(String::new()),
        text => Ok(text?.unwrap_or_default()),
    }
}

/// Sends a signal to every process in some cgroups and all below them.
///
/// # Errors
/// A cgroup that cannot be read, and a process that may not be signalled.
pub fn signal_all(dirs: &[PathBuf], signal: Signal) -> Result<(), CgroupError> {
    signal_listed(dirs, signal).map(drop)
}

/// Kills every process in some cgroups and all below them, and waits until they are gone.
///
/// In the unified hierarchy the kernel does it at once. On v1 the processes are frozen first where
/// that is possible, since they could otherwise fork faster than they are killed.
///
/// # Errors
/// [`CgroupError::TimedOut`] if there are still processes after `timeout`, and failures of system calls.
pub fn kill_all(dirs: &[PathBuf], timeout: Duration) -> Result<(), CgroupError> {
    let deadline = Deadline::after(timeout);
    for path in dirs {
        let Some(dir) = Dir::open_if_exists(path)? else { continue };
        if !dir.is_unified()? {
            continue;
        }
        match dir.write("cgroup.kill", "1") {
            Err(error) if matches!(error.errno(), Some(Errno::NOENT | Errno::NODEV)) => continue,
            written => written?,
        }
        // v1's freezer would hold back processes that are killed by the unified hierarchy.
        freezer::thaw_v1(dirs)?;
        if !wait::for_event(&dir, "populated", "0", deadline)? {
            return Err(deadline.error(path, "its processes did not end"));
        }
    }
    kill_remaining(dirs, deadline)
}

fn kill_remaining(dirs: &[PathBuf], deadline: Deadline) -> Result<(), CgroupError> {
    loop {
        if processes(dirs)?.is_empty() {
            return Ok(());
        }
        if let (true, Some(path)) = (deadline.passed(), dirs.first()) {
            return Err(deadline.error(path, "its processes did not end"));
        }
        freezer::start_freezing_v1(dirs)?;
        let victims = signal_listed(dirs, Signal::KILL);
        freezer::thaw_v1(dirs)?;
        let pidfds = victims?;
        wait::for_exits(&pidfds, deadline)
            .map_err(|errno| CgroupError::system("poll", Path::new("pidfd"), errno))?;
    }
}

/// How many processes are held open at a time, far below any limit of open files.
const BATCH: usize = 128;

/// Signals all processes, and returns the handles of the last ones.
fn signal_listed(dirs: &[PathBuf], signal: Signal) -> Result<Vec<OwnedFd>, CgroupError> {
    let mut last = BTreeMap::new();
    for pids in processes(dirs)?.chunks(BATCH) {
        last = handles(dirs, pids)?;
        last.iter().try_for_each(|(pid, pidfd)| send(*pid, pidfd, signal))?;
    }
    Ok(last.into_values().collect())
}

/// Handles of some of the processes, to wait for their end; none if there is no process.
pub(super) fn some(dirs: &[PathBuf]) -> Result<Vec<OwnedFd>, CgroupError> {
    let pids = processes(dirs)?;
    let first = pids.chunks(BATCH).next().unwrap_or_default();
    Ok(handles(dirs, first)?.into_values().collect())
}

/// Handles of processes of the cgroups.
///
/// A pid may be reused between its reading and its opening, but a process that is in the cgroup
/// *after* its handle was opened is the one that the handle means, or that handle is dead.
fn handles(dirs: &[PathBuf], pids: &[i32]) -> Result<BTreeMap<i32, OwnedFd>, CgroupError> {
    let mut handles = BTreeMap::new();
    for number in pids {
        let Some(pid) = Pid::from_raw(*number) else { continue };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => {
                handles.insert(*number, pidfd);
            }
            Err(Errno::SRCH) => {}
            Err(errno) => return Err(failed("pidfd_open", *number, errno)),
        }
    }
    let still = processes(dirs)?;
    handles.retain(|pid, _| still.binary_search(pid).is_ok());
    Ok(handles)
}

fn send(pid: i32, pidfd: &OwnedFd, signal: Signal) -> Result<(), CgroupError> {
    match pidfd_send_signal(pidfd, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(failed("pidfd_send_signal", pid, errno)),
    }
}

fn failed(operation: &'static str, pid: i32, errno: Errno) -> CgroupError {
    CgroupError::system(operation, Path::new(&format!("process {pid}")), errno)
}
