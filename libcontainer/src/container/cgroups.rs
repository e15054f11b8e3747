//! What a container's life needs of its cgroup: one folder, or one per v1 hierarchy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::sys::raw;
use crate::{Error, ErrorKind, Result};

/// Whether the processes are frozen.
pub(super) fn is_frozen(cgroups: &[PathBuf]) -> bool {
    let says = |folder: &Path, file: &str, frozen: &str| {
        fs::read_to_string(folder.join(file)).is_ok_and(|text| text.trim() == frozen)
    };
    cgroups.iter().any(|folder| says(folder, "cgroup.freeze", "1") || says(folder, "freezer.state", "FROZEN"))
}

/// Lets frozen processes of a v1 cgroup take the signal that was sent to them; v2 kills frozen ones.
pub(super) fn thaw_v1(cgroups: &[PathBuf]) -> Result<()> {
    for state in cgroups.iter().map(|folder| folder.join("freezer.state")).filter(|file| file.exists()) {
        fs::write(&state, "THAWED").map_err(|error| failed(&state, &error))?;
    }
    Ok(())
}

/// Sends a signal to every process.
pub(super) fn signal_all(cgroups: &[PathBuf], signal: i32) -> Result<()> {
    if signal == libc::SIGKILL {
        return kill_all(cgroups);
    }
    for pid in processes(cgroups)? {
        signal_one(pid, signal)?;
    }
    Ok(())
}

/// Kills every process.
pub(super) fn kill_all(cgroups: &[PathBuf]) -> Result<()> {
    for folder in cgroups {
        // v2 kills the whole tree at once, which no fork can outrun.
        if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
            return Ok(());
        }
    }
    for pid in processes(cgroups)? {
        signal_one(pid, libc::SIGKILL)?;
    }
    thaw_v1(cgroups)
}

/// Removes the folders and those below them.
pub(super) fn remove(cgroups: &[PathBuf]) -> Result<()> {
    cgroups.iter().try_for_each(|folder| remove_tree(folder).map_err(|error| failed(folder, &error)))
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

fn processes(cgroups: &[PathBuf]) -> Result<Vec<Pid>> {
    let mut pids = Vec::new();
    for file in cgroups.iter().map(|folder| folder.join("cgroup.procs")) {
        match fs::read_to_string(&file) {
            Ok(text) => pids.extend(text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&file, &error)),
        }
    }
    pids.sort_unstable_by_key(|pid| pid.as_raw_nonzero());
    pids.dedup();
    Ok(pids)
}

fn signal_one(pid: Pid, signal: i32) -> Result<()> {
    let sent = pidfd_open(pid, PidfdFlags::empty())
        .and_then(|pidfd| raw::pidfd_send_signal(rustix::fd::AsFd::as_fd(&pidfd), signal));
    match sent {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(errno) => Err(Error::os(format_args!("send signal {signal} to process {pid}"), errno)),
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Cgroup, format!("cgroup {}: {error}", path.display()))
}
