//! Paths of the container, reached from a handle to its root and never resolved twice.

use libc::{O_DIRECTORY, O_NOFOLLOW, O_PATH, S_IFREG};

use crate::buffer::Buffer;
use crate::op::Op;
use crate::program::{CText, Program};
use crate::slot::{PROC, ROOT};
use crate::sys::{self, Handle, Stat};
use crate::{Fault, Result};

const IN_ROOT: u64 = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
/// `statfs` of the file systems whose files are hidden by path.
pub(crate) const PROC_MAGIC: i64 = 0x9fa0;
const SYSFS_MAGIC: i64 = 0x6265_6572;
/// How many symlinks the kernel follows before ELOOP.
const MAX_LINKS: u32 = 40;
/// A rename elsewhere makes a walk that meets `..` fail with EAGAIN; a racer must not keep us forever.
const MAX_RETRIES: u32 = 64;

/// Opens what is at `path` below `root`; symlinks stay inside.
pub(crate) fn open(root: i32, path: CText<'_>, flags: i32) -> Result<Handle> {
    walk(root, path, flags, IN_ROOT)
}

/// Opens `path` below `root` if no symlink is on the way to it.
pub(crate) fn open_strict(root: i32, path: CText<'_>, flags: i32) -> Result<Handle> {
    walk(root, path, flags, IN_ROOT | libc::RESOLVE_NO_SYMLINKS)
}

/// Finds what is at `path` without opening it, which would be an act already if it is a device. It must be as `fits` says:
/// `ENODEV`.
pub(crate) fn find(program: &Program<'_>, path: CText<'_>, fits: fn(&Stat) -> bool) -> Result<Handle> {
    checked(open(program.slot(ROOT)?, path, O_PATH)?, fits)
}

/// Finds it and opens it. An image can lead the path to a folder that it shares with another container, which puts
/// something else there after it was found: so what was found is what is opened, where there is a procfs to do that by,
/// and nothing else is returned in any case. Devices are not yet restricted.
pub(crate) fn open_checked(
    program: &Program<'_>,
    path: CText<'_>,
    flags: i32,
    fits: fn(&Stat) -> bool,
) -> Result<Handle> {
    let found = find(program, path, fits)?;
    let Ok(procfs) = program.slot(PROC) else {
        return checked(open(program.slot(ROOT)?, path, flags)?, fits);
    };
    let mut link = Buffer::from(&[b"self/fd/"])?;
    link.push_number(found.fd() as u32)?;
    sys::openat2(procfs, link.text()?, flags, 0)
}

fn checked(found: Handle, fits: fn(&Stat) -> bool) -> Result<Handle> {
    match fits(&sys::stat(found.fd(), CText::literal(c""), 0)?) {
        true => Ok(found),
        false => Err(Fault { op: Op::Verify, errno: libc::ENODEV }),
    }
}

fn walk(root: i32, path: CText<'_>, flags: i32, resolve: u64) -> Result<Handle> {
    let mut retries = 0;
    loop {
        match sys::openat2(root, path, flags, resolve) {
            Err(Fault { errno: libc::EAGAIN, .. }) if retries < MAX_RETRIES => retries += 1,
            other => return other,
        }
    }
}

/// Opens `path`; makes what is missing on the way, folders with mode 755.
pub(crate) fn target(root: i32, path: CText<'_>, file: bool) -> Result<Handle> {
    match open(root, path, O_PATH) {
        Err(Fault { errno: libc::ENOENT, .. }) => make(root, path, file),
        other => other,
    }
}

/// Opens the place of a mount, made if it is missing. An image may lead to it by symlinks, but not into the kernel's
/// file systems: what hides their files would then be hidden itself.
pub fn place(root: i32, path: CText<'_>, file: bool) -> Result<Handle> {
    match open_strict(root, path, O_PATH) {
        Err(Fault { errno: libc::ENOENT, .. }) => match make_last(root, path, file, open_strict) {
            Ok(Some(made)) => Ok(made),
            // A link may have come into the way meanwhile.
            Ok(None) | Err(Fault { errno: libc::ELOOP, .. }) => by_links(root, path, file),
            Err(fault) => Err(fault),
        },
        Err(Fault { errno: libc::ELOOP, .. }) => by_links(root, path, file),
        other => other,
    }
}

fn by_links(root: i32, path: CText<'_>, file: bool) -> Result<Handle> {
    let place = target(root, path, file)?;
    match sys::file_system(place.fd())? {
        PROC_MAGIC | SYSFS_MAGIC => Err(Fault { op: Op::Verify, errno: libc::ELOOP }),
        _ => Ok(place),
    }
}

/// Makes `path`, of which something is missing.
fn make(root: i32, path: CText<'_>, file: bool) -> Result<Handle> {
    match make_last(root, path, file, open)? {
        Some(made) => Ok(made),
        None => make_all(root, path, file),
    }
}

/// Makes the last component of `path` alone, which is what is missing as a rule. `None` if it is not that simple.
fn make_last(
    root: i32,
    path: CText<'_>,
    file: bool,
    open: impl FnOnce(i32, CText<'_>, i32) -> Result<Handle>,
) -> Result<Option<Handle>> {
    let Ok((folder, name)) = split(path) else { return Ok(None) };
    let absolute = Buffer::from(&[b"/", folder])?;
    match open(root, absolute.text()?, O_PATH | O_DIRECTORY) {
        Ok(folder) => create(&folder, name.bytes(), file),
        Err(Fault { errno: libc::ENOENT, .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// The folder of the node that was made last, or of the mount. The next one is in the same as a rule, which is then not
/// looked up again.
pub(crate) struct Parent<'a> {
    path: &'a [u8],
    folder: Handle,
}

impl<'a> Parent<'a> {
    /// The folder that holds the last component of `path`, made if missing, and what that component is.
    pub(crate) fn of<'p>(
        last: &'p mut Option<Self>,
        root: i32,
        path: CText<'a>,
    ) -> Result<(&'p Handle, CText<'a>)> {
        Self::opened_by(|folder| target(root, folder, false), last, path)
    }

    /// As above, but a folder that is there and that no symlink leads to.
    pub(crate) fn without_links<'p>(
        last: &'p mut Option<Self>,
        root: i32,
        path: CText<'a>,
    ) -> Result<(&'p Handle, CText<'a>)> {
        Self::opened_by(|folder| open_strict(root, folder, O_PATH | O_DIRECTORY), last, path)
    }

    fn opened_by<'p>(
        open: impl FnOnce(CText<'_>) -> Result<Handle>,
        last: &'p mut Option<Self>,
        path: CText<'a>,
    ) -> Result<(&'p Handle, CText<'a>)> {
        let (folder, name) = split(path)?;
        let parent = match last.take().filter(|parent| parent.path == folder) {
            Some(parent) => parent,
            None => {
                let absolute = Buffer::from(&[b"/", folder])?;
                Self { path: folder, folder: open(absolute.text()?)? }
            }
        };
        Ok((&last.insert(parent).folder, name))
    }
}

/// The folder of the last component of `path`, and that component.
fn split(path: CText<'_>) -> Result<(&[u8], CText<'_>)> {
    let bytes = path.bytes();
    let cut = bytes.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash.wrapping_add(1));
    let (folder, _) = bytes.split_at_checked(cut).unwrap_or_default();
    let name = CText::new(path.with_nul().get(cut..).unwrap_or_default())?;
    if matches!(name.bytes(), b"" | b"." | b"..") {
        return Err(Fault { op: Op::Open, errno: libc::EINVAL });
    }
    Ok((folder, name))
}

/// Walks component by component. What exists is opened from the root, so that `..` and symlinks stay inside; what is
/// missing is made in the folder just opened. A dangling symlink is followed by hand, its target made.
fn make_all(root: i32, path: CText<'_>, file: bool) -> Result<Handle> {
    let mut path = Buffer::from(&[path.bytes()])?;
    let mut links = 0;
    'restart: loop {
        let mut folder = open(root, CText::literal(c"/"), O_PATH | O_DIRECTORY)?;
        let mut done = Buffer::new();
        let mut at = 0;
        while let Some((name, next)) = component(path.bytes(), at) {
            let is_last = component(path.bytes(), next).is_none();
            let before = done.bytes().len();
            done.push(b"/")?;
            done.push(name)?;
            folder = match open(root, done.text()?, O_PATH) {
                Ok(found) => found,
                Err(Fault { errno: libc::ENOENT, .. }) => match create(&folder, name, is_last && file)? {
                    Some(made) => made,
                    None => {
                        links += 1;
                        if links > MAX_LINKS {
                            return Err(Fault { op: Op::Open, errno: libc::ELOOP });
                        }
                        done.truncate(before);
                        path =
                            through_link(&folder, name, &done, path.bytes().get(next..).unwrap_or_default())?;
                        continue 'restart;
                    }
                },
                Err(fault) => return Err(fault),
            };
            at = next;
        }
        return Ok(folder);
    }
}

/// The component of `path` that starts at or after `at`, and where it ends.
fn component(path: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = path.get(at..)?;
    let start = at.wrapping_add(rest.iter().position(|&byte| byte != b'/')?);
    let rest = path.get(start..)?;
    let len = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
    Some((rest.get(..len)?, start.wrapping_add(len)))
}

/// Makes `name` in `folder` and opens it. `None` if a (dangling) symlink has taken the name.
fn create(folder: &Handle, name: &[u8], file: bool) -> Result<Option<Handle>> {
    let name = Buffer::from(&[name])?;
    let name = name.text()?;
    let made = if file {
        sys::mknodat(folder.fd(), name, S_IFREG | 0o644, 0)
    } else {
        sys::mkdirat(folder.fd(), name, 0o755)
    };
    match made {
        Ok(()) | Err(Fault { errno: libc::EEXIST, .. }) => {}
        Err(fault) => return Err(fault),
    }
    let found = sys::openat2(folder.fd(), name, O_PATH | O_NOFOLLOW, libc::RESOLVE_BENEATH)?;
    let is_link = sys::stat(found.fd(), CText::literal(c""), 0)?.is(libc::S_IFLNK);
    Ok(if is_link { None } else { Some(found) })
}

/// The path that remains when the symlink `name` in `folder` (whose path is `done`) is followed.
fn through_link(folder: &Handle, name: &[u8], done: &Buffer, rest: &[u8]) -> Result<Buffer> {
    let name = Buffer::from(&[name])?;
    let mut says = Buffer::new();
    let len = sys::readlinkat(folder.fd(), name.text()?, says.space())?;
    says.set_len(len);
    let is_absolute = says.bytes().first() == Some(&b'/');
    let before: &[u8] = if is_absolute { b"" } else { done.bytes() };
    Buffer::from(&[before, b"/", says.bytes(), b"/", rest])
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::os::fd::AsRawFd;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::{format, fs, thread};

    use super::*;

    /// Somebody makes and removes a link into the kernel's files where a folder is missing.
    #[test]
    fn a_link_that_comes_meanwhile_does_not_lead_into_procfs() {
        let folder = std::env::temp_dir().join(format!("place-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let link = folder.join("link");
        let root = fs::File::open("/").unwrap();
        let target = Buffer::from(&[link.as_os_str().as_encoded_bytes(), b"/fd"]).unwrap();
        let stop = AtomicBool::new(false);
        let in_procfs = thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = symlink("/proc/self", &link);
                    let _ = fs::remove_file(&link);
                    let _ = fs::remove_dir_all(&link);
                }
            });
            let found = (0..5000).filter(|_| {
                let place = place(root.as_raw_fd(), target.text().unwrap(), false);
                place.is_ok_and(|place| sys::file_system(place.fd()) == Ok(PROC_MAGIC))
            });
            let found = found.count();
            stop.store(true, Ordering::Relaxed);
            found
        });
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(in_procfs, 0);
    }
}
