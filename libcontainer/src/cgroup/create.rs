use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode};
use rustix::io::Errno;

use super::dir::Dir;
use super::handles::{Cgroups, Opened};
use super::remove::remove_if_unused;
use super::{CgroupError, Group, Placement, freezer, processes, remove};

/// How long the removal of cgroups that nothing ever ran in may take.
const UNDO_TIMEOUT: Duration = Duration::from_secs(1);

/// Controllers of the unified hierarchy, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Controllers {
    /// Those without which the limits cannot be set.
    pub needed: Vec<String>,
    /// All that the host has.
    pub offered: Vec<String>,
}

/// Cgroups made for a container, and what has to be removed if its creation fails.
#[derive(Debug)]
pub struct Created {
    cgroups: Cgroups,
    made: Vec<PathBuf>,
}

impl Created {
    /// The cgroups themselves.
    #[must_use]
    pub fn cgroups(&self) -> &Cgroups {
        &self.cgroups
    }

    /// The directories that were made, parents first; those that existed are not among them.
    #[must_use]
    pub fn made(&self) -> &[PathBuf] {
        &self.made
    }

    /// Those of them that are the container's alone. The others are above it, and others may be in them by now.
    #[must_use]
    pub fn own(&self) -> Vec<PathBuf> {
        let is_above =
            |path: &&PathBuf| self.made.iter().any(|other| other != *path && other.starts_with(path));
        self.made.iter().filter(|path| !is_above(path)).cloned().collect()
    }

    /// Opens the cgroups anew, makes those that are gone, and has controllers enabled.
    ///
    /// # Errors
    /// Failures of the system calls.
    pub fn reopen(&mut self, placement: &Placement, controllers: &Controllers) -> Result<(), CgroupError> {
        let mut opened = Vec::with_capacity(placement.groups.len());
        for group in &placement.groups {
            let dir = match Dir::open_if_exists(&group.dir())? {
                Some(dir) => dir,
                None => make(group, &mut self.made)?,
            };
            opened.push(prepare(group, dir, controllers)?);
        }
        self.cgroups = Cgroups::new(opened);
        Ok(())
    }

    /// Keeps what was made and gives up the means to undo it.
    #[must_use]
    pub fn keep(self) -> Cgroups {
        self.cgroups
    }

    /// Removes exactly what was made. A parent that others use by now stays.
    ///
    /// # Errors
    /// The first failure, after everything was tried.
    pub fn undo(self) -> Result<(), CgroupError> {
        drop(self.cgroups);
        undo(&self.made)
    }
}

/// Makes the cgroups of a container, with controllers enabled in the unified one.
///
/// An existing cgroup is used if it is empty. Whatever was made is removed again on failure.
///
/// # Errors
/// [`CgroupError::NotEmpty`] and [`CgroupError::Frozen`] for an existing cgroup that is in use, and
/// failures of the system calls. That a controller cannot be enabled is one only if it is needed.
pub fn create(placement: &Placement, controllers: &Controllers) -> Result<Created, CgroupError> {
    let mut made = Vec::new();
    match create_all(placement, controllers, &mut made) {
        Ok(groups) => Ok(Created { cgroups: Cgroups::new(groups), made }),
        Err(error) => {
            // The failure that led here says more than one of its cleaning up.
            undo(&made).ok();
            Err(error)
        }
    }
}

fn create_all(
    placement: &Placement,
    controllers: &Controllers,
    made: &mut Vec<PathBuf>,
) -> Result<Vec<Opened>, CgroupError> {
    let mut opened = Vec::with_capacity(placement.groups.len());
    for group in &placement.groups {
        let dir = make(group, made)?;
        opened.push(prepare(group, dir, controllers)?);
    }
    Ok(opened)
}

/// Makes a cgroup one that processes can be in.
fn prepare(group: &Group, dir: Dir, controllers: &Controllers) -> Result<Opened, CgroupError> {
    if group.unified {
        enable(group, &dir, controllers)?;
        refuse_threaded(group, &dir)?;
    }
    if group.controllers.iter().any(|name| name == "cpuset") {
        // A process cannot join while these are empty, and they start empty on v1.
        inherit(&dir, &group.mount, "cpuset.cpus")?;
        inherit(&dir, &group.mount, "cpuset.mems")?;
    }
    Ok(Opened { dir, controllers: group.controllers.clone(), unified: group.unified })
}

/// Makes one cgroup; its parents are looked at only if they turn out to be missing.
fn make(group: &Group, made: &mut Vec<PathBuf>) -> Result<Dir, CgroupError> {
    let path = group.dir();
    let existed = match rustix::fs::mkdirat(CWD, &path, mode()) {
        Ok(()) => {
            made.push(path.clone());
            false
        }
        Err(Errno::EXIST) => true,
        Err(Errno::NOENT) => {
            let dir = make_with_parents(group, made).or_else(|error| match error.errno() {
                // A failed creation beside this one took back the parent that both share.
                Some(Errno::NOENT) => make_with_parents(group, made),
                _ => Err(error),
            })?;
            if made.last() != Some(&path) {
                refuse_used(&dir)?;
            }
            return Ok(dir);
        }
        Err(errno) => return Err(CgroupError::system("mkdirat", &path, errno).with_hint(mkdir_hint(errno))),
    };
    let dir = Dir::open(&path)?;
    if existed {
        refuse_used(&dir)?;
    }
    Ok(dir)
}

fn make_with_parents(group: &Group, made: &mut Vec<PathBuf>) -> Result<Dir, CgroupError> {
    let mut dir = Dir::open(&group.mount)?;
    for name in group.path.split('/') {
        match rustix::fs::mkdirat(&dir, name, mode()) {
            Ok(()) => made.push(dir.path().join(name)),
            Err(Errno::EXIST) => {}
            Err(errno) => {
                let path = dir.path().join(name);
                return Err(CgroupError::system("mkdirat", &path, errno).with_hint(mkdir_hint(errno)));
            }
        }
        dir = dir.child(name)?;
    }
    Ok(dir)
}

fn mode() -> Mode {
    Mode::from_raw_mode(0o755)
}

fn mkdir_hint(errno: Errno) -> Option<&'static str> {
    match errno {
        Errno::ACCESS | Errno::PERM | Errno::ROFS => {
            Some("give a cgroupsPath below a cgroup that may be changed")
        }
        Errno::AGAIN => Some("cgroup.max.depth or cgroup.max.descendants of a cgroup above is reached"),
        _ => None,
    }
}

fn refuse_used(dir: &Dir) -> Result<(), CgroupError> {
    let path = dir.path().to_owned();
    let count = processes(std::slice::from_ref(&path))?.len();
    if count > 0 {
        return Err(CgroupError::NotEmpty { path, count });
    }
    if freezer::is_dir_frozen(dir)? {
        return Err(CgroupError::Frozen { path });
    }
    Ok(())
}

/// Has controllers enabled in a cgroup of the unified hierarchy, by all cgroups above it.
pub(super) fn enable(group: &Group, dir: &Dir, controllers: &Controllers) -> Result<(), CgroupError> {
    let enabled = dir.read("cgroup.controllers")?;
    let missing = |name: &&String| enabled.split_whitespace().all(|enabled| enabled != **name);
    let needed: Vec<_> = controllers.needed.iter().filter(missing).collect();
    let missing: Vec<_> = controllers.offered.iter().filter(missing).collect();
    let also_needed = needed.iter().copied().filter(|name| !missing.contains(name));
    let all: Vec<_> = also_needed.chain(missing.iter().copied()).collect();
    if all.is_empty() {
        return Ok(());
    }
    let mut above = Dir::open(&group.mount)?;
    let mut names = group.path.split('/').peekable();
    while let Some(name) = names.next() {
        enable_below(&above, &all, &needed)?;
        if names.peek().is_some() {
            above = above.child(name)?;
        }
    }
    Ok(())
}

/// Enables controllers for the children of a cgroup: all at one stroke, and if that fails one by one.
fn enable_below(dir: &Dir, all: &[&String], needed: &[&String]) -> Result<(), CgroupError> {
    let write = |names: &[&String]| {
        let value: Vec<_> = names.iter().map(|name| format!("+{name}")).collect();
        dir.write("cgroup.subtree_control", &value.join(" "))
    };
    if write(all).is_ok() {
        return Ok(());
    }
    for name in all {
        match write(std::slice::from_ref(name)) {
            Err(error) if needed.contains(name) => {
                let hint = error.errno().and_then(enable_hint);
                return Err(error.with_hint(hint));
            }
            // Statistics that nobody asked for are not worth a container.
            _ => {}
        }
    }
    Ok(())
}

/// Below a threaded cgroup a new one takes no processes at all, and says so only when one is put there.
fn refuse_threaded(group: &Group, dir: &Dir) -> Result<(), CgroupError> {
    // The root is never threaded, so a cgroup right below it needs no look.
    if !group.path.contains('/') {
        return Ok(());
    }
    match dir.read_if_exists("cgroup.type")? {
        Some(kind) if kind.trim() == "domain invalid" => {
            let reason = format!(
                "{} is below a threaded cgroup and takes no processes (hint: give a cgroupsPath elsewhere)",
                dir.path().display()
            );
            Err(CgroupError::host(reason))
        }
        _ => Ok(()),
    }
}

fn enable_hint(errno: Errno) -> Option<&'static str> {
    match errno {
        Errno::BUSY => Some("it has processes of its own; give a cgroupsPath below a cgroup without any"),
        Errno::NOENT => Some("a controller is not available there; the cgroup above has to enable it"),
        Errno::OPNOTSUPP => Some("it is a threaded cgroup; give a cgroupsPath elsewhere"),
        _ => None,
    }
}

/// Gives an empty v1 cpuset the value of the nearest cgroup above that has one.
fn inherit(dir: &Dir, mount: &Path, file: &str) -> Result<String, CgroupError> {
    let own = dir.read(file)?.trim().to_owned();
    let above = dir.path().parent().filter(|_| own.is_empty() && dir.path() != mount);
    let Some(above) = above else { return Ok(own) };
    let value = inherit(&Dir::open(above)?, mount, file)?;
    dir.write(file, &value)?;
    Ok(value)
}

fn undo(made: &[PathBuf]) -> Result<(), CgroupError> {
    let mut first = Ok(());
    for (index, path) in made.iter().enumerate().rev() {
        let is_parent = made.iter().skip(index + 1).any(|other| other.starts_with(path));
        let result =
            if is_parent { remove_if_unused(path) } else { remove(std::slice::from_ref(path), UNDO_TIMEOUT) };
        first = first.and(result);
    }
    first
}

#[cfg(test)]
#[path = "create_tests.rs"]
mod tests;
