use std::ffi::OsString;
use std::io::{self, BufRead};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where a host has its cgroups mounted, and where in them the caller is. Plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The v1 hierarchies, in the order of `/proc/self/cgroup`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub v1: Vec<Hierarchy>,
    /// The unified hierarchy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v2: Option<Unified>,
}

/// Which generations of cgroups a host uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutKind {
    /// Only v1 hierarchies.
    V1,
    /// Only the unified hierarchy.
    V2,
    /// v1 hierarchies with controllers, and the unified one beside them.
    Hybrid,
}

/// One v1 hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Its controllers; none for a named hierarchy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controllers: Vec<String>,
    /// The name of a named hierarchy, `systemd` for example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// The caller's cgroup, as a path below the mount.
    pub own: String,
}

/// The unified hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unified {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// The caller's cgroup, as a path below the mount; `None` if it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<String>,
    /// The controllers that it offers; `None` if they were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controllers: Option<Vec<String>>,
}

impl Layout {
    /// Which generations of cgroups these are.
    #[must_use]
    pub fn kind(&self) -> LayoutKind {
        match (self.v1.is_empty(), self.v2.is_some()) {
            (true, _) => LayoutKind::V2,
            (false, true) => LayoutKind::Hybrid,
            (false, false) => LayoutKind::V1,
        }
    }

    /// Reads a layout from the texts of `/proc/self/mountinfo` and `/proc/self/cgroup`.
    ///
    /// Mounts are read as a stream, since a host may have a hundred thousand of them.
    ///
    /// # Errors
    /// Only those of reading.
    pub fn parse(mountinfo: impl BufRead, cgroup: impl BufRead) -> io::Result<Self> {
        let mounts = cgroup_mounts(mountinfo)?;
        let mut layout = Self::default();
        for line in cgroup.split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            let mut fields = line.splitn(3, ':');
            let (Some(number), Some(names), Some(path)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let unified = number == "0" && names.is_empty();
            let Some(mount) = choose(&mounts, unified, names, path) else { continue };
            let own = below(&mount.root, path).unwrap_or_else(|| path.to_owned());
            if unified {
                layout.v2 = Some(Unified { mount: mount.point.clone(), own: Some(own), controllers: None });
            } else {
                layout.v1.push(hierarchy(mount.point.clone(), names, own));
            }
        }
        Ok(layout)
    }
}

fn hierarchy(mount: PathBuf, names: &str, own: String) -> Hierarchy {
    match names.strip_prefix("name=") {
        Some(name) => Hierarchy { mount, controllers: Vec::new(), named: Some(name.to_owned()), own },
        None => {
            let controllers = names.split(',').map(str::to_owned).collect();
            Hierarchy { mount, controllers, named: None, own }
        }
    }
}

struct Mount {
    unified: bool,
    /// The part of the hierarchy that this mount shows.
    root: String,
    point: PathBuf,
    options: Vec<String>,
}

fn cgroup_mounts(mut mountinfo: impl BufRead) -> io::Result<Vec<Mount>> {
    let mut mounts = Vec::new();
    let mut line = Vec::new();
    while mountinfo.read_until(b'\n', &mut line)? > 0 {
        mounts.extend(cgroup_mount(line.trim_ascii_end()));
        line.clear();
    }
    Ok(mounts)
}

/// `ID PARENT MAJ:MIN ROOT POINT OPTIONS [TAGS…] - TYPE SOURCE SUPER`, for the cgroup types.
fn cgroup_mount(line: &[u8]) -> Option<Mount> {
    const SEPARATOR: &[u8] = b" - cgroup";
    let split = line.windows(SEPARATOR.len()).position(|window| window == SEPARATOR)?;
    let (left, right) = line.split_at_checked(split)?;
    let mut left = left.split(|byte| *byte == b' ').skip(3);
    let root = unescape(left.next()?);
    let point = unescape(left.next()?);
    let mut right = right.split(|byte| *byte == b' ').skip(2);
    let unified = match right.next()? {
        b"cgroup" => false,
        b"cgroup2" => true,
        _ => return None,
    };
    let options = String::from_utf8_lossy(right.nth(1)?).split(',').map(str::to_owned).collect();
    Some(Mount {
        unified,
        root: String::from_utf8_lossy(&root).into_owned(),
        point: PathBuf::from(OsString::from_vec(point)),
        options,
    })
}

/// Undoes the kernel's `\040` escapes of space, tab, newline and backslash.
pub(crate) fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let escaped = (*byte == b'\\').then(|| after.split_at_checked(3)).flatten();
        let decoded = escaped.and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 8).ok()?, after))
        });
        let (byte, after) = decoded.unwrap_or((*byte, after));
        plain.push(byte);
        rest = after;
    }
    plain
}

/// The mount of a hierarchy; of several, one that shows the caller's own cgroup, and of those the
/// last, since it may cover the others.
fn choose<'m>(mounts: &'m [Mount], unified: bool, names: &str, own: &str) -> Option<&'m Mount> {
    let of_hierarchy = |mount: &&Mount| {
        mount.unified == unified
            && (unified || names.split(',').all(|name| mount.options.iter().any(|option| option == name)))
    };
    let mut candidates = mounts.iter().rev().filter(of_hierarchy);
    candidates.clone().find(|mount| below(&mount.root, own).is_some()).or_else(|| candidates.next())
}

/// `path` as seen from `root`, or `None` if it is not below it.
fn below(root: &str, path: &str) -> Option<String> {
    let rest = path.strip_prefix(root.trim_end_matches('/'))?;
    match rest.chars().next() {
        None => Some("/".to_owned()),
        Some('/') => Some(rest.to_owned()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
        22 1 0:20 / /proc rw - proc proc rw\n\
        30 22 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct\n\
        32 30 0:28 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
        34 30 0:30 / /sys/fs/cgroup/uni\\040fied rw - cgroup2 cgroup2 rw\n";
    const OWN: &str = "4:cpu,cpuacct:/user\n3:memory:/docker/abc/x\n2:freezer:/\n1:name=systemd:/s\n0::/u\n";

    #[test]
    fn a_hybrid_host_is_read_with_roots_stripped_and_names_unescaped() {
        let layout = Layout::parse(HYBRID.as_bytes(), OWN.as_bytes()).unwrap();
        assert_eq!(layout.kind(), LayoutKind::Hybrid);
        let seen: Vec<_> = layout
            .v1
            .iter()
            .map(|h| (h.mount.to_str().unwrap(), h.controllers.join("+"), h.named.as_deref(), h.own.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("/sys/fs/cgroup/cpu,cpuacct", "cpu+cpuacct".to_owned(), None, "/user"),
                ("/sys/fs/cgroup/memory", "memory".to_owned(), None, "/x"),
                ("/sys/fs/cgroup/systemd", String::new(), Some("systemd"), "/s"),
            ]
        );
        let unified = layout.v2.unwrap();
        assert_eq!(unified.mount, PathBuf::from("/sys/fs/cgroup/uni fied"));
        assert_eq!(unified.own.as_deref(), Some("/u"));
    }

    #[test]
    fn of_several_mounts_the_last_one_that_shows_the_own_cgroup_is_taken() {
        let mounts = "31 1 0:27 / /a rw - cgroup2 c rw\n32 1 0:27 / /b rw - cgroup2 c rw\n\
            33 1 0:27 /other /c rw - cgroup2 c rw\n";
        let layout = Layout::parse(mounts.as_bytes(), "0::/mine\n".as_bytes()).unwrap();
        assert_eq!(layout.kind(), LayoutKind::V2);
        assert_eq!(layout.v2.unwrap().mount, PathBuf::from("/b"));
    }

    #[test]
    fn damaged_lines_are_passed_over() {
        let layout =
            Layout::parse(&b"\n - cgroup\nx - cgroup2 a b\n1 2 3 4"[..], &b"0::/\nzz\n"[..]).unwrap();
        assert_eq!(layout, Layout::default());
    }

    #[test]
    fn a_layout_survives_its_golden_file() {
        let layout = Layout::parse(HYBRID.as_bytes(), OWN.as_bytes()).unwrap();
        let text = serde_json::to_string(&layout).unwrap();
        assert_eq!(serde_json::from_str::<Layout>(&text).unwrap(), layout);
    }
}
