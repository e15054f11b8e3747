//! `/linux/timeOffsets`.

use std::collections::BTreeMap;

use crate::spec::config::{Membership, Namespaces, TimeOffset};
use crate::spec::problem::{Checked, Problem, Token};
use crate::spec::raw;

const CLOCKS: [&str; 2] = ["monotonic", "boottime"];

pub(super) fn offsets(
    raw: &BTreeMap<String, raw::TimeOffset>,
    namespaces: &Namespaces,
) -> Checked<Vec<TimeOffset>> {
    if !raw.is_empty() && namespaces.time.membership != Membership::New {
        let message = "clocks can be set only in a new time namespace; \
                       add {\"type\": \"time\"} without a path to /linux/namespaces";
        return Err(Problem::invalid("/linux/timeOffsets", message));
    }
    raw.iter().map(|(name, raw)| offset(name, raw)).collect()
}

fn offset(name: &str, raw: &raw::TimeOffset) -> Checked<TimeOffset> {
    let pointer = format!("/linux/timeOffsets/{}", Token(name));
    let clock = CLOCKS.into_iter().find(|clock| *clock == name).ok_or_else(|| {
        Problem::invalid(&pointer, "not a clock of a time namespace; use monotonic or boottime")
    })?;
    let nanosecs = u32::try_from(raw.nanosecs).ok().filter(|nanosecs| *nanosecs < 1_000_000_000);
    let nanosecs = nanosecs.ok_or_else(|| {
        let message = format!("{} is not below a second; use 0 to 999999999", raw.nanosecs);
        Problem::invalid(format_args!("{pointer}/nanosecs"), message)
    })?;
    Ok(TimeOffset { clock, secs: raw.secs, nanosecs })
}
