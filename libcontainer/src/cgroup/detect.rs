use std::io::BufReader;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC};
use rustix::io::Errno;

use super::dir::{Dir, is_cgroup2};
use super::{CgroupError, Layout, Unified};

/// Where every distribution mounts cgroups.
const USUAL: &str = "/sys/fs/cgroup";

/// What [`detect`] should find out beyond where cgroups are mounted. Each costs a file read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// The controllers of the unified hierarchy.
    pub controllers: bool,
    /// The caller's own cgroup in the unified hierarchy.
    pub own: bool,
}

impl Want {
    /// What [`place`](super::place) and [`writes`](super::writes) need to know for a configuration.
    #[must_use]
    pub fn needed(cgroups_path: Option<&str>) -> Self {
        let own = cgroups_path.is_some_and(|path| !path.is_empty() && !path.starts_with('/'));
        Self { controllers: true, own }
    }
}

/// Finds out how the cgroups of this host are mounted.
///
/// On a host with cgroup v2 alone this is one `statfs`, whatever is not wanted is not read.
///
/// # Errors
/// A host without cgroups, or whose `/proc` cannot be read.
pub fn detect(want: Want) -> Result<Layout, CgroupError> {
    let mut layout = if is_cgroup2(Path::new(USUAL)) { usual_v2(want)? } else { parse()? };
    if let (Some(unified), true) = (&mut layout.v2, want.controllers) {
        let names = Dir::open(&unified.mount)?.read("cgroup.controllers")?;
        unified.controllers = Some(names.split_whitespace().map(str::to_owned).collect());
    }
    if layout == Layout::default() {
        return Err(CgroupError::host("none is mounted (hint: mount -t cgroup2 none /sys/fs/cgroup)"));
    }
    Ok(layout)
}

fn usual_v2(want: Want) -> Result<Layout, CgroupError> {
    let mount = Path::new(USUAL);
    // The own cgroup is relative to a mount's root, which only the list of mounts tells.
    let found = if want.own { parse()?.v2.filter(|unified| unified.mount == mount) } else { None };
    let own = found.and_then(|unified| unified.own);
    Ok(Layout { v1: Vec::new(), v2: Some(Unified { mount: mount.to_owned(), own, controllers: None }) })
}

fn parse() -> Result<Layout, CgroupError> {
    let (mountinfo, cgroup) = ("/proc/thread-self/mountinfo", "/proc/thread-self/cgroup");
    let (mounts, own) = (open_proc(mountinfo)?, open_proc(cgroup)?);
    Layout::parse(BufReader::new(mounts), BufReader::new(own)).map_err(|error| {
        CgroupError::system("read", Path::new(mountinfo), Errno::from_io_error(&error).unwrap_or(Errno::IO))
    })
}

/// Opens a file of procfs, and makes sure that it is one.
fn open_proc(path: &str) -> Result<std::fs::File, CgroupError> {
    let failed = |operation| move |errno| CgroupError::system(operation, Path::new(path), errno);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let fd: OwnedFd = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(failed("openat"))?;
    let stat = rustix::fs::fstatfs(&fd).map_err(failed("fstatfs"))?;
    if stat.f_type != PROC_SUPER_MAGIC {
        return Err(CgroupError::host(format!("{path} is not in a procfs")));
    }
    Ok(fd.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_configuration_needs_is_wanted() {
        let own = |path| Want::needed(path).own;
        assert!(!own(None));
        assert!(!own(Some("")));
        assert!(!own(Some("/a/b")));
        assert!(own(Some("a/b")));
    }
}
