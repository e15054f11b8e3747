//! Reading and changing the host's groups.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{Group, Resctrl};
use crate::cgroup::unescape;
use crate::{Error, Result};

/// The mount point of a resctrl file system in the text of `/proc/self/mountinfo`.
pub(crate) fn find(mountinfo: &[u8]) -> Option<PathBuf> {
    const SEPARATOR: &[u8] = b" - resctrl ";
    mountinfo.split(|byte| *byte == b'\n').find_map(|line| {
        let end = line.windows(SEPARATOR.len()).position(|window| window == SEPARATOR)?;
        let point = line.get(..end)?.split(|byte| *byte == b' ').nth(4)?;
        Some(PathBuf::from(OsString::from_vec(unescape(point))))
    })
}

/// Looks at what is there.
pub(crate) fn look(root: PathBuf, class: Option<&str>) -> Result<Resctrl> {
    let monitoring = root.join("mon_groups").is_dir();
    let schemata = match class {
        Some(name) => root.join(name.trim_start_matches('/')).join("schemata"),
        None => return Ok(Resctrl { root, class: None, monitoring }),
    };
    let class = match fs::read_to_string(&schemata) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed("read", &schemata, &error)),
    };
    Ok(Resctrl { root, class, monitoring })
}

/// Makes a group; nothing is left if that fails.
pub(crate) fn create(group: &Group) -> Result<()> {
    fs::create_dir(&group.path).map_err(|error| failed("make group", &group.path, &error))?;
    if group.schemata.is_empty() {
        return Ok(());
    }
    change(&group.path, &group.schemata).map_err(|error| match remove(&[&group.path]) {
        Ok(()) => error,
        Err(also) => Error::new(error.kind().clone(), format!("{error}; {also}")),
    })
}

/// Changes shares of a group; what the lines do not name stays.
pub(crate) fn change(group: &Path, schemata: &[String]) -> Result<()> {
    write(&group.join("schemata"), &format!("{}\n", schemata.join("\n")))
}

/// Moves a process into each of the groups.
pub(crate) fn join(groups: &[PathBuf], pid: i32) -> Result<()> {
    groups.iter().try_for_each(|group| write(&group.join("tasks"), &pid.to_string()))
}

/// Removes groups, the last one first. Those that are gone already need nothing.
pub(crate) fn remove(groups: &[impl AsRef<Path>]) -> Result<()> {
    groups.iter().rev().map(AsRef::as_ref).try_for_each(|group| match fs::remove_dir(group) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove group", group, &error)),
        _ => Ok(()),
    })
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).map_err(|error| failed(format_args!("write {text:?} to"), file, &error))
}

/// The error with the kernel's own words, which are in a file at the root.
fn failed(what: impl std::fmt::Display, path: &Path, error: &io::Error) -> Error {
    let errno = Errno::from_io_error(error).unwrap_or(Errno::IO);
    let words =
        path.ancestors().find_map(|folder| fs::read_to_string(folder.join("info/last_cmd_status")).ok());
    match words.as_deref().map(str::trim).filter(|words| !matches!(*words, "" | "ok")) {
        Some(words) => Error::os(format_args!("{what} {} (the kernel says: {words})", path.display()), errno),
        None => Error::os(format_args!("{what} {}", path.display()), errno),
    }
}
