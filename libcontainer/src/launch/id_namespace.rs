//! User namespaces that only hold maps: `mount_setattr` takes the ids of an idmapped mount from one.

use std::os::fd::BorrowedFd;

use libcontainer_init::sys::Clone;
use libcontainer_init::{Entry, Program, Step};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::host::{call, child};
use super::link::Link;
use super::process::write_map;
use super::{Fault, clone};
use crate::planner::MapWriter;
use crate::spec::IdMaps;
use crate::sys::pidfd::Process;
use crate::sys::{namespace, procfs::Procfs};

type Result<T> = std::result::Result<T, Fault>;

/// A new user namespace with these maps. Its descriptor keeps it; no process is left.
pub(super) fn make(maps: &IdMaps) -> Result<OwnedFd> {
    let holder = Holder::new(libc::CLONE_NEWUSER)?;
    let made = mapped(&holder.process, maps);
    holder.end()?;
    made
}

/// A child in new namespaces that does nothing.
pub(super) struct Holder {
    process: Process,
    link: Link,
}

impl Holder {
    /// `flags` are `CLONE_NEW*`.
    pub(super) fn new(flags: i32) -> Result<Self> {
        let (link, theirs) = Link::pair().map_err(call("socketpair"))?;
        Ok(Self { process: hold(&theirs, flags)?, link })
    }

    /// The child waits for a message, and ends when the other end closes; so it does if we are killed.
    pub(super) fn end(self) -> Result<()> {
        drop(self.link);
        self.process.wait_child()?;
        Ok(())
    }
}

impl AsFd for Holder {
    /// Its pidfd.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.process.as_fd()
    }
}

/// It closes what it inherited and then waits: the gap in the indices is a turn of the host, which never says `Go`.
fn hold(theirs: &OwnedFd, flags: i32) -> Result<Process> {
    let entries = [Entry { index: 1, step: Step::CloseFds }, Entry { index: 3, step: Step::Exec }];
    let link = theirs.as_raw_fd();
    let end = [std::ptr::null()];
    let mut program = Program {
        entries: &entries,
        cloned_by: 0,
        text: &[],
        words: &[],
        filter: &[],
        slots: &mut [],
        keep: &[link],
        link,
        host_link: -1,
        argv: &end,
        envp: &mut end.clone(),
        lists: &[],
        environment: &end,
    };
    let request = Clone { flags: flags as u64, cgroup: None };
    let (pid, pidfd) = clone::spawn(&mut program, request).map_err(child)?;
    Ok(Process::from_parts(pid, pidfd)?)
}

fn mapped(holder: &Process, maps: &IdMaps) -> Result<OwnedFd> {
    write_map(holder, "uid_map", &maps.uids, &MapWriter::Direct)?;
    write_map(holder, "gid_map", &maps.gids, &MapWriter::Direct)?;
    let (procfs, pid) = (Procfs::open()?, holder.pid().as_raw_nonzero());
    let folder = procfs.open_file(&format!("{pid}/ns"), OFlags::PATH).map_err(call("openat2"))?;
    let handle = openat(&folder, "user", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let handle = handle.map_err(call("openat"))?;
    match namespace::kind(handle.as_fd()) {
        Ok(libc::CLONE_NEWUSER) => Ok(handle),
        _ => Err(Fault::Call("verify", Errno::INVAL)),
    }
}
