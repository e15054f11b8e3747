//! A hook's failure in words.

use std::fmt;

use super::describe_errno;

/// A hook that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFailure {
    /// Its key in `/hooks`, such as `createRuntime`.
    pub kind: String,
    /// Its place in that list, from 0.
    pub number: usize,
    /// Its program.
    pub path: String,
    /// How it ended.
    pub end: HookEnd,
    /// The end of what it printed.
    pub output: String,
}

/// How a failed hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookEnd {
    /// With this exit code, which is not 0.
    Code(i32),
    /// A signal of this number killed it.
    Signal(i32),
    /// It took longer than this many seconds, and was killed with its process group.
    TimedOut(u32),
    /// The container's first process ended meanwhile, and the hook was killed with its process group.
    ContainerEnded,
    /// It could not be executed.
    Call {
        /// The system call that failed.
        operation: &'static str,
        /// Its errno.
        errno: i32,
    },
}

impl fmt::Display for HookEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::TimedOut(seconds) => write!(f, "not done after its timeout of {seconds} s, and killed"),
            Self::ContainerEnded => f.write_str("killed, since the container's process has ended meanwhile"),
            Self::Call { operation, errno } => write!(f, "{operation}: {}", describe_errno(*errno)),
        }
    }
}

impl fmt::Display for HookFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.end)?;
        match self.output.as_str() {
            "" => Ok(()),
            output => write!(f, " (it printed: {output})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(end: HookEnd, output: &str) -> String {
        let (kind, path) = ("poststop".to_owned(), "/bin/x".to_owned());
        HookFailure { kind, number: 1, path, end, output: output.to_owned() }.to_string()
    }

    #[test]
    fn each_end_has_its_words_and_what_was_printed_follows() {
        assert_eq!(failure(HookEnd::Code(3), ""), "exit status 3");
        assert_eq!(failure(HookEnd::Signal(9), "no"), "killed by signal 9 (it printed: no)");
        assert_eq!(failure(HookEnd::TimedOut(5), ""), "not done after its timeout of 5 s, and killed");
        let call = HookEnd::Call { operation: "execve", errno: libc::ENOENT };
        assert_eq!(failure(call, ""), "execve: ENOENT: no such file or directory");
        assert!(failure(HookEnd::ContainerEnded, "").contains("ended meanwhile"));
    }
}
