//! The questions themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{Access, CWD, FileType, Mode, OFlags, access, fstat, open, stat};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use rustix::system::uname;
use rustix::thread::{CapabilitySet, capabilities, capability_is_in_bounding_set};

use super::devices::{self, Devices};
use super::{Facts, Handles, PathFact, Purpose, Source, Unprivileged, lsm, network, resctrl};
use crate::cgroup::systemd::{Manager, Systemd};
use crate::cgroup::{self, Layout};
use crate::spec::{Config, Membership, MountKind, Namespaces};
use crate::sys::{namespace, tree};
use crate::{Error, ErrorKind, Result};

/// Asks the host what the planner needs to know for `config`; `by_systemd` if systemd is to make the cgroup.
///
/// # Errors
/// [`ErrorKind::InvalidSpec`] for a namespace that cannot be joined, [`ErrorKind::Os`] if the host cannot be asked,
/// [`ErrorKind::Unsupported`] if systemd is needed and cannot be reached.
/// A bind source or root file system that is missing is a fact, not an error.
pub fn probe(config: &Config, purpose: Purpose, by_systemd: bool) -> Result<(Facts, Handles)> {
    let mut handles = Handles::default();
    let root = look(&config.root.path).keep(&mut handles.root);
    let mut sources = BTreeMap::new();
    // For a user namespace it is copied later, from where its flags are locked; behind a file system that the
    // container makes, when that is made: mounts are listed in the order in which they were made.
    let mut may_copy = purpose == Purpose::Create && config.namespaces.user.membership == Membership::Host;
    for mount in &config.mounts {
        may_copy &= !matches!(mount.kind, MountKind::Filesystem { .. } | MountKind::Cgroup);
        if let MountKind::Bind { source, recursive } = &mount.kind {
            let (fact, handle) = look_at_source(source, *recursive, may_copy);
            if fact == (PathFact::Missing { errno: libc::EMFILE }) {
                return Err(too_many_open(mount.index));
            }
            sources.insert(mount.index, fact);
            handles.sources.extend(handle.map(|handle| (mount.index, handle)));
        }
    }
    let nested_user = is_nested();
    let Devices { devices, other_devices } = devices::probe(config, nested_user, &mut handles)?;
    handles.namespaces = namespaces(&config.namespaces)?;
    let (capabilities, last_capability) = own_capabilities()?;
    let systemd = if by_systemd { Some(systemd(nested_user, &mut handles)?) } else { None };
    // What systemd is told is no path, so nothing is relative to the caller.
    let want = cgroup::Want::needed(config.cgroups_path.as_deref().filter(|_| !by_systemd));
    let cgroup = cgroup::detect(want)?;
    let facts = Facts {
        cgroup_denied: is_denied(&cgroup, config, nested_user),
        cgroup,
        nested_user,
        capabilities,
        last_capability,
        unknown_labels: lsm::unknown_labels(config),
        lsms: lsm::needed_by(config),
        root,
        sources,
        devices,
        other_devices,
        owned_by_joined_user: owned_by_joined_user(&handles.namespaces),
        unprivileged: unprivileged(config, capabilities),
        missing_net_devices: network::missing_devices(config)?,
        resctrl: resctrl::resctrl(config)?,
        joins_own_network: network::joins_own(config, &handles.namespaces)?,
        systemd,
        kernel: kernel(&config.namespaces),
        container: None,
    };
    Ok((facts, handles))
}

/// The kernel's version, if it matters.
fn kernel(namespaces: &Namespaces) -> Option<(u32, u32)> {
    (namespaces.mount.membership == Membership::Host).then(|| version(uname().release().to_bytes()))?
}

/// The first two numbers of a release such as `6.1.0-42-amd64`.
fn version(release: &[u8]) -> Option<(u32, u32)> {
    let mut numbers = std::str::from_utf8(release).ok()?.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The host's systemd is root's; everybody else has one of their own. Root of a user namespace is not root to it.
fn systemd(nested_user: bool, handles: &mut Handles) -> Result<Systemd> {
    let is_user = nested_user || !geteuid().is_root();
    let manager = handles.systemd.insert(Manager::connect(is_user)?);
    Ok(manager.facts(is_user)?)
}

fn too_many_open(mount: usize) -> Error {
    let what = format_args!(
        "/mounts/{mount}/source: each bind is an open file until it is mounted; raise the limit (ulimit -n)"
    );
    Error::os(what, Errno::MFILE)
}

/// A path that was opened, or why it could not be.
pub(super) struct Look(std::result::Result<(PathFact, OwnedFd), Errno>);

impl Look {
    pub(super) fn keep(self, place: &mut Option<OwnedFd>) -> PathFact {
        match self.0 {
            Ok((fact, handle)) => {
                *place = Some(handle);
                fact
            }
            Err(errno) => PathFact::Missing { errno: errno.raw_os_error() },
        }
    }
}

/// Nearly all are folders, and what can be opened as one needs no second question.
pub(super) fn look(path: &Path) -> Look {
    const HANDLE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
    Look(match open(path, HANDLE | OFlags::DIRECTORY, Mode::empty()) {
        Ok(folder) => Ok((PathFact::Folder, folder)),
        Err(Errno::NOTDIR) => open(path, HANDLE, Mode::empty()).and_then(told),
        Err(errno) => Err(errno),
    })
}

fn told(handle: OwnedFd) -> std::result::Result<(PathFact, OwnedFd), Errno> {
    let kind = FileType::from_raw_mode(fstat(&handle)?.st_mode);
    let fact = if kind == FileType::Directory { PathFact::Folder } else { PathFact::File };
    Ok((fact, handle))
}

/// Opens the source of a bind, if it may be as the mount that it will be, in one call. Whatever hinders that is found out again by
/// the plan's step, which has the words for it.
fn look_at_source(path: &Path, recursive: bool, may_copy: bool) -> (PathFact, Option<Source>) {
    if may_copy && let Ok((fact, tree)) = tree::copy(CWD, path, recursive).and_then(told) {
        return (fact, Some(Source::Tree(tree)));
    }
    let mut handle = None;
    let fact = look(path).keep(&mut handle);
    (fact, handle.map(Source::Path))
}

/// The caller's permitted capabilities, and the highest capability that the kernel knows.
pub(super) fn own_capabilities() -> Result<(u64, u8)> {
    let sets = capabilities(None).map_err(|errno| Error::os("capget of this process", errno))?;
    Ok((sets.permitted.bits(), last_capability()))
}

/// Asks for the one that was the last when this was written, and then its neighbours.
fn last_capability() -> u8 {
    const LIKELY: u8 = 40;
    // EINVAL: the kernel does not know it.
    let is_known =
        |number: u8| capability_is_in_bounding_set(CapabilitySet::from_bits_retain(1 << number)).is_ok();
    match is_known(LIKELY) {
        true => (LIKELY + 1..64).take_while(|number| is_known(*number)).last().unwrap_or(LIKELY),
        false => (0..LIKELY).rev().find(|number| is_known(*number)).unwrap_or_default(),
    }
}

/// Opens every namespace to be joined, and makes sure that it is of the kind that the configuration says.
fn namespaces(namespaces: &Namespaces) -> Result<BTreeMap<u32, OwnedFd>> {
    let all = [
        (&namespaces.user, libc::CLONE_NEWUSER, "user"),
        (&namespaces.pid, libc::CLONE_NEWPID, "pid"),
        (&namespaces.time, libc::CLONE_NEWTIME, "time"),
        (&namespaces.mount, libc::CLONE_NEWNS, "mount"),
        (&namespaces.uts, libc::CLONE_NEWUTS, "uts"),
        (&namespaces.ipc, libc::CLONE_NEWIPC, "ipc"),
        (&namespaces.network, libc::CLONE_NEWNET, "network"),
        (&namespaces.cgroup, libc::CLONE_NEWCGROUP, "cgroup"),
    ];
    let mut opened = BTreeMap::new();
    for (namespace, flag, name) in all {
        if let Membership::Join(path) = &namespace.membership {
            let pointer = format!("/linux/namespaces/{}/path", namespace.index);
            let handle = open_namespace(path, flag).map_err(|why| {
                let message =
                    format!("{pointer}: {} cannot be joined as a {name} namespace: {why}", path.display());
                Error::new(ErrorKind::InvalidSpec { pointer: pointer.clone() }, message)
            })?;
            if flag == libc::CLONE_NEWNS && namespace::is_own(handle.as_fd(), "mnt")? {
                return Err(own_mounts(namespace.index));
            }
            opened.insert(flag as u32, handle);
        }
    }
    Ok(opened)
}

/// The root of a mount namespace that is joined becomes the container's, for every process in it.
fn own_mounts(index: usize) -> Error {
    let pointer = format!("/linux/namespaces/{index}/path");
    let message = format!(
        "{pointer}: this is the caller's own mount namespace, which would have the container's root from then on (to share \
         it, leave the mount namespace out)"
    );
    Error::new(ErrorKind::InvalidSpec { pointer }, message)
}

fn open_namespace(path: &Path, flag: i32) -> std::result::Result<OwnedFd, String> {
    let handle =
        open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty())
            .map_err(|errno| crate::error::describe_errno(errno.raw_os_error()))?;
    match namespace::kind(handle.as_fd()) {
        Ok(kind) if kind == flag => Ok(handle),
        Ok(_) => Err("it is a namespace of another kind".into()),
        Err(_) => Err("it is not a namespace".into()),
    }
}

/// Whether this process is in another user namespace than the first, whose inode number the kernel never gives away.
pub(crate) fn is_nested() -> bool {
    const FIRST: u64 = 0xEFFF_FFFD;
    stat("/proc/self/ns/user").is_ok_and(|stat| stat.st_ino != FIRST)
}

/// Of root on the host nobody asks: what hinders it is an error worth seeing.
fn is_denied(layout: &Layout, config: &Config, nested: bool) -> bool {
    let is_root = !nested && geteuid().is_root();
    let is_named = config.cgroups_path.as_ref().is_some_and(|path| !path.is_empty());
    let mounts = layout.v1.iter().map(|hierarchy| &hierarchy.mount);
    let mut mounts = mounts.chain(layout.v2.iter().map(|unified| &unified.mount));
    !is_root && !is_named && mounts.any(|mount| access(mount, Access::WRITE_OK).is_err())
}

/// Who writes the id maps, if this process lacks the capabilities for it.
fn unprivileged(config: &Config, capabilities: u64) -> Option<Unprivileged> {
    let needed = (CapabilitySet::SETUID | CapabilitySet::SETGID).bits();
    if config.namespaces.user.membership != Membership::New || capabilities & needed == needed {
        return None;
    }
    Some(Unprivileged {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        newuidmap: in_path("newuidmap"),
        newgidmap: in_path("newgidmap"),
    })
}

/// The program of this name in the caller's `PATH`.
fn in_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let candidates = std::env::split_paths(&folders).map(|folder| folder.join(name));
    candidates.filter(|path| path.is_absolute()).find(|path| access(path, Access::EXEC_OK).is_ok())
}

/// The namespaces that belong to the user namespace that is joined too, or to one below it: they are joined after it,
/// with the privileges that it gives.
fn owned_by_joined_user(namespaces: &BTreeMap<u32, OwnedFd>) -> BTreeSet<u32> {
    let user = libc::CLONE_NEWUSER as u32;
    let identity = |handle: &OwnedFd| fstat(handle).map(|stat| (stat.st_dev, stat.st_ino)).ok();
    let Some(joined) = namespaces.get(&user).and_then(identity) else { return BTreeSet::new() };
    let is_below = |handle: &OwnedFd| {
        let mut owner = namespace::owner(handle.as_fd()).ok();
        // The kernel nests user namespaces 32 deep, and shows nobody what is above their own.
        while let Some(current) = owner {
            if identity(&current) == Some(joined) {
                return true;
            }
            owner = namespace::parent(current.as_fd()).ok();
        }
        false
    };
    let others = namespaces.iter().filter(|(kind, _)| **kind != user);
    let owned = others.filter(|(_, handle)| is_below(handle));
    owned.map(|(kind, _)| *kind).collect()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_the_first_two_numbers_of_the_release() {
        let known = [("6.18.44-fc-v595\n", (6, 18)), ("5.14.0-1.el9.x86_64", (5, 14)), ("7.0-rc1", (7, 0))];
        for (release, expected) in known {
            assert_eq!(version(release.as_bytes()), Some(expected), "{release}");
        }
        assert_eq!(version(b"6"), None);
        assert_eq!(version(b"next"), None);
    }
}
