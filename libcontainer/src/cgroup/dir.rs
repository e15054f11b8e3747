use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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

    /// The names of the cgroups in this one.
    pub(super) fn children(&self) -> Result<Vec<String>, CgroupError> {
        self.entries(FileType::Directory)
    }

    /// The names of its control files; none if it is gone.
    pub(super) fn files(&self) -> Result<Vec<String>, CgroupError> {
        match self.entries(FileType::RegularFile) {
            Err(error) if error.errno() == Some(Errno::NOENT) => Ok(Vec::new()),
            names => names,
        }
    }

    fn entries(&self, wanted: FileType) -> Result<Vec<String>, CgroupError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listing = rustix::fs::openat(&self.fd, ".", flags, Mode::empty())
            .and_then(rustix::fs::Dir::new)
            .map_err(|errno| self.error("openat", errno))?;
        let mut names = Vec::new();
        for entry in listing {
            let entry = entry.map_err(|errno| self.error("getdents64", errno))?;
            let name = entry.file_name().to_bytes();
            if entry.file_type() == wanted && !matches!(name, b"." | b"..") {
                names.push(String::from_utf8_lossy(name).into_owned());
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

/// A cgroup and all below it, parents first.
pub(super) fn subtree(top: &Path) -> Result<Vec<PathBuf>, CgroupError> {
    let mut found = vec![top.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        let names = match Dir::open_if_exists(&path)? {
            Some(dir) => match dir.children() {
                Err(error) if error.errno() == Some(Errno::NOENT) => Vec::new(),
                names => names?,
            },
            None => Vec::new(),
        };
        found.extend(names.iter().map(|name| path.join(name)));
    }
    Ok(found)
}
