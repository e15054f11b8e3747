//! What criu and the kernel must be able to do.

use super::program::Program;
use super::request::Request;
use super::service::Service;
use crate::{Error, ErrorKind, Result};

/// The first version with everything that is asked for: external pid namespaces, notices of a page server that is
/// ready, other labels at a restore. Older ones pass over what they do not know.
const OLDEST: (u32, u32, u32) = (3, 16, 0);

/// Something that depends on the kernel as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Telling which pages of memory were changed.
    MemoryTracking = 1,
    /// Pages of memory that come when they are needed.
    LazyPages = 2,
}

impl Feature {
    /// What `criu check` calls it.
    fn in_check(self) -> &'static str {
        match self {
            Self::MemoryTracking => "mem_dirty_track",
            Self::LazyPages => "uffd-noncoop",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::MemoryTracking => "mem_track",
            Self::LazyPages => "lazy_pages",
        }
    }
}

/// An error unless criu is new enough and has all of `features`.
pub(crate) fn require(program: &Program, features: &[Feature]) -> Result<()> {
    let version = Service::ask(program, &Request::version())?.version;
    tracing::debug!("{}: version {version:?}", program.file.display());
    if let Some(problem) = too_old(version) {
        return Err(unsupported(format!("{}: {problem}", program.file.display())));
    }
    for feature in features {
        let (number, name) = (*feature as u32, feature.name());
        if !Service::ask(program, &Request::feature(number, name))?.features.contains(&number) {
            return Err(unsupported(format!(
                "{} cannot do this on this kernel: it lacks the feature {name} (hint: criu check --feature {})",
                program.file.display(),
                feature.in_check()
            )));
        }
    }
    Ok(())
}

fn too_old(version: (u32, u32, u32)) -> Option<String> {
    let shown = |(major, minor, level): (u32, u32, u32)| format!("{major}.{minor}.{level}");
    (version < OLDEST).then(|| format!("version {} is older than {}", shown(version), shown(OLDEST)))
}

fn unsupported(message: String) -> Error {
    Error::new(ErrorKind::Unsupported { pointer: String::new() }, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_told_from_new_ones() {
        assert_eq!(too_old((3, 16, 0)), None);
        assert_eq!(too_old((4, 2, 1)), None);
        assert_eq!(too_old((3, 15, 9)).unwrap(), "version 3.15.9 is older than 3.16.0");
    }
}
