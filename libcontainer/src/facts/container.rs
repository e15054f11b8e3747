//! What a program that is executed in a container has to know of that.

use std::path::PathBuf;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, OFlags, statat};
use rustix::io;
use serde::{Deserialize, Serialize};

use super::lsm;
use super::probe::own_capabilities;
use super::{Facts, Handles};
use crate::cgroup::{self, Layout};
use crate::spec::Config;
use crate::sys::pidfd::Process;
use crate::sys::procfs::Procfs;
use crate::{Error, Result};

/// A running container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// `CLONE_NEW*` of the namespaces of its first process that are not the caller's too.
    pub namespaces: u32,
    /// Its cgroups, the unified one last.
    pub cgroups: Vec<Member>,
    /// The resource groups that its processes belong to, in the order in which they are joined.
    #[serde(default)]
    pub resctrl: Vec<PathBuf>,
}

/// One cgroup of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Member {
    /// Its path on the host.
    pub dir: PathBuf,
    /// Whether it is in the unified hierarchy.
    pub unified: bool,
    /// The controllers of its v1 hierarchy; asked only if the options name one.
    #[serde(default)]
    pub controllers: Vec<String>,
    /// The cgroup of the container's first process, if this one gives controllers to cgroups below it and so takes no
    /// processes itself.
    #[serde(default)]
    pub occupied: Option<PathBuf>,
}

/// What is asked about.
pub(crate) struct Look<'a> {
    /// The container's configuration with the program in the place of its process.
    pub(crate) config: &'a Config,
    /// The container's cgroups.
    pub(crate) cgroups: &'a [PathBuf],
    /// The container's resource groups.
    pub(crate) resctrl: &'a [PathBuf],
    /// Whether the options name a controller.
    pub(crate) controllers: bool,
}

/// Asks what the planner needs to know of the container whose first process is `init`; `None` if that has ended.
pub(crate) fn probe(init: Process, look: &Look<'_>) -> Result<Option<(Facts, Handles)>> {
    let container = container(&init, look);
    // Its number was its own for as long as it has not ended.
    if init.has_ended()? {
        return Ok(None);
    }
    let (capabilities, last_capability) = own_capabilities()?;
    let facts = Facts {
        capabilities,
        last_capability,
        unknown_labels: lsm::unknown_labels(look.config),
        lsms: lsm::needed_by(look.config),
        container: Some(container?),
        ..Facts::default()
    };
    Ok(Some((facts, Handles { container: Some(init), ..Handles::default() })))
}

fn container(init: &Process, look: &Look<'_>) -> Result<Container> {
    let failed = |errno| Error::os(format_args!("look at the namespaces of process {}", init.pid()), errno);
    Ok(Container {
        namespaces: other_namespaces(init)?.map_err(failed)?,
        cgroups: members(init, look)?,
        resctrl: look.resctrl.to_vec(),
    })
}

const KINDS: [(&str, i32); 8] = [
    ("user", libc::CLONE_NEWUSER),
    ("pid", libc::CLONE_NEWPID),
    ("time", libc::CLONE_NEWTIME),
    ("mnt", libc::CLONE_NEWNS),
    ("uts", libc::CLONE_NEWUTS),
    ("ipc", libc::CLONE_NEWIPC),
    ("net", libc::CLONE_NEWNET),
    ("cgroup", libc::CLONE_NEWCGROUP),
];

fn other_namespaces(init: &Process) -> Result<io::Result<u32>> {
    let procfs = Procfs::open()?;
    Ok(compare(&procfs, init))
}

fn compare(procfs: &Procfs, init: &Process) -> io::Result<u32> {
    // `self` is a link, and the handle follows none.
    let own = procfs.open_file(&format!("{}/ns", std::process::id()), OFlags::PATH)?;
    let theirs = procfs.open_file(&format!("{}/ns", init.pid()), OFlags::PATH)?;
    let mut differ = 0;
    for (name, flag) in KINDS {
        let identity =
            |folder: &OwnedFd| statat(folder, name, AtFlags::empty()).map(|stat| (stat.st_dev, stat.st_ino));
        if identity(&own)? != identity(&theirs)? {
            differ |= flag as u32;
        }
    }
    Ok(differ)
}

fn members(init: &Process, look: &Look<'_>) -> Result<Vec<Member>> {
    let layout = if look.controllers { cgroup::detect(cgroup::Want::default())? } else { Layout::default() };
    let pid = init.pid().as_raw_nonzero().get();
    let mut members = Vec::with_capacity(look.cgroups.len());
    for dir in look.cgroups {
        let cgroup::Found { unified, occupied } = cgroup::find(dir, pid)?;
        let hierarchy = layout.v1.iter().find(|hierarchy| dir.starts_with(&hierarchy.mount));
        let controllers = hierarchy.map(|hierarchy| hierarchy.controllers.clone()).unwrap_or_default();
        members.push(Member { dir: dir.clone(), unified, controllers, occupied });
    }
    Ok(members)
}
