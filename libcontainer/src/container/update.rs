//! `update`: changing the limits of a container that exists.

use std::path::PathBuf;

use oci_spec::runtime::LinuxResources;

use super::handle::{locked_status, wrong_status};
use super::record::Stored;
use super::store::{Claim, PATIENCE};
use super::{Container, Status};
use crate::cgroup::{self, Limits};
use crate::resctrl::{self, Group, Membership};
use crate::{Error, ErrorKind, Result, facts};

const CACHE: &str = "/linux/intelRdt/l3CacheSchema";
const BANDWIDTH: &str = "/linux/intelRdt/memBwSchema";

/// What [`Container::update`] changes. Whatever is not set stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Update {
    resources: LinuxResources,
    cache: Option<String>,
    bandwidth: Option<String>,
}

impl Update {
    /// Limits, and device rules if there are any, as in `/linux/resources` of a configuration.
    #[must_use]
    pub fn resources(mut self, resources: LinuxResources) -> Self {
        self.resources = resources;
        self
    }

    /// The share of the L3 cache, `L3:0=ff;1=c0` for example, as in `/linux/intelRdt/l3CacheSchema`.
    #[must_use]
    pub fn l3_cache_schema(mut self, schema: impl Into<String>) -> Self {
        self.cache = Some(schema.into());
        self
    }

    /// The share of the memory's bandwidth, `MB:0=20;1=70` for example, as in `/linux/intelRdt/memBwSchema`.
    #[must_use]
    pub fn mem_bw_schema(mut self, schema: impl Into<String>) -> Self {
        self.bandwidth = Some(schema.into());
        self
    }

    /// Lines for the file of a resource group; checked, since one may not smuggle in another.
    fn schemata(&self) -> Result<Vec<String>> {
        let given = [(&self.cache, CACHE), (&self.bandwidth, BANDWIDTH)];
        let mut lines = Vec::new();
        for (schema, pointer) in given {
            let Some(schema) = schema.as_deref().filter(|schema| !schema.is_empty()) else { continue };
            if schema.contains(['\n', '\0']) || pointer == BANDWIDTH && !schema.starts_with("MB:") {
                let example = if pointer == CACHE { "L3:0=ff;1=c0" } else { "MB:0=20;1=70" };
                let message = format!("{pointer}: {schema:?} is not one line such as {example:?}");
                return Err(Error::new(ErrorKind::InvalidSpec { pointer: pointer.into() }, message));
            }
            lines.push(schema.to_owned());
        }
        Ok(lines)
    }
}

impl Container {
    /// Changes the limits of a container that is created, running or paused; a paused one stays paused.
    ///
    /// Everything that can be found out without changing anything is found out first.
    ///
    /// # Errors
    /// [`ErrorKind::WrongStatus`] if it has stopped, [`ErrorKind::InvalidSpec`] and [`ErrorKind::Unsupported`] for
    /// values that are wrong or that this host cannot do, [`ErrorKind::Cgroup`] for one that the kernel refuses; the
    /// message names its JSON pointer as in a configuration, and those of the values that were changed before it.
    pub fn update(&self, update: &Update) -> Result<()> {
        let claim = self.folder()?.lock(PATIENCE)?;
        let mut stored = self.current(claim.folder())?;
        match locked_status(&claim, &stored)? {
            Status::Created | Status::Running | Status::Paused => {}
            status => return Err(wrong_status("update", self.id(), status)),
        }
        let limits = Limits::new(Some(&update.resources))?;
        let schemata = update.schemata()?;
        let root = if schemata.is_empty() { None } else { Some(resctrl_root()?) };
        let has_limits = limits != Limits::default();
        cgroup::update(&stored.cgroups, stored.unit.as_ref(), limits)?;
        let Some(root) = root else { return Ok(()) };
        change_groups(&claim, &mut stored, root, schemata).map_err(|error| match has_limits {
            true => error.context("all other limits were changed, but not the shares"),
            false => error,
        })
    }
}

fn resctrl_root() -> Result<PathBuf> {
    facts::resctrl_root()?.ok_or_else(|| {
        let message = format!("{CACHE}: no resctrl file system is mounted on this host");
        Error::new(ErrorKind::Unsupported { pointer: CACHE.into() }, message)
    })
}

/// Changes the container's class, or gives it one of its own if it has none.
pub(super) fn change_groups(
    claim: &Claim,
    stored: &mut Stored,
    root: PathBuf,
    schemata: Vec<String>,
) -> Result<()> {
    if let Some(class) = stored.resctrl.groups.first() {
        return resctrl::change(class, &schemata);
    }
    let path = root.join(&stored.id);
    resctrl::create(&Group { path: path.clone(), schemata, own: true })?;
    let groups = vec![path];
    stored.resctrl = Membership { groups: groups.clone(), own: groups.clone() };
    // Recorded before anybody joins, so that `delete` removes the group whatever happens next.
    claim.save(stored).inspect_err(|_| {
        // The failure to record it says more than one to clean up.
        resctrl::remove(&groups).ok();
    })?;
    cgroup::processes(&stored.cgroups)?.into_iter().try_for_each(|pid| resctrl::join(&groups, pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_one_line_of_its_kind() {
        let schemata = |cache: &str, bandwidth: &str| {
            Update::default().l3_cache_schema(cache).mem_bw_schema(bandwidth).schemata()
        };
        assert_eq!(schemata("L3:0=f", "MB:0=20").unwrap(), ["L3:0=f", "MB:0=20"]);
        assert_eq!(schemata("", "").unwrap(), [""; 0]);
        for (cache, bandwidth, pointer) in
            [("L3:0=f\nMB:0=10", "", CACHE), ("", "L3:0=f", BANDWIDTH), ("", "MB:0=20\nL3:0=1", BANDWIDTH)]
        {
            let error = schemata(cache, bandwidth).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::InvalidSpec { pointer: pointer.into() }, "{error}");
        }
    }
}
