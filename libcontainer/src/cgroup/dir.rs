use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Uid, chownat, openat2};
use rustix::io::Errno;

use super::CgroupError;

const CGROUP2_MAGIC: rustix::fs::FsWord = 0x6367_7270;
/// More than any control file holds, four million process ids for example.
const READ_LIMIT: u64 = 32 << 20;

/// An open cgroup. Control files are reached through it, so that a cgroup which is removed and made
/// again under the same name is not mistaken for it.
#[derive(Debug)]
pub(super) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    pub(super) fn open(path: &Path) -> Result<Self, CgroupError> {
        let fd = rustix::fs::openat(CWD, path, flags(), Mode::empty())
            .map_err(|errno| CgroupError::system("openat", path, errno))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// As [`Dir::open`], but `None` for a cgroup that does not exist.
    pub(super) fn open_if_exists(path: &Path) -> Result<Option<Self>, CgroupError> {
        match Self::open(path) {
            Err(error) if error.errno() == Some(Errno::NOENT) => Ok(None),
            other => other.map(Some),
        }
    }

    pub(super) fn child(&self, name: &str) -> Result<Self, CgroupError> {
        let path = self.path.join(name);
        match rustix::fs::openat(&self.fd, name, flags(), Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path }),
            Err(errno) => Err(CgroupError::system("openat", &path, errno)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// Whether this is in the unified hierarchy.
    pub(super) fn is_unified(&self) -> Result<bool, CgroupError> {
        let stat = rustix::fs::fstatfs(&self.fd).map_err(|errno| self.error("fstatfs", errno))?;
        Ok(stat.f_type == CGROUP2_MAGIC)
    }

    /// Opens a control file: one of this cgroup, whatever its name and whatever is mounted there.
    pub(super) fn open_file(&self, file: &str, mode: OFlags) -> Result<File, CgroupError> {
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        openat2(&self.fd, file, mode | OFlags::CLOEXEC, Mode::empty(), beneath)
            .map(File::from)
            .map_err(|errno| self.error("openat2", errno).in_file(file))
    }

    pub(super) fn read(&self, file: &str) -> Result<String, CgroupError> {
        let mut text = String::new();
        self.open_file(file, OFlags::RDONLY)?.take(READ_LIMIT).read_to_string(&mut text).map_err(
            |error| self.error("read", Errno::from_io_error(&error).unwrap_or(Errno::IO)).in_file(file),
        )?;
        Ok(text)
    }

    /// As [`Dir::read`], but `None` where the file, or by now the cgroup, does not exist.
    pub(super) fn read_if_exists(&self, file: &str) -> Result<Option<String>, CgroupError> {
        match self.read(file) {
            Err(error) if matches!(error.errno(), Some(Errno::NOENT | Errno::NODEV)) => Ok(None),
            other => other.map(Some),
        }
    }

    pub(super) fn write(&self, file: &str, value: &str) -> Result<(), CgroupError> {
        let control = self.open_file(file, OFlags::WRONLY).map_err(|error| error.with_value(value))?;
        match rustix::io::retry_on_intr(|| rustix::io::write(&control, value.as_bytes())) {
            // The kernel takes a value as a whole or refuses it.
            Ok(_) => Ok(()),
            Err(errno) => Err(self.error("write", errno).in_file(file).with_value(value)),
        }
    }

    /// Gives a control file, or with an empty name the cgroup itself, to a user.
    pub(super) fn give(&self, file: &str, uid: u32) -> Result<(), CgroupError> {
        let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
        chownat(&self.fd, file, Some(Uid::from_raw(uid)), None, flags)
            .map_err(|errno| self.error("fchownat", errno).in_file(file))
    }

    fn child_if_exists(&self, name: &OsStr) -> Result<Option<Self>, CgroupError> {
        let path = self.path.join(name);
        match rustix::fs::openat(&self.fd, name, flags(), Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path })),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(CgroupError::system("openat", &path, errno)),
        }
    }

    fn parent(&self) -> Result<Self, CgroupError> {
        let fd = rustix::fs::openat(&self.fd, "..", flags(), Mode::empty())
            .map_err(|errno| self.error("openat", errno))?;
        Ok(Self { fd, path: self.path.parent().unwrap_or(Path::new("/")).to_owned() })
    }

    /// The names of the cgroups in this one; none if it is gone.
    fn children(&self) -> Result<Vec<OsString>, CgroupError> {
        self.entries(FileType::Directory)
    }

    /// The names of its control files; none if it is gone.
    pub(super) fn files(&self) -> Result<Vec<String>, CgroupError> {
        let names = self.entries(FileType::RegularFile)?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    fn entries(&self, wanted: FileType) -> Result<Vec<OsString>, CgroupError> {
        match self.all_entries(wanted) {
            Err(error) if error.errno() == Some(Errno::NOENT) => Ok(Vec::new()),
            names => names,
        }
    }

    fn all_entries(&self, wanted: FileType) -> Result<Vec<OsString>, CgroupError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listing = rustix::fs::openat(&self.fd, ".", flags, Mode::empty())
            .and_then(rustix::fs::Dir::new)
            .map_err(|errno| self.error("openat", errno))?;
        let mut names = Vec::new();
        for entry in listing {
            let entry = entry.map_err(|errno| self.error("getdents64", errno))?;
            let name = entry.file_name().to_bytes();
            if entry.file_type() == wanted && !matches!(name, b"." | b"..") {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    pub(super) fn error(&self, operation: &'static str, errno: Errno) -> CgroupError {
        CgroupError::system(operation, &self.path, errno)
    }
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn flags() -> OFlags {
    OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Whether the file system at `path` is the unified hierarchy.
pub(super) fn is_cgroup2(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|stat| stat.f_type == CGROUP2_MAGIC)
}

/// What a walk meets.
pub(super) enum Step<'a> {
    /// A cgroup, before those in it.
    Cgroup(&'a Dir),
    /// All in the cgroup of this name have been met, and this is the one that holds it.
    Left(&'a Dir, &'a OsStr),
}

/// Meets a cgroup and all below it. Processes of a container may make cgroups of any name, and so deep that neither a
/// path nor a descriptor for each on the way would do: one is open at a time, and `..` leads back.
pub(super) fn walk(
    top: &Path,
    mut meet: impl FnMut(Step<'_>) -> Result<(), CgroupError>,
) -> Result<(), CgroupError> {
    let Some(mut here) = Dir::open_if_exists(top)? else { return Ok(()) };
    meet(Step::Cgroup(&here))?;
    let mut way: Vec<OsString> = Vec::new();
    let mut left = vec![here.children()?];
    while let Some(names) = left.last_mut() {
        match names.pop() {
            Some(name) => {
                let Some(child) = here.child_if_exists(&name)? else { continue };
                meet(Step::Cgroup(&child))?;
                left.push(child.children()?);
                way.push(name);
                here = child;
            }
            None => {
                left.pop();
                let Some(name) = way.pop() else { break };
                // One that was removed meanwhile still knows what it was in.
                here = here.parent()?;
                meet(Step::Left(&here, &name))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "dir_tests.rs"]
mod tests;
