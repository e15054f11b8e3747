//! Detached mounts for the child: copies of trees of the host, and file systems that the host makes.

use libcontainer_init::attr::MountAttr;
use libcontainer_init::program::CText;
use libcontainer_init::{slot, sys};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::host::{call, child};
use super::{Engine, Fault, clone, fill};
use crate::facts;
use crate::planner::{IdNamespace, Idmap, NewFilesystem, Source, Tree, changes};
use crate::spec::attr;
use crate::sys::tree;

type Result<T> = std::result::Result<T, Fault>;

impl Engine<'_> {
    pub(super) fn lend_tree(&mut self, tree: &Tree) -> Result<()> {
        let mount = match &tree.source {
            Source::Root => match self.locked_root.take() {
                Some(locked) => locked,
                None => copy(missing(self.launch.handles.root.as_ref())?.as_fd(), tree.recursive)?,
            },
            // What was opened for the facts is not needed any more: a thousand binds are as many descriptors.
            Source::Mount(index) => match missing(self.launch.handles.sources.remove(index))? {
                facts::Source::Tree(copied) => copied,
                facts::Source::Path(path) => copy(path.as_fd(), tree.recursive)?,
            },
            Source::Device(path) => {
                copy(missing(self.launch.handles.devices.get(path))?.as_fd(), tree.recursive)?
            }
            Source::Made(path) => {
                let made = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(call("open"))?;
                copy(made.as_fd(), tree.recursive)?
            }
            Source::New(new) => self.make(new)?,
        };
        let [all, top] = self.changes(tree)?;
        for (recursive, attr) in [(true, all), (false, top)] {
            if !attr.is_empty() {
                sys::mount_setattr(mount.as_raw_fd(), recursive, &attr).map_err(child)?;
            }
        }
        self.lend(tree.slot, mount)
    }

    /// What changes in the whole tree, then in its top.
    fn changes(&self, tree: &Tree) -> Result<[MountAttr; 2]> {
        let (mut all, mut top) = (tree.all, tree.top);
        if let Some(Idmap { namespace, recursive }) = tree.idmap {
            let mapped = if recursive { &mut all } else { &mut top };
            mapped.set |= attr::IDMAP;
            mapped.userns_fd = u64::from(self.id_namespace(namespace)?.as_raw_fd().unsigned_abs());
        }
        Ok(changes(tree.recursive, all, top))
    }

    fn id_namespace(&self, namespace: IdNamespace) -> Result<&OwnedFd> {
        missing(match namespace {
            IdNamespace::Made(number) => self.id_namespaces.get(number),
            IdNamespace::Joined => self.slots.get(&slot::namespace(0)),
        })
    }

    fn make(&self, new: &NewFilesystem) -> Result<OwnedFd> {
        let pool = &self.launch.plan.pool;
        let text = |text| CText::new(pool.with_nul(text)).map_err(child);
        let (fstype, config) = (text(new.fs.fstype)?, text(new.fs.config)?);
        let mount = libcontainer_init::filesystem(fstype, config, None, new.fs.attributes).map_err(child)?;
        let mount = clone::owned(mount);
        if let Some(template) = &new.template {
            let holder = match template.tree {
                None => self.launch.handles.root.as_ref(),
                Some(slot) => self.slots.get(&slot),
            };
            fill::fill(&mount, missing(holder)?, template)?;
        }
        Ok(mount)
    }
}

fn missing<T>(handle: Option<T>) -> Result<T> {
    handle.ok_or(Fault::Call("open", Errno::BADF))
}

pub(super) fn copy(source: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd> {
    tree::copy(source, c"", recursive).map_err(call("open_tree"))
}
