//! The cgroups of a process, as criu wants to be told of them.

use rustix::fs::OFlags;
use rustix::process::Pid;

use crate::sys::file::read_bounded;
use crate::sys::procfs::Procfs;
use crate::{Error, Result};

/// A controller, or a hierarchy without one by its name, with the path of a cgroup below its root.
type CgroupRoot = (String, String);

const LIMIT: usize = 1 << 20;

/// The cgroups that process `pid` is in.
pub(crate) fn own_cgroups(pid: Pid) -> Result<Vec<CgroupRoot>> {
    let path = format!("{}/cgroup", pid.as_raw_nonzero());
    let text = Procfs::open()?
        .open_file(&path, OFlags::RDONLY)
        .and_then(|file| read_bounded(file, LIMIT))
        .map_err(|errno| Error::os(format_args!("read /proc/{path}"), errno))?;
    Ok(parse(&String::from_utf8_lossy(&text)))
}

/// Lines of cgroups(7): `NUMBER:CONTROLLERS:PATH`.
fn parse(text: &str) -> Vec<CgroupRoot> {
    let mut roots = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        if let (Some(controllers), Some(path)) = (parts.next(), parts.next()) {
            roots.extend(controllers.split(',').map(|name| (name.to_owned(), path.to_owned())));
        }
    }
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_of_one_hierarchy_are_told_one_by_one() {
        let text = "3:cpu,cpuacct:/a:b\n1:name=systemd:/c\n0::/d\nbroken\n";
        let expected = [("cpu", "/a:b"), ("cpuacct", "/a:b"), ("name=systemd", "/c"), ("", "/d")];
        let expected = expected.map(|(name, path)| (name.to_owned(), path.to_owned()));
        assert_eq!(parse(text), expected);
    }
}
