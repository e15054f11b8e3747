//! `/proc`, through a handle that is known to be a procfs.

use std::ffi::CString;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    CWD, Dir, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, fstat, fstatfs, open, openat2, readlinkat,
};
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
        Ok(self.stat(pid)?.map(|stat| stat.start_time))
    }

    /// What the kernel tells of process `pid`, `None` if it has been reaped.
    pub(crate) fn stat(&self, pid: Pid) -> Result<Option<Stat>> {
        let path = format!("{}/stat", pid.as_raw_nonzero());
        let read = self.open_file(&path, OFlags::RDONLY).and_then(|file| read_bounded(file, STAT_LIMIT));
        match read {
            Ok(stat) => Stat::parse(&stat)
                .map(Some)
                .ok_or_else(|| Error::new(ErrorKind::Os, format!("/proc/{path} has an unknown form"))),
            // The process may be reaped after the open; reading is ESRCH then.
            Err(Errno::NOENT | Errno::SRCH) => Ok(None),
            Err(errno) => Err(Error::os(format_args!("read /proc/{path}"), errno)),
        }
    }

    /// The processes that there are now.
    pub(crate) fn pids(&self) -> io::Result<Vec<Pid>> {
        let mut pids = Vec::new();
        for entry in Dir::new(self.open_file(".", OFlags::RDONLY | OFlags::DIRECTORY)?)? {
            let entry = entry?;
            let number = entry.file_name().to_str().ok().and_then(|name| name.parse().ok());
            pids.extend(number.filter(|number: &i32| *number > 0).and_then(Pid::from_raw));
        }
        Ok(pids)
    }

    /// The name that the kernel gives the file behind a descriptor of this thread.
    pub(crate) fn name_of_own(&self, fd: i32) -> io::Result<CString> {
        readlinkat(&self.0, format!("thread-self/fd/{fd}"), Vec::new())
    }
}

impl AsFd for Procfs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What is needed of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Field 4.
    pub(crate) parent: i32,
    /// Field 22.
    pub(crate) start_time: u64,
    /// Field 9, `PF_*` of the kernel's `sched.h`.
    flags: u64,
    /// Field 52, as `wait` gives it; 0 as well if we may not see it.
    exit_code: i32,
}

/// Forked, and not executed anything since: the kernel keeps this even of a zombie.
const PF_FORKNOEXEC: u64 = 0x40;

/// On its way out: the first process of a pid namespace takes all others with it before it has ended.
const PF_EXITING: u64 = 0x4;

impl Stat {
    /// The name in field 2 is chosen by the process and may contain blanks and brackets, so fields are counted from
    /// the last closing bracket.
    fn parse(stat: &[u8]) -> Option<Self> {
        const FIRST: usize = 3;
        let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
        let fields = std::str::from_utf8(stat.get(end_of_name + 1..)?).ok()?;
        let field = |number: usize| fields.split_ascii_whitespace().nth(number - FIRST);
        let parent = field(4)?.parse().ok()?;
        let flags = field(9)?.parse().ok()?;
        let start_time = field(22)?.parse().ok()?;
        let exit_code = field(52)?.parse().ok()?;
        Some(Self { parent, start_time, flags, exit_code })
    }

    /// Whether the process has executed a program since it was forked.
    pub(crate) fn has_executed(self) -> bool {
        self.flags & PF_FORKNOEXEC == 0
    }

    /// Whether the process is about to end, or has ended.
    pub(crate) fn is_exiting(self) -> bool {
        self.flags & PF_EXITING != 0
    }

    /// How the process ended, in words; it must be about to end, or have ended.
    pub(crate) fn describe_end(self) -> String {
        match (self.exit_code & 0x7f, self.exit_code >> 8) {
            (0, 0) => "ended".to_owned(),
            (0, code) => format!("ended with code {code}"),
            (signal, _) => format!("was killed by signal {signal}"),
        }
    }
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
    fn the_fields_are_found_whatever_the_name() {
        let line = |name: &str| {
            let from_23_to_51 = "0 ".repeat(29);
            format!("7 ({name}) S 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 {from_23_to_51}9")
                .into_bytes()
        };
        for name in ["sh", "a b", "x) S 1 (", ")", ""] {
            let expected = Stat { parent: 1, start_time: 4711, flags: 4194560, exit_code: 9 };
            assert_eq!(Stat::parse(&line(name)), Some(expected), "{name:?}");
        }
        assert_eq!(Stat::parse(b"7 (sh) S 1 7"), None);
        assert_eq!(Stat::parse(b"7 sh S"), None);
    }

    #[test]
    fn a_program_that_was_executed_is_told_from_the_process_that_should_have() {
        let procfs = Procfs::open().unwrap();
        let mut child = std::process::Command::new("sh").args(["-c", "kill -9 $$"]).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let process = crate::sys::pidfd::Process::find(pid, procfs.start_time(pid).unwrap().unwrap());
        assert!(process.unwrap().unwrap().wait_ended(None).unwrap());
        let zombie = procfs.stat(pid).unwrap().unwrap();
        assert!(zombie.has_executed() && zombie.is_exiting());
        assert!(!procfs.stat(rustix::process::getpid()).unwrap().unwrap().is_exiting());
        assert_eq!(zombie.describe_end(), "was killed by signal 9");
        child.wait().unwrap();
        assert!(!Stat { flags: PF_FORKNOEXEC | 4, ..zombie }.has_executed());
        assert_eq!(Stat { exit_code: 1 << 8, ..zombie }.describe_end(), "ended with code 1");
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
