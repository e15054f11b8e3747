//! A hook's failure in words.

use std::fmt;

use libcontainer_init::op::{self, Op};

use crate::error::describe_errno;

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

impl HookEnd {
    /// From an operation's number and its errno, as the process that ran the hook tells them.
    pub(crate) fn from_numbers(number: u32, errno: i32) -> Self {
        match op::from_number(number) {
            Some(Op::HookCode) => Self::Code(errno),
            Some(Op::HookSignal) => Self::Signal(errno),
            Some(Op::HookTimeout) => Self::TimedOut(u32::try_from(errno).unwrap_or_default()),
            Some(Op::HookContainer) => Self::ContainerEnded,
            _ => Self::Call { operation: op::name(number), errno },
        }
    }
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

/// What a program printed, as a part of one line: it may hold anything.
pub(crate) fn one_line(bytes: impl IntoIterator<Item = u8>) -> String {
    let bytes: Vec<u8> = bytes.into_iter().collect();
    let text = String::from_utf8_lossy(&bytes);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(end: HookEnd, output: &str) -> String {
        let (kind, path) = ("poststop".to_owned(), "/bin/x".to_owned());
        HookFailure { kind, number: 1, path, end, output: output.to_owned() }.to_string()
    }

    #[test]
    fn each_end_has_its_words() {
        let of = |op: Op, errno| failure(HookEnd::from_numbers(op as u32, errno), "");
        assert_eq!(of(Op::HookCode, 3), "exit status 3");
        assert_eq!(of(Op::HookSignal, 9), "killed by signal 9");
        assert_eq!(of(Op::HookTimeout, 5), "not done after its timeout of 5 s, and killed");
        assert_eq!(of(Op::Exec, libc::ENOENT), "execve: ENOENT: no such file or directory");
        assert!(of(Op::HookContainer, libc::ESRCH).contains("ended meanwhile"));
    }

    #[test]
    fn what_was_printed_stays_on_one_line() {
        assert_eq!(one_line(*b"\n one\ntwo\x1b[31m \xff\n"), "one two [31m \u{fffd}");
        assert_eq!(failure(HookEnd::Code(1), "no"), "exit status 1 (it printed: no)");
    }
}
