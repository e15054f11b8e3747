use std::fmt;

use crate::{Error, ErrorKind, Result};

/// A container's name: `[A-Za-z0-9_+.-]`, at most 255 bytes, neither `.` nor `..`.
///
/// The name becomes a folder below the runtime's root and part of a cgroup path, so nothing that
/// could climb out of either is accepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(String);

const MAX_BYTES: usize = 255;

impl ContainerId {
    /// Checks `id` and keeps it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidId`] for an empty, over-long or reserved name or a character outside the set.
    pub fn new(id: impl Into<String>) -> Result<Self> {
        let id = id.into();
        match problem(&id) {
            None => Ok(Self(id)),
            Some(why) => Err(Error::new(ErrorKind::InvalidId, format!("invalid container ID {id:?}: {why}"))),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn problem(id: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
    if id.is_empty() {
        Some("it is empty")
    } else if id.len() > MAX_BYTES {
        Some("it is longer than 255 bytes")
    } else if id == "." || id == ".." {
        Some("it names a folder, not a container")
    } else if !id.chars().all(allowed) {
        Some("only letters, digits and _ + - . may be used")
    } else {
        None
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ContainerId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for bad in ["", ".", "..", "a/b", "a/../b", "a b", "a\0b", "ä", &"x".repeat(256)] {
            let error = ContainerId::new(bad).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::InvalidId), "{bad:?}: {error}");
        }
    }

    #[test]
    fn ordinary_names_are_kept() {
        for good in ["a", "web-1", "A_b+c.d", "...", &"x".repeat(255)] {
            assert_eq!(ContainerId::new(good).unwrap().as_str(), good);
        }
    }
}
