//! Who writes the id maps: this process if it may, a set-user-id program if it may not.

use std::path::PathBuf;

use super::build::Build;
use super::entry::{HostStep, MapWriter};
use crate::facts::Unprivileged;
use crate::spec::{IdMap, Membership};
use crate::{Error, ErrorKind, Result};

/// Writes the maps of a new user namespace, before anything is done in it.
pub(super) fn plan(build: &mut Build<'_>) -> Result<()> {
    let config = build.request.config;
    if config.namespaces.user.membership != Membership::New {
        return Ok(());
    }
    let (uid_writer, gid_writer) = writers(build)?;
    let (uids, gids) = (config.uid_maps.clone(), config.gid_maps.clone());
    build.host_for(HostStep::IdMaps { uids, gids, uid_writer, gid_writer }, "/linux/uidMappings");
    Ok(())
}

fn writers(build: &Build<'_>) -> Result<(MapWriter, MapWriter)> {
    let Some(caller) = &build.request.facts.unprivileged else {
        return Ok((MapWriter::Direct, MapWriter::Direct));
    };
    let config = build.request.config;
    let Unprivileged { uid, gid, newuidmap, newgidmap } = caller;
    let users = match is_only(&config.uid_maps, *uid) {
        true => MapWriter::Direct,
        false => helper(newuidmap.as_ref(), "newuidmap", "/linux/uidMappings")?,
    };
    let groups = match is_only(&config.gid_maps, *gid) {
        true => MapWriter::AfterDeny,
        false => helper(newgidmap.as_ref(), "newgidmap", "/linux/gidMappings")?,
    };
    if groups == MapWriter::AfterDeny {
        refuse_groups(build)?;
    }
    Ok((users, groups))
}

/// What an id of the container is on the host.
pub(super) fn to_host(maps: &[IdMap], id: u32) -> Option<u32> {
    maps.iter().find_map(|map| {
        let offset = id.checked_sub(map.container).filter(|offset| *offset < map.size)?;
        map.host.checked_add(offset)
    })
}

/// Anybody may map their own id, and nothing else.
fn is_only(maps: &[IdMap], own: u32) -> bool {
    matches!(maps, [IdMap { host, size: 1, .. }] if *host == own)
}

fn helper(found: Option<&PathBuf>, name: &str, pointer: &str) -> Result<MapWriter> {
    found.cloned().map(MapWriter::Helper).ok_or_else(|| {
        let message = format!(
            "{pointer}: mapping other ids than one's own needs {name}, which is not in $PATH (install uidmap, or map \
             one id, the caller's own)"
        );
        Error::new(ErrorKind::Unsupported { pointer: pointer.into() }, message)
    })
}

/// Where setgroups(2) is denied, groups that are asked for cannot be had.
fn refuse_groups(build: &Build<'_>) -> Result<()> {
    let process = build.request.config.process.as_ref();
    if process.is_none_or(|process| process.additional_gids.is_empty()) {
        return Ok(());
    }
    let pointer = "/process/user/additionalGids";
    let message = format!(
        "{pointer}: a caller without privileges that maps its own group alone must deny setgroups (map a range of \
         groups with newgidmap, or remove the groups)"
    );
    Err(Error::new(ErrorKind::Unsupported { pointer: pointer.into() }, message))
}

impl MapWriter {
    /// What a plan says of it after the map; nothing of the usual.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Direct => String::new(),
            Self::AfterDeny => " (after setgroups is denied)".into(),
            Self::Helper(path) => format!(" by {}", path.display()),
        }
    }
}
