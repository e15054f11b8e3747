//! What every string and list has to satisfy.

use std::fmt::Arguments;

use crate::spec::problem::{Checked, Problem};

/// The kernel's PATH_MAX counts the NUL at the end.
const MAX_PATH_BYTES: usize = 4095;

/// More than any client asks for, and few enough to be prepared in bounded time and memory.
const MAX_ENTRIES: usize = 10_000;

/// A string that the kernel will get.
pub(in crate::spec) fn c_string(value: &str, pointer: Arguments<'_>) -> Checked {
    match value.as_bytes().contains(&0) {
        true => Err(Problem::invalid(pointer, "the text contains a NUL character; remove it")),
        false => Ok(()),
    }
}

/// A string that the kernel will get as a path.
pub(in crate::spec) fn path(value: &str, pointer: Arguments<'_>) -> Checked {
    if value.len() > MAX_PATH_BYTES {
        let message = format!("the path has {} bytes; Linux takes at most {MAX_PATH_BYTES}", value.len());
        return Err(Problem::invalid(pointer, message));
    }
    c_string(value, pointer)
}

pub(super) fn absolute_path(value: &str, pointer: Arguments<'_>) -> Checked {
    if value.starts_with('/') {
        return path(value, pointer);
    }
    Err(Problem::invalid(pointer, format!("{value:?} is not an absolute path; start it with /")))
}

pub(super) fn absolute_paths(values: Vec<String>, pointer: &str) -> Checked<Vec<String>> {
    at_most(MAX_ENTRIES, values.len(), pointer)?;
    for (index, value) in values.iter().enumerate() {
        absolute_path(value, format_args!("{pointer}/{index}"))?;
    }
    Ok(values)
}

/// A list that everything else is multiplied by.
pub(in crate::spec) fn entries(len: usize, pointer: &str) -> Checked {
    at_most(MAX_ENTRIES, len, pointer)
}

pub(super) fn at_most(max: usize, len: usize, pointer: &str) -> Checked {
    match len > max {
        true => Err(Problem::invalid(pointer, format!("{len} entries; at most {max} are possible"))),
        false => Ok(()),
    }
}

/// An empty string is an absent one.
pub(super) fn present(value: String) -> Option<String> {
    Some(value).filter(|value| !value.is_empty())
}
