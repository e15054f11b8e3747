use std::fmt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::Write;
use crate::error::describe_errno;
use crate::{Error, ErrorKind};

/// Why a cgroup could not be planned, made, changed or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CgroupError {
    /// The configuration asks for something that this build or this host's cgroups cannot do.
    #[error("{pointer}: {reason}")]
    Unsupported {
        /// JSON pointer of the value.
        pointer: String,
        /// What is missing, and where it would work.
        reason: String,
    },
    /// A value of the configuration is wrong on every host.
    #[error("{pointer}: {value}: {reason}")]
    Invalid {
        /// JSON pointer of the value.
        pointer: String,
        /// The value as it was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The cgroup exists and has processes that are not the container's.
    #[error("container's cgroup is not empty: {count} process(es) found in {}", path.display())]
    NotEmpty {
        /// The cgroup.
        path: PathBuf,
        /// How many processes it holds, those of its sub-cgroups included.
        count: usize,
    },
    /// The cgroup exists and is frozen, so that a process put into it would never run.
    #[error("container's cgroup unexpectedly frozen: {} (hint: thaw or remove it)", path.display())]
    Frozen {
        /// The cgroup.
        path: PathBuf,
    },
    /// The host's cgroups are not mounted in a way that can be used.
    #[error("cgroups of this host: {reason}")]
    Host {
        /// What was found, or not found.
        reason: String,
    },
    /// systemd could not do what it was asked for.
    #[error("{}systemd: {what}: {reason}", prefix(pointer.as_deref()))]
    Systemd {
        /// JSON pointer of the configuration value that it refuses, where it says which.
        pointer: Option<String>,
        /// What it was asked for.
        what: String,
        /// Its answer, or why there was none.
        reason: String,
    },
    /// The cgroup did not reach the wanted state before the deadline.
    #[error("{}: {what} within {seconds} s", path.display())]
    TimedOut {
        /// The cgroup.
        path: PathBuf,
        /// What did not happen.
        what: &'static str,
        /// How long was waited.
        seconds: f32,
    },
    /// One of several changes was refused when others were in force already.
    #[error("{error} (changed before that: {})", changed.join(", "))]
    Partly {
        /// The refusal.
        error: Box<CgroupError>,
        /// JSON pointers of the values that are in force.
        changed: Vec<String>,
    },
    /// A control file does not hold what the kernel documents.
    #[error("{}: unexpected contents: {found:?}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The beginning of what was found.
        found: String,
    },
    /// A system call failed.
    #[error(transparent)]
    System(Box<SystemFailure>),
}

/// A system call on a cgroup that failed, with everything that is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemFailure {
    /// JSON pointer of the configuration value behind the call, if there is one.
    pub pointer: Option<String>,
    /// The system call.
    pub operation: &'static str,
    /// The cgroup, or the file where there is no cgroup.
    pub path: PathBuf,
    /// The control file in it.
    pub file: Option<String>,
    /// What was written to the file.
    pub value: Option<String>,
    /// Why it failed.
    pub errno: Errno,
    /// What to try, where it is known.
    pub hint: Option<&'static str>,
}

impl fmt::Display for SystemFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pointer) = &self.pointer {
            write!(f, "{pointer}: ")?;
        }
        write!(f, "{} ", self.operation)?;
        if let Some(value) = &self.value {
            write!(f, "{value:?} to ")?;
        }
        match &self.file {
            Some(file) => write!(f, "{}", self.path.join(file).display())?,
            None => write!(f, "{}", self.path.display())?,
        }
        write!(f, ": {}", describe_errno(self.errno.raw_os_error()))?;
        match self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SystemFailure {}

fn prefix(pointer: Option<&str>) -> String {
    pointer.map_or_else(String::new, |pointer| format!("{pointer}: "))
}

impl CgroupError {
    /// JSON pointer of the configuration value that is to blame, if one is.
    #[must_use]
    pub fn pointer(&self) -> Option<&str> {
        match self {
            Self::Unsupported { pointer, .. } | Self::Invalid { pointer, .. } => Some(pointer),
            Self::System(failure) => failure.pointer.as_deref(),
            Self::Systemd { pointer, .. } => pointer.as_deref(),
            Self::Partly { error, .. } => error.pointer(),
            _ => None,
        }
    }

    /// The errno of the failed system call, if one failed.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::System(failure) => Some(failure.errno),
            Self::Partly { error, .. } => error.errno(),
            _ => None,
        }
    }

    /// Tells that these writes were done before this happened.
    pub(super) fn after<'w>(self, done: impl IntoIterator<Item = &'w Write>) -> Self {
        let mut changed: Vec<_> = done.into_iter().map(|write| write.pointer.clone()).collect();
        changed.dedup();
        if changed.is_empty() { self } else { Self::Partly { error: Box::new(self), changed } }
    }

    pub(super) fn unsupported(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsupported { pointer: pointer.into(), reason: reason.into() }
    }

    pub(super) fn invalid(
        pointer: impl Into<String>,
        value: impl fmt::Display,
        reason: impl Into<String>,
    ) -> Self {
        Self::Invalid { pointer: pointer.into(), value: value.to_string(), reason: reason.into() }
    }

    pub(super) fn host(reason: impl Into<String>) -> Self {
        Self::Host { reason: reason.into() }
    }

    pub(super) fn system(operation: &'static str, path: &Path, errno: Errno) -> Self {
        Self::System(Box::new(SystemFailure {
            pointer: None,
            operation,
            path: path.to_owned(),
            file: None,
            value: None,
            errno,
            hint: None,
        }))
    }

    /// Adds the control file, for a failure that has none yet.
    pub(super) fn in_file(self, file: &str) -> Self {
        self.with(|failure| failure.file = Some(file.to_owned()))
    }

    pub(super) fn with_value(self, value: &str) -> Self {
        self.with(|failure| failure.value = Some(value.to_owned()))
    }

    pub(super) fn with_pointer(self, pointer: &str) -> Self {
        self.with(|failure| failure.pointer = Some(pointer.to_owned()))
    }

    pub(super) fn with_hint(self, hint: Option<&'static str>) -> Self {
        self.with(|failure| failure.hint = hint.or(failure.hint))
    }

    fn with(mut self, change: impl FnOnce(&mut SystemFailure)) -> Self {
        if let Self::System(failure) = &mut self {
            change(failure);
        }
        self
    }
}

impl From<CgroupError> for Error {
    fn from(error: CgroupError) -> Self {
        let pointer = error.pointer().unwrap_or_default().to_owned();
        let kind = match &error {
            CgroupError::Unsupported { .. } | CgroupError::Host { .. } => ErrorKind::Unsupported { pointer },
            CgroupError::Invalid { .. } => ErrorKind::InvalidSpec { pointer },
            _ => ErrorKind::Cgroup,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_names_pointer_value_file_errno_and_hint() {
        let error = CgroupError::system("write", Path::new("/sys/fs/cgroup/web"), Errno::BUSY)
            .in_file("memory.max")
            .with_value("4096")
            .with_pointer("/linux/resources/memory/limit")
            .with_hint(Some("less than is in use"));
        assert_eq!(
            error.to_string(),
            "/linux/resources/memory/limit: write \"4096\" to /sys/fs/cgroup/web/memory.max: \
             EBUSY: device or resource busy (hint: less than is in use)"
        );
        assert_eq!(error.pointer(), Some("/linux/resources/memory/limit"));
        assert_eq!(error.errno(), Some(Errno::BUSY));
    }
}
