//! `checkpoint`: the processes of a container as files, from which they can be restored.

use std::path::{Path, PathBuf};

use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, stat, statat};
use rustix::process::geteuid;

use super::criu_options::CheckpointOptions;
use super::handle::{locked_status, wrong_status};
use super::record::Stored;
use super::store::PATIENCE;
use super::{Container, Delete, Status, cgroups};
use crate::criu::{self, Checkpoint, Descriptors, EXTERNAL_NETWORK, EXTERNAL_PIDS};
use crate::planner::{cgroup_places, lends_cgroups, notify, restore};
use crate::spec::{Config, Membership, MountKind};
use crate::sys::pidfd::Process;
use crate::sys::procfs::Procfs;
use crate::{Error, ErrorKind, Result, cgroup, spec};

/// In the work folder.
const LOG: &str = "dump.log";

impl Container {
    /// Writes the state of all processes of the container into the folder of images, from which
    /// [`Runtime::restore`](crate::Runtime::restore) makes them anew. It needs root, and CRIU in `PATH`. The container is
    /// deleted then, unless it is to be left running or only its memory was copied.
    ///
    /// # Errors
    /// [`ErrorKind::WrongStatus`] unless the container is running or paused, [`ErrorKind::Criu`] if criu is missing or
    /// fails, and then the container is as it was; [`ErrorKind::Unsupported`] for what cannot be dumped.
    pub fn checkpoint(&self, options: CheckpointOptions) -> Result<()> {
        require_root("checkpoint")?;
        let program = criu::Program::find()?;
        let claim = self.folder()?.lock(PATIENCE)?;
        let stored = self.current(claim.folder())?;
        let status = locked_status(&claim, &stored)?;
        let stopped = || wrong_status("checkpoint", self.id(), Status::Stopped);
        if !matches!(status, Status::Running | Status::Paused) {
            return Err(wrong_status("checkpoint", self.id(), status));
        }
        let config = spec::parse(&claim.folder().read_config()?, &stored.bundle)?;
        restore::supported(&config)?;
        let init = stored.live_process()?.ok_or_else(stopped)?;
        if let Some(dir) = freezer(&stored.cgroups).filter(|_| status == Status::Paused) {
            cgroups::freeze_by(dir, &stored.cgroups)?;
        }
        let ends = !options.leave_running && !options.pre_dump;
        dump(&program, options, &stored, &config, &init)
            .map_err(|error| error.context(format_args!("checkpoint {}", self.id())))?;
        drop(init);
        // What was dumped is safe, whatever becomes of the rest.
        if ends && let Err(error) = self.delete_known(claim, &stored, Delete::Force) {
            tracing::warn!("after the checkpoint: {error}");
        }
        Ok(())
    }
}

/// criu needs capabilities that no other user has.
pub(super) fn require_root(what: &str) -> Result<()> {
    if geteuid().is_root() {
        return Ok(());
    }
    let kind = ErrorKind::Unsupported { pointer: String::new() };
    Err(Error::new(kind, format!("{what} needs root, for CRIU does")))
}

fn dump(
    program: &criu::Program,
    options: CheckpointOptions,
    stored: &Stored,
    config: &Config,
    init: &Process,
) -> Result<()> {
    let files = options.settings.open(true)?;
    if let Some(parent) = &options.parent {
        check_parent(&files.images, parent)?;
    }
    let mut request = criu::Options {
        settings: options.settings,
        images: files.images.as_raw_fd(),
        work: files.work.as_ref().map(AsRawFd::as_raw_fd),
        log: LOG,
        root: stored.rootfs.to_string_lossy().into_owned(),
        configuration: criu::configuration(&config.annotations),
        external: external_namespaces(config, init)?,
        pid: Some(init.pid().as_raw_nonzero().get()),
        leave_running: options.leave_running,
        tcp_skip_in_flight: options.tcp_skip_in_flight,
        link_remap: options.link_remap,
        freezer: freezer(&stored.cgroups).and_then(|dir| dir.to_str()).map(str::to_owned),
        parent: options.parent,
        page_server: options.page_server,
        ..criu::Options::default()
    };
    if !options.pre_dump {
        request.mounts = external_mounts(config, init)?;
        Descriptors::of(init.pid())?.write(&files.images)?;
    }
    let (pre, status) = (options.pre_dump, options.status);
    criu::checkpoint(Checkpoint { program, files: &files, options: &request, pre, status })
}

/// criu looks for it from the folder of the images, and would dump all without a word if there were nothing.
fn check_parent(images: &OwnedFd, parent: &str) -> Result<()> {
    let refused = |message| Err(Error::new(ErrorKind::InvalidOption, message));
    if Path::new(parent).is_absolute() {
        return refused(format!("parent-path {parent} must be relative to the image-path"));
    }
    let stat = statat(images, parent, AtFlags::empty())
        .map_err(|errno| Error::os(format_args!("parent-path {parent}, from the image-path"), errno))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Ok(()),
        _ => refused(format!("parent-path {parent}: not a directory")),
    }
}

/// The cgroup whose freezer stops the processes.
fn freezer(cgroups: &[PathBuf]) -> Option<&PathBuf> {
    let with = |file: &str| cgroups.iter().find(|dir| dir.join(file).exists());
    with("freezer.state").or_else(|| with("cgroup.freeze"))
}

/// Namespaces that the container has joined, and finds again when it is restored.
fn external_namespaces(config: &Config, init: &Process) -> Result<Vec<String>> {
    let namespaces = &config.namespaces;
    let kinds = [(&namespaces.network, "net", EXTERNAL_NETWORK), (&namespaces.pid, "pid", EXTERNAL_PIDS)];
    let mut external = Vec::new();
    for (namespace, kind, name) in kinds {
        if let Membership::Join(_) = namespace.membership {
            let path = format!("/proc/{}/ns/{kind}", init.pid());
            let inode = stat(&path).map_err(|errno| Error::os(format_args!("stat {path}"), errno))?.st_ino;
            external.push(format!("{kind}[{inode}]:{name}"));
        }
    }
    Ok(external)
}

/// Mounts that are not the container's own: places in it, and names by which a restore finds them.
fn external_mounts(config: &Config, init: &Process) -> Result<Vec<(String, String)>> {
    let root = init.root()?;
    let nested = crate::facts::is_nested();
    let mut mounts = Vec::new();
    let mut outside = |path: String| mounts.push((path.clone(), path));
    for mount in &config.mounts {
        match &mount.kind {
            MountKind::Bind { .. } => outside(resolved(&root, &mount.target())?),
            MountKind::Cgroup if config.namespaces.cgroup.membership == Membership::Host => {
                let layout = cgroup::detect(cgroup::Want::needed(None))?;
                if lends_cgroups(&config.namespaces, &layout, nested) {
                    cgroup_places(&layout, &mount.destination).into_iter().for_each(&mut outside);
                }
            }
            _ => {}
        }
    }
    outside(notify::TARGET.into());
    config.devices_to_bind(nested).into_iter().for_each(|node| outside(node.device.path));
    for path in &config.masked_paths {
        if is_file(&root, path) {
            mounts.push((path.clone(), "/dev/null".into()));
        }
    }
    Ok(mounts)
}

fn open_in(root: &OwnedFd, path: &str) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// The path without links, as the kernel lists the mount. What the container has done away with meanwhile is named as it
/// was.
fn resolved(root: &OwnedFd, path: &str) -> Result<String> {
    let Ok(place) = open_in(root, path) else { return Ok(path.to_owned()) };
    let name = Procfs::open()?
        .name_of_own(place.as_raw_fd())
        .map_err(|errno| Error::os(format_args!("find {path} in the container"), errno))?;
    Ok(name.to_string_lossy().into_owned())
}

fn is_file(root: &OwnedFd, path: &str) -> bool {
    let kind = open_in(root, path).and_then(fstat).map(|stat| FileType::from_raw_mode(stat.st_mode));
    kind.is_ok_and(|kind| kind != FileType::Directory)
}
