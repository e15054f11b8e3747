//! `/proc`, through a handle that is known to be a procfs.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstat, fstatfs, open, openat2};
use rustix::io::{self, Errno};
use rustix::process::Pid;

use super::file::read_bounded;
use crate::{Error, ErrorKind, Result};

/// The inode number of the root of every procfs; a folder below it that is mounted on `/proc` has another.
const ROOT_INODE: u64 = 1;

/// `/proc/PID/stat` is one line of numbers and a name of at most 64 bytes.
const STAT_LIMIT: usize = 4096;

/// A handle to the root of the host's procfs.
#[derive(Debug)]
pub(crate) struct Procfs(OwnedFd);

impl Procfs {
    /// Opens `/proc` and checks that it is the root of a procfs and not something mounted over it.
    pub(crate) fn open() -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open("/proc", flags, Mode::empty()).map_err(|errno| Error::os("open /proc", errno))?;
        let statfs = fstatfs(&root).map_err(|errno| Error::os("fstatfs of /proc", errno))?;
        let stat = fstat(&root).map_err(|errno| Error::os("fstat of /proc", errno))?;
        if statfs.f_type != PROC_SUPER_MAGIC || stat.st_ino != ROOT_INODE {
            return Err(Error::new(ErrorKind::Os, "/proc is not a procfs; mount one there"));
        }
        Ok(Self(root))
    }

    /// The handle alone.
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.0
    }

    /// Opens `path` below the root without leaving this mount and without following magic links.
    pub(crate) fn open_file(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    /// When process `pid` started, in clock ticks since boot. With the pid it names a process for as
    /// long as the machine is up, which the pid alone does not: numbers are used again.
    /// `None` if there is no such process.
    pub(crate) fn start_time(&self, pid: Pid) -> Result<Option<u64>> {
        let path = format!("{}/stat", pid.as_raw_nonzero());
        let read = self.open_file(&path, OFlags::RDONLY).and_then(|file| read_bounded(file, STAT_LIMIT));
        match read {
            Ok(stat) => parse_start_time(&stat)
                .map(Some)
                .ok_or_else(|| Error::new(ErrorKind::Os, format!("/proc/{path} has an unknown form"))),
            // The process may be reaped after the open; reading is ESRCH then.
            Err(Errno::NOENT | Errno::SRCH) => Ok(None),
            Err(errno) => Err(Error::os(format_args!("read /proc/{path}"), errno)),
        }
    }
}

impl AsFd for Procfs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Field 22 of `/proc/PID/stat`. The name in field 2 is chosen by the process and may contain blanks
/// and brackets, so fields are counted from the last closing bracket.
fn parse_start_time(stat: &[u8]) -> Option<u64> {
    const FIELDS_FROM_NAME_TO_START_TIME: usize = 22 - 3;
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(stat.get(end_of_name + 1..)?).ok()?;
    fields.split_ascii_whitespace().nth(FIELDS_FROM_NAME_TO_START_TIME)?.parse().ok()
}

/// A path by which the kernel finds an open descriptor of this process again.
pub(crate) fn own_descriptor(fd: BorrowedFd<'_>) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// The file that this process executes, as a handle that cannot be read or written.
pub(crate) fn own_executable() -> Result<OwnedFd> {
    rustix::fs::openat(CWD, "/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Error::os("open /proc/self/exe", errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_whatever_the_name() {
        let line = |name: &str| {
            format!("7 ({name}) S 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 1 2 3").into_bytes()
        };
        for name in ["sh", "a b", "x) S 1 (", ")", ""] {
            assert_eq!(parse_start_time(&line(name)), Some(4711), "{name:?}");
        }
        assert_eq!(parse_start_time(b"7 (sh) S 1 7"), None);
        assert_eq!(parse_start_time(b"7 sh S"), None);
    }

    #[test]
    fn a_process_has_one_start_time_and_an_ended_one_has_none() {
        let procfs = Procfs::open().unwrap();
        let own = procfs.start_time(rustix::process::getpid()).unwrap();
        assert!(own.is_some());
        assert_eq!(procfs.start_time(rustix::process::getpid()).unwrap(), own);
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        child.wait().unwrap();
        assert_eq!(procfs.start_time(pid).unwrap(), None);
    }

    #[test]
    fn neither_magic_links_nor_the_way_out_are_followed() {
        let procfs = Procfs::open().unwrap();
        assert_eq!(procfs.open_file("self/root/etc", OFlags::PATH).unwrap_err(), Errno::LOOP);
        assert_eq!(procfs.open_file("../etc", OFlags::PATH).unwrap_err(), Errno::XDEV);
    }
}
