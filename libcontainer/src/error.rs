use std::error::Error as StdError;
use std::fmt;

use rustix::io::Errno;

mod hook;

pub use hook::{HookEnd, HookFailure};

/// The result of every fallible call of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong: one sentence, a [kind](ErrorKind) to match on, and the cause below it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The classes of error that a caller may treat differently.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No container of that name.
    NotFound,
    /// The name is taken.
    Exists,
    /// The container is not in a state that allows the operation; holds the state it is in.
    WrongStatus(crate::Status),
    /// Another command holds the container's lock.
    Busy,
    /// The container's name cannot be used.
    InvalidId,
    /// An option given by the caller is wrong or contradicts the configuration.
    InvalidOption,
    /// `config.json` cannot be used; `pointer` is the JSON pointer (RFC 6901) of the wrong value.
    InvalidSpec {
        /// JSON pointer of the value, empty for the whole document.
        pointer: String,
    },
    /// The configuration asks for something that this build or host cannot do.
    Unsupported {
        /// JSON pointer of the value, empty if the host as a whole is meant.
        pointer: String,
    },
    /// A step of the plan failed and everything before it was undone.
    Setup(StepFailure),
    /// A hook failed; a container that was being created is undone, one that was being started is stopped.
    Hook(HookFailure),
    /// The process that should be signalled is gone.
    NoProcess,
    /// The container's cgroup is in use or cannot be changed.
    Cgroup,
    /// CRIU is missing, or could not dump or restore the container; the message has the last errors of its log.
    Criu,
    /// Any other failure of the operating system.
    Os,
    /// This library broke one of its own rules, which is a bug; nothing was done.
    Internal,
}

/// Which step of a plan failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFailure {
    /// Position of the step in the plan, from 0.
    pub index: usize,
    /// Number of steps of the plan.
    pub total: usize,
    /// JSON pointer of the configuration value behind the step, if there is one.
    pub pointer: Option<String>,
    /// The step as the plan prints it.
    pub step: String,
    /// The path or name that the step was about, for steps that have one.
    pub subject: Option<String>,
    /// The system call (or operation) that failed.
    pub operation: &'static str,
    /// Its errno.
    pub errno: i32,
    /// What to try, where it is known.
    pub hint: Option<&'static str>,
}

impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} of {}", self.index, self.total)?;
        if let Some(pointer) = &self.pointer {
            write!(f, ", {pointer}")?;
        }
        write!(f, ": {}: {}: {}", self.step, self.operation, describe_errno(self.errno))?;
        if let Some(hint) = self.hint {
            write!(f, " (hint: {hint})")?;
        }
        Ok(())
    }
}

/// `EPERM: Operation not permitted`-like text of an errno.
#[must_use]
pub(crate) fn describe_errno(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    // std appends " (os error N)", which says nothing that the text does not.
    let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    match errno_name(errno) {
        Some(name) => format!("{name}: {text}"),
        None => format!("errno {errno}: {text}"),
    }
}

fn errno_name(errno: i32) -> Option<&'static str> {
    let names = [
        (Errno::PERM, "EPERM"),
        (Errno::NOENT, "ENOENT"),
        (Errno::SRCH, "ESRCH"),
        (Errno::IO, "EIO"),
        (Errno::NXIO, "ENXIO"),
        (Errno::TOOBIG, "E2BIG"),
        (Errno::NOEXEC, "ENOEXEC"),
        (Errno::BADF, "EBADF"),
        (Errno::CHILD, "ECHILD"),
        (Errno::AGAIN, "EAGAIN"),
        (Errno::NOMEM, "ENOMEM"),
        (Errno::ACCESS, "EACCES"),
        (Errno::FAULT, "EFAULT"),
        (Errno::BUSY, "EBUSY"),
        (Errno::EXIST, "EEXIST"),
        (Errno::XDEV, "EXDEV"),
        (Errno::NODEV, "ENODEV"),
        (Errno::NOTDIR, "ENOTDIR"),
        (Errno::ISDIR, "EISDIR"),
        (Errno::INVAL, "EINVAL"),
        (Errno::NFILE, "ENFILE"),
        (Errno::MFILE, "EMFILE"),
        (Errno::TXTBSY, "ETXTBSY"),
        (Errno::FBIG, "EFBIG"),
        (Errno::NOSPC, "ENOSPC"),
        (Errno::ROFS, "EROFS"),
        (Errno::RANGE, "ERANGE"),
        (Errno::PIPE, "EPIPE"),
        (Errno::NAMETOOLONG, "ENAMETOOLONG"),
        (Errno::NOSYS, "ENOSYS"),
        (Errno::NOTEMPTY, "ENOTEMPTY"),
        (Errno::LOOP, "ELOOP"),
        (Errno::OVERFLOW, "EOVERFLOW"),
        (Errno::USERS, "EUSERS"),
        (Errno::OPNOTSUPP, "EOPNOTSUPP"),
        (Errno::ADDRINUSE, "EADDRINUSE"),
        (Errno::CONNREFUSED, "ECONNREFUSED"),
        (Errno::TIMEDOUT, "ETIMEDOUT"),
        (Errno::CONNRESET, "ECONNRESET"),
    ];
    names.iter().find(|(value, _)| value.raw_os_error() == errno).map(|(_, name)| *name)
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// A failed system call: `what` says what it was meant to do, and to which path.
    pub(crate) fn os(what: impl fmt::Display, errno: impl Into<Errno>) -> Self {
        let errno = errno.into();
        Self::new(ErrorKind::Os, format!("{what}: {}", describe_errno(errno.raw_os_error())))
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// Adds what could not be undone after the failure. It is a source as well, for those who say the rest by the kind.
    pub(crate) fn while_undoing(mut self, troubles: &str) -> Self {
        let message = format!("while undoing: {troubles}");
        self.0.message = format!("{}; {message}", self.0.message);
        let source = self.0.source.take();
        self.0.source = Some(Box::new(Self(Box::new(Inner { kind: ErrorKind::Os, message, source }))));
        self
    }

    /// Puts `prefix: ` before the message.
    pub(crate) fn context(mut self, prefix: impl fmt::Display) -> Self {
        self.0.message = format!("{prefix}: {}", self.0.message);
        self
    }

    /// What class of error this is.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_undone_is_said_and_is_a_source() {
        let error =
            Error::new(ErrorKind::Os, "first").with_source(Errno::MFILE).while_undoing("second; third");
        assert_eq!(error.to_string(), "first; while undoing: second; third");
        let undo = error.source().unwrap();
        assert_eq!(undo.to_string(), "while undoing: second; third");
        assert_eq!(undo.source().unwrap().to_string(), Errno::MFILE.to_string());
    }

    #[test]
    fn a_step_failure_names_step_pointer_call_errno_and_hint() {
        let failure = StepFailure {
            index: 17,
            total: 60,
            pointer: Some("/mounts/3".into()),
            step: "mount sysfs on /sys".into(),
            subject: Some("/sys".into()),
            operation: "move_mount",
            errno: libc::EPERM,
            hint: Some("add a network namespace"),
        };
        assert_eq!(
            failure.to_string(),
            "step 17 of 60, /mounts/3: mount sysfs on /sys: move_mount: EPERM: operation not permitted (hint: add a network namespace)"
        );
    }
}
