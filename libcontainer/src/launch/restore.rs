//! A restore by criu, in the parts that its plan has.
//!
//! criu runs in a mount namespace of its own. There the container's root is a mount point, which criu asks for, and
//! there the places of mounts are made below it: nothing of that is seen on the host, or left when criu has ended.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::Path;

use libcontainer_init::attr::MountAttr;
use libcontainer_init::program::CText;
use libcontainer_init::{Slot, place, slot, sys};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_change, move_mount, unmount};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::host::{Result, call, child};
use super::{Engine, Fault, link, trees};
use crate::criu::{self, Answer, Lent, Options, Request, Service, Started};
use crate::facts;
use crate::planner::restore::ROOT;
use crate::planner::{Action, HostStep, Target};
use crate::sys::pidfd::Process;
use crate::sys::procfs::Procfs;
use crate::{Error, ErrorKind};

/// What a restore needs besides the plan.
pub(crate) struct Restoration {
    pub(crate) program: criu::Program,
    pub(crate) files: criu::Files,
    /// As far as they are known from the caller's options and the images.
    pub(crate) options: Options,
}

/// A criu that restores.
pub(super) struct Criu {
    service: Service,
    options: Options,
    /// Held for criu, which mounts in them: they are of its mount namespace.
    _files: criu::Files,
}

/// Where criu stops for us: what has happened is waiting for an answer.
const NAMESPACES_ARE_MADE: &str = "setup-namespaces";
const PROCESSES_ARE_RESTORED: &str = "post-restore";
const TERMINAL: &str = "orphan-pts-master";

impl Engine<'_> {
    pub(super) fn start_criu(&mut self, root: &Path, targets: &[Target]) -> Result<()> {
        self.claimed()?.make_folder(ROOT)?;
        let trees = self.prepared_trees(targets)?;
        let restoration = self.restoration()?;
        let mut options = restoration.options.clone();
        options.root = utf8(root)?;
        let (inherited, joined) = self.namespaces()?;
        options.joined = joined;
        let fds: Vec<BorrowedFd<'_>> = inherited.iter().map(|(_, fd)| *fd).collect();
        let lent = Lent { fds: &fds, streams: true };
        let Started { service, prepared, numbers } =
            Service::start_apart(&restoration.program, lent, || {
                Ok((prepare(root, &trees, targets)?, restoration.options.settings.open(false)?))
            })?;
        let (mounts, files) = prepared;
        options.mounts = mounts;
        options.images = files.images.as_raw_fd();
        options.work = files.work.as_ref().map(AsRawFd::as_raw_fd);
        options.inherited.extend(inherited.into_iter().map(|(name, _)| name.to_owned()).zip(numbers));
        let process = service.process()?;
        self.criu_since = Procfs::open()?.start_time(process.pid())?;
        self.init = Some(process);
        self.criu = Some(Criu { service, options, _files: files });
        Ok(())
    }

    /// Up to the first process, which has made the namespaces and nothing else yet.
    pub(super) fn restore_namespaces(&mut self) -> Result<()> {
        let cgroups = criu::own_cgroups(self.init()?.pid())?;
        let criu = self.criu.as_mut().ok_or(NO_CRIU)?;
        criu.options.cgroup_roots = cgroups;
        let request = Request::restore(&criu.options);
        let pid = self.converse(&request, Some(NAMESPACES_ARE_MADE))?;
        self.init = Some(first_process(pid)?);
        Ok(())
    }

    pub(super) fn restore_processes(&mut self) -> Result<()> {
        self.converse(&Request::answer(), Some(PROCESSES_ARE_RESTORED)).map(drop)
    }

    pub(super) fn resume_processes(&mut self) -> Result<()> {
        self.converse(&Request::answer(), None)?;
        self.criu = None;
        Ok(self.claimed()?.remove_folder(ROOT)?)
    }

    fn restoration(&self) -> Result<&Restoration> {
        self.launch.restoration.as_ref().ok_or(NO_CRIU)
    }

    /// Sends `request` and answers notices until criu gives notice of `stop`, or is done; the process of that notice.
    fn converse(&self, request: &Request, stop: Option<&str>) -> Result<Option<i32>> {
        let Restoration { files, options, .. } = self.restoration()?;
        let explained = |error| Fault::Error(criu::explained(error, files, options));
        let service = &self.criu.as_ref().ok_or(NO_CRIU)?.service;
        service.send(request).map_err(explained)?;
        loop {
            match service.hear_while(self.init.as_ref()).map_err(explained)? {
                Answer::Notice(notice, _) if Some(&*notice.script) == stop => return Ok(notice.pid),
                Answer::Notice(notice, Some(fd)) if notice.script == TERMINAL => self.send_terminal(&fd)?,
                Answer::Notice(..) => {}
                Answer::Done if stop.is_none() => return Ok(None),
                Answer::Done => return Err(early_end(stop).into()),
            }
            service.send(&Request::answer()).map_err(explained)?;
        }
    }

    fn send_terminal(&self, master: &OwnedFd) -> Result<()> {
        let Some(socket) = self.slots.get(&slot::CONSOLE) else {
            let message = "the checkpoint has a terminal, but process.terminal is false";
            return Err(Error::new(ErrorKind::InvalidOption, message).into());
        };
        link::send_with(socket, TERMINAL.as_bytes(), &[master.as_fd()]).map_err(call("sendmsg"))
    }

    /// Namespaces to join: those that criu inherits, by the names that they have in the images, and those that it opens
    /// itself.
    fn namespaces(&self) -> Result<(Inherited<'_>, Joined)> {
        let (mut inherited, mut joined) = (Vec::new(), Vec::new());
        for entry in self.launch.plan.entries() {
            let Action::Host(HostStep::LendNamespace { kind, slot, .. }) = &entry.action else { continue };
            let fd = self.lent(*slot)?;
            match kind.cast_signed() {
                libc::CLONE_NEWNET => inherited.push((criu::EXTERNAL_NETWORK, fd)),
                libc::CLONE_NEWPID => inherited.push((criu::EXTERNAL_PIDS, fd)),
                other => joined.push((name(other)?, own_path(fd))),
            }
        }
        Ok((inherited, joined))
    }

    fn lent(&self, slot: Slot) -> Result<BorrowedFd<'_>> {
        self.slots.get(&slot).map(AsFd::as_fd).ok_or(Fault::Call("open", Errno::BADF))
    }

    /// Copies of the root and the sources of binds, which were opened among the host's mounts.
    fn prepared_trees(&mut self, targets: &[Target]) -> Result<Trees> {
        let (rehearsal, root) = (self.root_tree()?, self.root_tree()?);
        let mut binds = BTreeMap::new();
        for index in targets.iter().filter(|target| target.made).filter_map(|target| target.index) {
            if let Some(source) = self.launch.handles.sources.remove(&index) {
                let tree = match source {
                    facts::Source::Tree(copied) => copied,
                    facts::Source::Path(path) => trees::copy(path.as_fd(), true)?,
                };
                binds.insert(index, private(tree)?);
            }
        }
        Ok(Trees { rehearsal, root, binds })
    }

    fn root_tree(&self) -> Result<OwnedFd> {
        let root = self.launch.handles.root.as_ref().ok_or(Fault::Call("open", Errno::BADF))?;
        private(trees::copy(root.as_fd(), true)?)
    }
}

/// What criu says is the first process. That is our child, so that its number is its own until we wait for it; what is
/// not must not be killed as if it were.
fn first_process(pid: Option<i32>) -> Result<Process> {
    let wrong = || {
        let pid = pid.map_or("no process".to_owned(), |pid| format!("process {pid}"));
        let message =
            format!("criu says that {pid} is the container's first one, which is no child of this process");
        Fault::Error(Error::new(ErrorKind::Criu, message))
    };
    let number = pid.filter(|pid| *pid > 0).and_then(Pid::from_raw).ok_or_else(wrong)?;
    let pidfd = match pidfd_open(number, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => return Err(wrong()),
        Err(errno) => return Err(Fault::Call("pidfd_open", errno)),
    };
    let process = Process::from_parts(number.as_raw_nonzero().get(), pidfd)?;
    if process.is_child()? { Ok(process) } else { Err(wrong()) }
}

type Inherited<'a> = Vec<(&'static str, BorrowedFd<'a>)>;
type Joined = Vec<(&'static str, String)>;

const NO_CRIU: Fault = Fault::Call("sendmsg", Errno::NOTCONN);

fn early_end(stop: Option<&str>) -> Error {
    let stop = stop.unwrap_or_default();
    Error::new(ErrorKind::Criu, format!("criu is done without having told of {stop}"))
}

/// What criu calls a kind of namespace.
fn name(kind: i32) -> Result<&'static str> {
    match kind {
        libc::CLONE_NEWUSER => Ok("user"),
        libc::CLONE_NEWUTS => Ok("uts"),
        libc::CLONE_NEWIPC => Ok("ipc"),
        libc::CLONE_NEWTIME => Ok("time"),
        _ => Err(Fault::Call("setns", Errno::INVAL)),
    }
}

/// A path by which another process finds a descriptor of this one.
fn own_path(fd: BorrowedFd<'_>) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd())
}

/// Detached mounts.
struct Trees {
    /// The root in which the places of mounts are made, with the binds on theirs.
    rehearsal: OwnedFd,
    /// The root as criu gets it.
    root: OwnedFd,
    /// By place in `/mounts`.
    binds: BTreeMap<usize, OwnedFd>,
}

/// Mounts on it are seen nowhere else.
fn private(tree: OwnedFd) -> Result<OwnedFd> {
    let attr = MountAttr { propagation: libc::MS_PRIVATE, ..MountAttr::default() };
    sys::mount_setattr(tree.as_raw_fd(), true, &attr).map_err(child)?;
    Ok(tree)
}

type Prepared = crate::Result<Vec<(String, String)>>;

/// Makes the root a mount point at `at`, in this thread's mount namespace; what is mounted where in the container, for
/// criu.
fn prepare(at: &Path, trees: &Trees, targets: &[Target]) -> Prepared {
    let failed = |what: &'static str| {
        move |errno| Error::os(format_args!("{what} {}, as criu's root", at.display()), errno)
    };
    mount_change(c"/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(failed("before mounting"))?;
    let open_at =
        || open(at, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    let folder = open_at().map_err(failed("open"))?;
    attach(&trees.rehearsal, folder.as_fd()).map_err(failed("mount"))?;
    let root = open_at().map_err(failed("open"))?;
    let mut mounts = Vec::new();
    for target in targets {
        let destination = make(&root, at, trees, target)?;
        if let Some(source) = &target.source {
            mounts.push((destination, utf8(source)?));
        }
    }
    drop(root);
    unmount(at, UnmountFlags::DETACH).map_err(failed("unmount"))?;
    attach(&trees.root, folder.as_fd()).map_err(failed("mount"))?;
    Ok(mounts)
}

fn attach(tree: &OwnedFd, to: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, c"", to, c"", flags)
}

/// Makes the place of a mount, if that is for us to do; its path in the container without links. A bind is mounted
/// there, for there may be places of others in it.
fn make(root: &OwnedFd, at: &Path, trees: &Trees, target: &Target) -> crate::Result<String> {
    let destination = &target.destination;
    let failed = |errno| Error::os(format_args!("make {destination} in the container's root"), errno);
    if !target.made {
        return Ok(destination.clone());
    }
    let path = CString::new(destination.as_bytes()).map_err(|_| failed(Errno::INVAL))?;
    let found = CText::new(path.as_bytes_with_nul())
        .and_then(|path| place(root.as_raw_fd(), path, target.file))
        .map_err(|fault| failed(Errno::from_raw_os_error(fault.errno)))?;
    let name = Procfs::open()?.name_of_own(found.fd()).map_err(failed)?;
    if let Some(tree) = target.index.and_then(|index| trees.binds.get(&index)) {
        let found = super::clone::owned(found);
        attach(tree, found.as_fd()).map_err(failed)?;
    }
    let below = name.to_str().ok().and_then(|name| Path::new(name).strip_prefix(at).ok());
    below.map(|below| format!("/{}", below.display())).ok_or_else(|| failed(Errno::XDEV))
}

/// criu's protocol has no other text.
fn utf8(path: &Path) -> crate::Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::os(format_args!("{} is not UTF-8", path.display()), Errno::ILSEQ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_child_can_be_the_first_process() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert_eq!(first_process(Some(pid)).ok().unwrap().pid().as_raw_nonzero().get(), pid);
        drop(child.stdin.take());
        let parent = rustix::process::getppid().unwrap().as_raw_nonzero().get();
        for wrong in [None, Some(0), Some(-1), Some(i32::MIN), Some(i32::MAX), Some(1), Some(parent)] {
            let Err(Fault::Error(error)) = first_process(wrong) else { panic!("{wrong:?}") };
            assert_eq!(error.kind(), &ErrorKind::Criu, "{error}");
        }
        child.wait().unwrap();
    }
}
