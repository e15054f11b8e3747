use std::collections::HashSet;
use std::fmt::Arguments;

use super::text;
use crate::spec::problem::{Checked, Problem};

/// Each name once: the last entry wins, and stands where it stood.
pub(super) fn env(mut entries: Vec<String>, pointer: &str) -> Checked<Vec<String>> {
    for (index, entry) in entries.iter().enumerate() {
        well_formed(entry, format_args!("{pointer}/{index}"))?;
    }
    let mut wins = is_last_of_its_name(&entries).into_iter();
    entries.retain(|_| wins.next().unwrap_or(true));
    Ok(entries)
}

fn well_formed(entry: &str, pointer: Arguments<'_>) -> Checked {
    // The value may be a secret and stays out of messages.
    match entry.split_once('=') {
        None => Err(Problem::invalid(pointer, "the entry has no =; write NAME=value")),
        Some(("", _)) => {
            Err(Problem::invalid(pointer, "the entry has no name before the =; write NAME=value"))
        }
        Some(_) => text::c_string(entry, pointer),
    }
}

fn is_last_of_its_name(entries: &[String]) -> Vec<bool> {
    let mut later = HashSet::with_capacity(entries.len());
    let mut wins = Vec::with_capacity(entries.len());
    for entry in entries.iter().rev() {
        let name = entry.split_once('=').map_or(entry.as_str(), |(name, _)| name);
        wins.push(later.insert(name));
    }
    wins.reverse();
    wins
}
