//! Where shares of cache and memory bandwidth are given; asked only if the configuration wants one.

use std::path::PathBuf;

use rustix::fs::OFlags;

use crate::resctrl::{Resctrl, find, look};
use crate::spec::Config;
use crate::sys::file::read_bounded;
use crate::sys::procfs::Procfs;
use crate::{Error, Result};

/// Far more than the mounts of any host need.
const MOUNTS_LIMIT: usize = 64 << 20;

pub(super) fn resctrl(config: &Config) -> Result<Option<Resctrl>> {
    let Some(rdt) = &config.intel_rdt else { return Ok(None) };
    root()?.map(|root| look(root, rdt.class.as_deref())).transpose()
}

/// Where the file system is mounted.
pub(crate) fn root() -> Result<Option<PathBuf>> {
    const MOUNTS: &str = "thread-self/mountinfo";
    let failed = |errno| Error::os(format_args!("read /proc/{MOUNTS}"), errno);
    let file = Procfs::open()?.open_file(MOUNTS, OFlags::RDONLY).map_err(failed)?;
    let mounts = read_bounded(file, MOUNTS_LIMIT).map_err(failed)?;
    Ok(find(&mounts))
}
