//! Control files of cgroup v2 by name: the configuration's way to what has no field of its own.

use std::collections::HashMap;

use super::{CgroupError, pointer};

/// The files that belong to no controller and limit something. With any other of them a configuration could move,
/// freeze or kill the runtime itself.
const OF_EVERY_CGROUP: [&str; 3] = ["cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"];

/// A control file of cgroup v2 and what is written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnifiedFile {
    /// The file's name, `CONTROLLER.PARAMETER`.
    pub name: String,
    /// The text; its lines are written one by one, as such files want them.
    pub value: String,
}

impl UnifiedFile {
    pub(super) fn all(files: &HashMap<String, String>) -> Result<Vec<Self>, CgroupError> {
        let mut all =
            files.iter().map(|(name, value)| Self::new(name, value)).collect::<Result<Vec<_>, _>>()?;
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    fn new(name: &str, value: &str) -> Result<Self, CgroupError> {
        let invalid =
            |reason: &str| Err(CgroupError::invalid(pointer::unified(name), format!("{name:?}"), reason));
        if name.contains('/') {
            return invalid("must be a file name, without a slash");
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        match name.split_once('.') {
            Some((controller, parameter)) if !controller.is_empty() && !parameter.is_empty() => {}
            _ => return invalid("must be in the form CONTROLLER.PARAMETER"),
        }
        if !name.bytes().all(legal) {
            return invalid("must be made of letters, digits, dots and dashes");
        }
        if name.starts_with("cgroup.") && !OF_EVERY_CGROUP.contains(&name) {
            return invalid("is not a limit, but how the runtime manages the cgroup");
        }
        if value.lines().all(|line| line.trim().is_empty()) {
            return invalid("has an empty value");
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}
