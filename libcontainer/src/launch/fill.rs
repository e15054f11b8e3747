//! Fills a new file system from a folder of the image (`tmpcopyup`).
//!
//! Every file is reached by its name in a folder that is open already, and no link is followed: whatever the image
//! holds, nothing outside it is read.

use std::ffi::CStr;
use std::fs::File;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
    fchmod, fchown, fgetxattr, flistxattr, fsetxattr, fstat, futimens, mkdirat, mknodat, openat, openat2,
    readlinkat, statat, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::Fault;
use super::host::call;
use crate::planner::Template;

type Result<T> = std::result::Result<T, Fault>;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A device or FIFO that has taken a file's name must neither block nor become the terminal.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Gives the root of `mount` what the template has below `holder`. A folder that the image lacks is one that
/// everybody may write to, and belongs to whom the root belongs to.
pub(super) fn fill(mount: &OwnedFd, holder: &OwnedFd, template: &Template) -> Result<()> {
    let root = openat(mount, ".", FOLDER, Mode::empty()).map_err(call("openat"))?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let (folder, stat, mode) = match openat2(holder, &template.path, FOLDER, Mode::empty(), resolve) {
        Ok(folder) => {
            let stat = fstat(&folder).map_err(call("fstat"))?;
            let mode = stat.st_mode;
            (Some(folder), stat, mode)
        }
        Err(Errno::NOENT) => (None, fstat(holder).map_err(call("fstat"))?, 0o1777),
        Err(errno) => return Err(Fault::Call("openat2", errno)),
    };
    if let Some(folder) = folder.as_ref().filter(|_| template.contents) {
        copy_folder(folder, &root)?;
        copy_attributes(folder, &root)?;
    }
    if template.owner {
        own(&root, &stat)?;
    }
    if template.mode {
        fchmod(&root, Mode::from_raw_mode(mode)).map_err(call("fchmod"))?;
    }
    Ok(())
}

fn copy_folder(from: &OwnedFd, to: &OwnedFd) -> Result<()> {
    for entry in Dir::read_from(from).map_err(call("getdents64"))? {
        let entry = entry.map_err(call("getdents64"))?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            copy_entry(from, to, entry.file_name())?;
        }
    }
    Ok(())
}

fn copy_entry(from: &OwnedFd, to: &OwnedFd, name: &CStr) -> Result<()> {
    let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(call("fstatat"))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let source =
                openat(from, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map_err(call("openat"))?;
            mkdirat(to, name, Mode::RWXU).map_err(call("mkdirat"))?;
            let made = openat(to, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()).map_err(call("openat"))?;
            copy_folder(&source, &made)?;
            finish(&source, &made)
        }
        FileType::RegularFile => copy_file(from, to, name, &stat),
        kind => {
            match kind {
                FileType::Symlink => {
                    let target = readlinkat(from, name, Vec::new()).map_err(call("readlinkat"))?;
                    symlinkat(&*target, to, name).map_err(call("symlinkat"))?;
                }
                kind => {
                    let mode = Mode::from_raw_mode(stat.st_mode);
                    mknodat(to, name, kind, mode, stat.st_rdev).map_err(call("mknodat"))?;
                }
            }
            finish_special(to, name, kind, &stat)
        }
    }
}

/// The file is opened only when its type is known, since opening a device may do something.
fn copy_file(from: &OwnedFd, to: &OwnedFd, name: &CStr, expected: &Stat) -> Result<()> {
    let source = openat(from, name, FILE, Mode::empty()).map_err(call("openat"))?;
    let stat = fstat(&source).map_err(call("fstat"))?;
    if (stat.st_dev, stat.st_ino) != (expected.st_dev, expected.st_ino) {
        return Err(Fault::Call("openat", Errno::STALE));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let made = openat(to, name, flags, Mode::RUSR | Mode::WUSR).map_err(call("openat"))?;
    let (mut source, mut made) = (File::from(source), File::from(made));
    std::io::copy(&mut source, &mut made)
        .map_err(|error| Fault::Call("copy", Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    finish(&source, &made)
}

/// Owner first: a change of owner takes set-uid bits and capabilities away.
fn finish(from: impl AsFd, to: impl AsFd) -> Result<()> {
    let stat = fstat(&from).map_err(call("fstat"))?;
    own(&to, &stat)?;
    fchmod(&to, Mode::from_raw_mode(stat.st_mode)).map_err(call("fchmod"))?;
    copy_attributes(&from, &to)?;
    futimens(&to, &times(&stat)).map_err(call("utimensat"))
}

fn finish_special(folder: &OwnedFd, name: &CStr, kind: FileType, stat: &Stat) -> Result<()> {
    let (uid, gid) = owner(stat);
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::chownat(folder, name, Some(uid), Some(gid), flags).map_err(call("fchownat"))?;
    if kind != FileType::Symlink {
        // The umask may have taken bits, and the file system is not yet anybody else's.
        let mode = Mode::from_raw_mode(stat.st_mode);
        rustix::fs::chmodat(folder, name, mode, AtFlags::empty()).map_err(call("fchmodat"))?;
    }
    utimensat(folder, name, &times(stat), flags).map_err(call("utimensat"))
}

fn own(file: impl AsFd, stat: &Stat) -> Result<()> {
    let (uid, gid) = owner(stat);
    fchown(file, Some(uid), Some(gid)).map_err(call("fchown"))
}

fn owner(stat: &Stat) -> (Uid, Gid) {
    (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid))
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds: i64, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

/// Extended attributes, as far as the new file system can have them: a tmpfs knows no `user.*` before Linux 6.6.
fn copy_attributes(from: impl AsFd, to: impl AsFd) -> Result<()> {
    let names = match read_grown(|space| flistxattr(&from, space)) {
        Ok(names) => names,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(errno) => return Err(Fault::Call("flistxattr", errno)),
    };
    for name in names.split_inclusive(|&byte| byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { continue };
        let value = read_grown(|space| fgetxattr(&from, name, space)).map_err(call("fgetxattr"))?;
        match fsetxattr(&to, name, &value, XattrFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(Fault::Call("fsetxattr", errno)),
        }
    }
    Ok(())
}

/// The kernel's limit of a list of names and of a value (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`).
const ATTRIBUTE_MAX: usize = 64 << 10;

fn read_grown(mut read: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut space = vec![0; 256];
    loop {
        match read(&mut space) {
            Ok(length) => {
                space.truncate(length);
                return Ok(space);
            }
            Err(Errno::RANGE) if space.len() < ATTRIBUTE_MAX => space.resize(ATTRIBUTE_MAX, 0),
            Err(errno) => return Err(errno),
        }
    }
}
