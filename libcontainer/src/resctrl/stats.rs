//! What a container's groups may use and do use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::Membership;
use crate::{Error, Result};

/// Figures of a container's resource groups, each as far as the host has the feature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Allocation of the third level cache.
    pub cache: Option<Allocation<CacheInfo>>,
    /// Allocation of memory bandwidth.
    pub bandwidth: Option<Allocation<MemoryBandwidthInfo>>,
    /// What was measured.
    pub monitored: Monitored,
}

/// A resource that can be allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation<Info> {
    /// What the hardware can do.
    pub info: Info,
    /// The line of the whole host's schemata.
    pub root_schema: String,
    /// The line of the container's schemata.
    pub schema: String,
}

/// What the cache's hardware can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheInfo {
    /// The widest bit mask, hexadecimal.
    pub cbm_mask: String,
    /// The fewest bits of a mask.
    pub min_cbm_bits: u64,
    /// How many classes there may be.
    pub num_closids: u64,
}

/// What the hardware can do for memory bandwidth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryBandwidthInfo {
    /// The steps, in percent.
    pub bandwidth_gran: u64,
    /// Whether the delay grows linearly.
    pub delay_linear: u64,
    /// The least, in percent.
    pub min_bandwidth: u64,
    /// How many classes there may be.
    pub num_closids: u64,
}

/// Measurements by cache domain, in the order of the domains' names; none for a feature that the host has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Monitored {
    /// Memory bandwidth.
    pub bandwidth: Vec<Bandwidth>,
    /// Bytes of cache in use.
    pub cache_occupancy: Vec<u64>,
}

/// Bytes moved since the group was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bandwidth {
    /// All.
    pub total: u64,
    /// Those within a domain.
    pub local: u64,
}

/// Reads the figures of a container; `None` if it has no groups.
pub(crate) fn stats(membership: &Membership) -> Result<Option<Stats>> {
    let Membership { groups, .. } = membership;
    let (Some(class), Some(monitored)) = (groups.first(), groups.last()) else { return Ok(None) };
    let Some(root) = class.ancestors().find(|folder| folder.join("info").is_dir()) else { return Ok(None) };
    Ok(Some(Stats {
        cache: allocation(root, class, "L3", |info| {
            Ok(CacheInfo {
                cbm_mask: text(&info.join("cbm_mask"))?,
                min_cbm_bits: number(&info.join("min_cbm_bits"))?,
                num_closids: number(&info.join("num_closids"))?,
            })
        })?,
        bandwidth: allocation(root, class, "MB", |info| {
            Ok(MemoryBandwidthInfo {
                bandwidth_gran: number(&info.join("bandwidth_gran"))?,
                delay_linear: number(&info.join("delay_linear"))?,
                min_bandwidth: number(&info.join("min_bandwidth"))?,
                num_closids: number(&info.join("num_closids"))?,
            })
        })?,
        monitored: measurements(root, monitored)?,
    }))
}

fn allocation<Info>(
    root: &Path,
    class: &Path,
    resource: &str,
    info: impl FnOnce(&Path) -> Result<Info>,
) -> Result<Option<Allocation<Info>>> {
    let folder = root.join("info").join(resource);
    if !folder.is_dir() {
        return Ok(None);
    }
    let (root_schema, schema) = (schema(root, resource)?, schema(class, resource)?);
    Ok(Some(Allocation { info: info(&folder)?, root_schema, schema }))
}

/// The line of a group's schemata that is about `resource`.
fn schema(group: &Path, resource: &str) -> Result<String> {
    let schemata = text(&group.join("schemata"))?;
    let line = schemata.lines().map(str::trim).find(|line| line.starts_with(resource));
    Ok(line.unwrap_or_default().to_owned())
}

fn measurements(root: &Path, group: &Path) -> Result<Monitored> {
    let features = text(&root.join("info/L3_MON/mon_features"))?;
    let has = |name| features.lines().any(|feature| feature == name);
    let (total, local, occupancy) = (has("mbm_total_bytes"), has("mbm_local_bytes"), has("llc_occupancy"));
    let mut monitored = Monitored::default();
    if !(total || local || occupancy) {
        return Ok(monitored);
    }
    for domain in domains(&group.join("mon_data"))? {
        let measured = |wanted, name| if wanted { number(&domain.join(name)) } else { Ok(0) };
        if total || local {
            let total = measured(total, "mbm_total_bytes")?;
            monitored.bandwidth.push(Bandwidth { total, local: measured(local, "mbm_local_bytes")? });
        }
        if occupancy {
            monitored.cache_occupancy.push(measured(true, "llc_occupancy")?);
        }
    }
    Ok(monitored)
}

fn domains(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| failed(folder, &error))?;
    let mut domains: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(|path| path.is_dir()).collect();
    domains.sort();
    Ok(domains)
}

/// A file's text; empty if there is no such file.
fn text(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(failed(path, &error)),
    }
}

/// A file's number. One that the hardware cannot tell at the moment (`Unavailable`, `Error`) counts as 0.
fn number(path: &Path) -> Result<u64> {
    Ok(text(path)?.parse().unwrap_or_default())
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let errno = Errno::from_io_error(error).unwrap_or(Errno::IO);
    Error::os(format_args!("read {}", path.display()), errno)
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
