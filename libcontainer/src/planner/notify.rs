//! The socket for sd_notify(3): a folder of the container's state that is lent to it, in which whoever starts it listens.

use std::path::PathBuf;

use libcontainer_init::attr::MountAttr;
use libcontainer_init::slot;

use super::build::{Build, Place};
use super::entry::{HostStep, Source, Tree};
use super::rootfs::namespace_propagation;
use crate::spec::attr;

/// Where the container has the folder. Clients know the place.
pub(crate) const TARGET: &str = "/run/notify";
/// The folder in the container's state.
pub(crate) const FOLDER: &str = "notify";
/// The socket in it.
pub(crate) const SOCKET: &str = "notify.sock";

/// Makes the folder and lends it.
pub(super) fn lend(build: &mut Build<'_>) {
    if let Some(path) = make(build) {
        let propagation = namespace_propagation(build.request.config);
        let propagation = if propagation == libc::MS_SHARED { 0 } else { propagation };
        let set = attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC;
        let tree = Tree {
            source: Source::Made(path.clone()),
            path,
            recursive: false,
            idmap: None,
            all: MountAttr { propagation, ..MountAttr::default() },
            top: MountAttr { set, ..MountAttr::default() },
            slot: slot::ROOT,
        };
        build.lend(tree, None);
    }
}

/// Makes the folder, if there is to be one.
pub(super) fn make(build: &mut Build<'_>) -> Option<PathBuf> {
    let path = folder(build)?;
    build.host(HostStep::NotifyFolder { path: path.clone() });
    Some(path)
}

/// Puts it on its place.
pub(super) fn attach(build: &mut Build<'_>) {
    if folder(build).is_some() {
        let target = build.pool.text(TARGET);
        build.attach(None, Place { target, file: false, strict: false }, None);
    }
}

/// What tells the program of it.
pub(super) fn variable() -> String {
    format!("NOTIFY_SOCKET={TARGET}/{SOCKET}")
}

fn folder(build: &Build<'_>) -> Option<PathBuf> {
    let options = build.request.options;
    options.notify.then(|| options.state.join(FOLDER))
}
