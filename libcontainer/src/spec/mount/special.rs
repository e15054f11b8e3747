//! Options that ask for more than a flag: `remount`, `tmpcopyup`, `idmap`, and what has no effect here.

use super::options::Options;
use super::warn_of_unused;
use crate::spec::check::id_maps;
use crate::spec::config::{Membership, MountIdmap, Warning};
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

/// Options that contradict what the mount is.
pub(super) fn check(
    raw: &raw::Mount,
    options: &Options,
    index: usize,
    warnings: &mut Vec<Warning>,
) -> Checked {
    let is_new = options.bind.is_none() && raw.fstype != "bind" && !options.remount;
    if let Some(place) = options.copy_up
        && !(is_new && raw.fstype == "tmpfs")
    {
        let message = "tmpcopyup fills a new tmpfs; set the type to \"tmpfs\", or remove the option";
        return Err(Problem::invalid(format_args!("/mounts/{index}/options/{place}"), message));
    }
    if let Some(place) = options.iversion {
        warnings.push(Warning {
            pointer: format!("/mounts/{index}/options/{place}"),
            message: "the option has no effect: file systems count changes of inodes as they see fit".into(),
        });
    }
    Ok(())
}

/// Mappings alone ask for an idmapped mount, too, and then for one that is not recursive.
pub(super) fn idmap(
    raw: &raw::Mount,
    options: &Options,
    user: &Membership,
    index: usize,
) -> Checked<Option<MountIdmap>> {
    let (uids, gids) = (&raw.uid_mappings, &raw.gid_mappings);
    let at_option = |place| format!("/mounts/{index}/options/{place}");
    let place = match (options.idmap, uids.is_empty(), gids.is_empty()) {
        (None, true, true) => return Ok(None),
        (Some((_, place)), true, true) if *user == Membership::Host => {
            let message = "there is no user namespace whose mappings could be used; give the mount uidMappings and \
                           gidMappings of its own";
            return Err(Problem::invalid(at_option(place), message));
        }
        (_, false, true) => return Err(lonely(index, "gidMappings", "uidMappings")),
        (_, true, false) => return Err(lonely(index, "uidMappings", "gidMappings")),
        (Some((_, place)), ..) => at_option(place),
        (None, ..) => format!("/mounts/{index}/uidMappings"),
    };
    if options.remount {
        return Err(Problem::invalid(
            place,
            "the ids of a mount cannot be changed by a remount; remove either",
        ));
    }
    if matches!(raw.fstype.as_str(), "cgroup" | "cgroup2") && options.bind.is_none() {
        return Err(Problem::unsupported(
            place,
            "the cgroup file system has no idmapped mounts; remove the mapping",
        ));
    }
    let recursive = options.idmap.is_some_and(|(recursive, _)| recursive);
    let maps = id_maps(uids, gids, &format!("/mounts/{index}"))?;
    Ok(Some(MountIdmap { maps: (!uids.is_empty()).then_some(maps), recursive }))
}

fn lonely(index: usize, missing: &str, present: &str) -> Problem {
    let message = format!("{present} without {missing}; an idmapped mount needs both");
    Problem::invalid(format_args!("/mounts/{index}/{missing}"), message)
}

/// What the file system is told: nothing, if the mount alone is to change (`bind,remount`).
pub(super) fn remount_data(
    options: Options,
    index: usize,
    warnings: &mut Vec<Warning>,
) -> Vec<(String, Option<String>)> {
    if options.bind.is_some() {
        warn_of_unused(&options, "a bind mount", index, warnings);
        return Vec::new();
    }
    options.data
}
