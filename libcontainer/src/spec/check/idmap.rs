use super::text;
use crate::spec::config::{IdMap, IdMaps, Membership, Namespaces};
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

/// user_namespaces(7): lines in a map since Linux 4.15.
const MAX_LINES: usize = 340;

/// `(uids, gids)`
pub(super) fn maps(
    uids: &[raw::IdMapping],
    gids: &[raw::IdMapping],
    namespaces: &Namespaces,
) -> Checked<(Vec<IdMap>, Vec<IdMap>)> {
    for (lines, pointer) in [(uids, "/linux/uidMappings"), (gids, "/linux/gidMappings")] {
        fits_namespace(lines, pointer, &namespaces.user.membership)?;
    }
    let maps = lists(uids, gids, "/linux")?;
    Ok((maps.uids, maps.gids))
}

/// The lists `uidMappings` and `gidMappings` of the object at `place`.
pub(in crate::spec) fn lists(
    uids: &[raw::IdMapping],
    gids: &[raw::IdMapping],
    place: &str,
) -> Checked<IdMaps> {
    for (lines, key) in [(uids, "uidMappings"), (gids, "gidMappings")] {
        let pointer = &format!("{place}/{key}");
        text::at_most(MAX_LINES, lines.len(), pointer)?;
        ranges(lines, pointer)?;
        no_overlap(lines, pointer, "containerID", |line| line.container)?;
        no_overlap(lines, pointer, "hostID", |line| line.host)?;
    }
    Ok(IdMaps { uids: uids.iter().map(line).collect(), gids: gids.iter().map(line).collect() })
}

fn line(raw: &raw::IdMapping) -> IdMap {
    IdMap { container: raw.container, host: raw.host, size: raw.size }
}

fn fits_namespace(lines: &[raw::IdMapping], pointer: &str, user: &Membership) -> Checked {
    match (user, lines.is_empty()) {
        (Membership::Host, false) => {
            let message = "mappings need a user namespace; add {\"type\": \"user\"} to /linux/namespaces";
            Err(Problem::invalid(pointer, message))
        }
        (Membership::New, true) => {
            let message = "a new user namespace needs mappings; give for example \
                           [{\"containerID\": 0, \"hostID\": 100000, \"size\": 65536}]";
            Err(Problem::invalid(pointer, message))
        }
        _ => Ok(()),
    }
}

fn ranges(lines: &[raw::IdMapping], pointer: &str) -> Checked {
    for (index, line) in lines.iter().enumerate() {
        if line.size == 0 {
            return Err(Problem::invalid(
                format_args!("{pointer}/{index}/size"),
                "the size is 0; map at least one id",
            ));
        }
        // The last id, 2^32 - 1, means "no id" to the kernel and cannot be mapped.
        for (first, key) in [(line.container, "containerID"), (line.host, "hostID")] {
            if u64::from(first) + u64::from(line.size) > u64::from(u32::MAX) {
                let message =
                    format!("{} ids from {first} on reach beyond the last one, {}", line.size, u32::MAX - 1);
                return Err(Problem::invalid(format_args!("{pointer}/{index}/{key}"), message));
            }
        }
    }
    Ok(())
}

fn no_overlap(
    lines: &[raw::IdMapping],
    pointer: &str,
    key: &str,
    first: impl Fn(&raw::IdMapping) -> u32,
) -> Checked {
    let mut sorted: Vec<(u32, u32, usize)> =
        lines.iter().enumerate().map(|(index, line)| (first(line), line.size, index)).collect();
    sorted.sort_unstable();
    for pair in sorted.windows(2) {
        let [(before, size, other), (after, _, index)] = pair else { continue };
        if u64::from(*before) + u64::from(*size) > u64::from(*after) {
            let message = format!("the ids overlap with those of {pointer}/{other}; map each id once");
            return Err(Problem::invalid(format_args!("{pointer}/{index}/{key}"), message));
        }
    }
    Ok(())
}
