use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{CgroupError, Layout};

const POINTER: &str = "/linux/cgroupsPath";

/// A container's cgroups: one in each v1 hierarchy, and one in the unified hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The cgroups, the unified one last.
    pub groups: Vec<Group>,
}

/// One cgroup of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Where its hierarchy is mounted.
    pub mount: PathBuf,
    /// Its path below the mount: not empty, no leading slash, no `.` or `..`.
    pub path: String,
    /// The controllers of its v1 hierarchy; empty for a named or the unified hierarchy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controllers: Vec<String>,
    /// Whether it is in the unified hierarchy.
    pub unified: bool,
}

impl Group {
    /// The absolute path on the host.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.mount.join(&self.path)
    }
}

impl Placement {
    /// The absolute paths of all cgroups.
    #[must_use]
    pub fn dirs(&self) -> Vec<PathBuf> {
        self.groups.iter().map(Group::dir).collect()
    }

    /// The absolute path of the cgroup in the unified hierarchy, into which a process can be cloned.
    #[must_use]
    pub fn unified(&self) -> Option<PathBuf> {
        self.groups.iter().find(|group| group.unified).map(Group::dir)
    }
}

/// Decides where a container's cgroups are.
///
/// An absolute `cgroups_path` is taken below each mount. A relative one is taken below the caller's
/// own cgroup; where the unified hierarchy stands alone, below that cgroup's *parent*, because a
/// cgroup with processes in it cannot give controllers to its children. Without one it is `/<id>`.
///
/// # Errors
/// A path that climbs out of its start or names no cgroup of its own, and a layout without cgroups.
pub fn place(layout: &Layout, cgroups_path: Option<&str>, id: &str) -> Result<Placement, CgroupError> {
    let path = cgroups_path.filter(|path| !path.is_empty());
    let wanted = clean(path.unwrap_or(id))
        .ok_or_else(|| CgroupError::invalid(POINTER, path.unwrap_or(id), "climbs out of its hierarchy"))?;
    if wanted.is_empty() {
        return Err(CgroupError::invalid(POINTER, path.unwrap_or(id), "names no cgroup below the root"));
    }
    let relative = path.is_some_and(|path| !path.starts_with('/'));
    let below = |own: &str| if relative { join_own(own, &wanted) } else { Ok(wanted.clone()) };

    let mut groups = Vec::with_capacity(layout.v1.len() + 1);
    for hierarchy in &layout.v1 {
        let path = below(&hierarchy.own)?;
        let controllers = hierarchy.controllers.clone();
        groups.push(Group { mount: hierarchy.mount.clone(), path, controllers, unified: false });
    }
    if let Some(unified) = &layout.v2 {
        let own = match (&unified.own, relative) {
            (Some(own), _) => own.as_str(),
            (None, false) => "/",
            (None, true) => return Err(CgroupError::host("the caller's own cgroup was not determined")),
        };
        let start = if layout.v1.is_empty() { parent(own) } else { own };
        let path = below(start)?;
        groups.push(Group { mount: unified.mount.clone(), path, controllers: Vec::new(), unified: true });
    }
    if groups.is_empty() {
        return Err(CgroupError::host("none is mounted (hint: mount cgroup2 on /sys/fs/cgroup)"));
    }
    Ok(Placement { groups })
}

/// Finds the place of a container that exists by its `dirs`, and the part of the host's layout that it is in.
pub(super) fn existing(host: Layout, dirs: &[PathBuf]) -> (Layout, Placement) {
    let mut mounts: Vec<_> = host.v1.iter().map(|hierarchy| hierarchy.mount.clone()).collect();
    mounts.extend(host.v2.iter().map(|unified| unified.mount.clone()));
    let path_below = |mount: &PathBuf| {
        dirs.iter().find_map(|dir| {
            // The mount of one hierarchy may be below that of another.
            let longest = mounts
                .iter()
                .filter(|mount| dir.starts_with(mount))
                .max_by_key(|path| path.as_os_str().len());
            let path = dir.strip_prefix(longest.filter(|longest| *longest == mount)?).ok()?;
            path.to_str().map(str::to_owned)
        })
    };
    let mut layout = Layout::default();
    let mut groups = Vec::new();
    for hierarchy in host.v1 {
        let Some(path) = path_below(&hierarchy.mount) else { continue };
        let (mount, controllers) = (hierarchy.mount.clone(), hierarchy.controllers.clone());
        groups.push(Group { mount, path, controllers, unified: false });
        layout.v1.push(hierarchy);
    }
    if let Some(unified) = host.v2
        && let Some(path) = path_below(&unified.mount)
    {
        groups.push(Group { mount: unified.mount.clone(), path, controllers: Vec::new(), unified: true });
        layout.v2 = Some(unified);
    }
    (layout, Placement { groups })
}

fn join_own(own: &str, wanted: &str) -> Result<String, CgroupError> {
    let climbs = own.split('/').any(|part| part == "..");
    match clean(own) {
        Some(own) if own.is_empty() => Ok(wanted.to_owned()),
        Some(own) if !climbs => Ok(format!("{own}/{wanted}")),
        _ => Err(CgroupError::unsupported(
            POINTER,
            format!("a relative path cannot be used: the caller's own cgroup {own} is outside of the mount"),
        )),
    }
}

fn parent(own: &str) -> &str {
    own.trim_end_matches('/').rsplit_once('/').map_or("/", |(parent, _)| parent)
}

/// Removes empty parts, `.` and inner `..`; `None` for a path that climbs above its start.
fn clean(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cgroup::{Hierarchy, Unified};

    fn v1(mount: &str, own: &str) -> Hierarchy {
        Hierarchy { mount: mount.into(), controllers: vec!["cpu".into()], named: None, own: own.into() }
    }

    fn v2(mount: &str, own: Option<&str>) -> Option<Unified> {
        Some(Unified { mount: mount.into(), own: own.map(str::to_owned), controllers: None })
    }

    fn dirs(layout: &Layout, path: Option<&str>) -> Vec<String> {
        let placement = place(layout, path, "web").unwrap();
        placement.dirs().iter().map(|dir| dir.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn on_v2_relative_paths_start_beside_the_caller() {
        let layout = Layout { v1: vec![], v2: v2("/cg", Some("/user/session")) };
        assert_eq!(dirs(&layout, None), ["/cg/web"]);
        assert_eq!(dirs(&layout, Some("")), ["/cg/web"]);
        assert_eq!(dirs(&layout, Some("/a//b/./c/")), ["/cg/a/b/c"]);
        assert_eq!(dirs(&layout, Some("/a/../b")), ["/cg/b"]);
        assert_eq!(dirs(&layout, Some("a/b")), ["/cg/user/a/b"]);
        let root = Layout { v1: vec![], v2: v2("/cg", Some("/")) };
        assert_eq!(dirs(&root, Some("a")), ["/cg/a"]);
    }

    #[test]
    fn on_v1_and_hybrid_relative_paths_start_at_the_caller() {
        let layout =
            Layout { v1: vec![v1("/cg/cpu", "/"), v1("/cg/mem", "/job")], v2: v2("/cg/u", Some("/x")) };
        assert_eq!(dirs(&layout, Some("a")), ["/cg/cpu/a", "/cg/mem/job/a", "/cg/u/x/a"]);
        assert_eq!(dirs(&layout, Some("/a")), ["/cg/cpu/a", "/cg/mem/a", "/cg/u/a"]);
        assert_eq!(dirs(&layout, None), ["/cg/cpu/web", "/cg/mem/web", "/cg/u/web"]);
        let placement = place(&layout, None, "web").unwrap();
        assert_eq!(placement.unified(), Some("/cg/u/web".into()));
        let pure = Layout { v1: layout.v1, v2: None };
        assert_eq!(place(&pure, None, "web").unwrap().unified(), None);
    }

    #[test]
    fn the_place_of_a_container_that_exists_is_found_again() {
        let layout = Layout { v1: vec![v1("/cg", "/"), v1("/cg/mem", "/job")], v2: v2("/cg/u", Some("/x")) };
        let placement = place(&layout, Some("a/b"), "web").unwrap();
        assert_eq!(existing(layout.clone(), &placement.dirs()), (layout.clone(), placement.clone()));
        let (some, found) = existing(layout.clone(), &placement.dirs()[1..2]);
        assert_eq!((some.v1.len(), some.v2, found.groups), (1, None, placement.groups[1..2].to_vec()));
        assert_eq!(existing(layout, &[]).1, Placement { groups: Vec::new() });
    }

    #[test]
    fn climbs_and_the_root_itself_are_refused() {
        let layout = Layout { v1: vec![], v2: v2("/cg", Some("/a/b")) };
        for bad in ["..", "/..", "a/../..", "/a/../../b", "/", "./", "/a/.."] {
            let error = place(&layout, Some(bad), "web").unwrap_err();
            assert_eq!(error.pointer(), Some(POINTER), "{bad}: {error}");
        }
        let outside = Layout { v1: vec![v1("/cg/cpu", "/../host")], v2: None };
        assert!(place(&outside, Some("a"), "web").is_err());
        assert!(place(&outside, Some("/a"), "web").is_ok());
    }

    proptest! {
        #[test]
        fn no_path_leaves_its_mount(path in "[./a]{0,12}", own in "(/[./a]{0,6})?") {
            let layout = Layout { v1: vec![v1("/cg/cpu", &own)], v2: v2("/cg/u", Some(&own)) };
            if let Ok(placement) = place(&layout, Some(&path), "web") {
                for group in placement.groups {
                    prop_assert!(!group.path.is_empty());
                    prop_assert!(group.path.split('/').all(|part| !matches!(part, "" | "." | "..")));
                }
            }
        }
    }

    #[test]
    fn what_was_not_probed_is_an_error_only_if_it_is_needed() {
        let layout = Layout { v1: vec![], v2: v2("/cg", None) };
        assert_eq!(dirs(&layout, None), ["/cg/web"]);
        assert!(matches!(place(&layout, Some("a"), "web"), Err(CgroupError::Host { .. })));
        assert!(matches!(place(&Layout::default(), None, "web"), Err(CgroupError::Host { .. })));
    }
}
