//! Signals: their names, and those that a foreground `run` passes on.

use std::os::fd::{AsFd, BorrowedFd};
use std::str::FromStr;

use nix::sys::signal::{self, SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::fs::{Mode, OFlags};

use crate::dispositions;
use crate::failure::Failure;
use crate::messages;

/// A child of this process has changed its state.
pub(crate) const CHILD: i32 = Signal::SIGCHLD as i32;
/// The terminal has a new size.
pub(crate) const WINDOW: i32 = Signal::SIGWINCH as i32;

/// This process was stopped, and goes on.
pub(crate) const CONTINUE: i32 = Signal::SIGCONT as i32;
/// What a terminal's stop character sends.
pub(crate) const STOP: i32 = Signal::SIGTSTP as i32;
/// What asks a program to end.
pub(crate) const ENDING: [i32; 4] =
    [Signal::SIGHUP as i32, Signal::SIGINT as i32, Signal::SIGQUIT as i32, Signal::SIGTERM as i32];

/// What the C library keeps for itself of the kernel's real-time signals, which start at 32.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// The number of the signal written as a name, with or without `SIG` and in any case, or as a number.
pub(crate) fn parse(text: &str) -> Result<i32, Failure> {
    let number = match text.parse::<i32>() {
        Ok(number) => Some(number).filter(|number| (0..=RTMAX).contains(number)),
        Err(_) => by_name(&text.to_ascii_uppercase()),
    };
    number.ok_or_else(|| Failure::Other(messages::unknown_signal(text)))
}

fn by_name(upper: &str) -> Option<i32> {
    let name = upper.strip_prefix("SIG").unwrap_or(upper);
    let name = match name {
        "CLD" => "CHLD",
        "IOT" => "ABRT",
        "POLL" => "IO",
        other => other,
    };
    match Signal::from_str(&format!("SIG{name}")) {
        Ok(signal) => Some(signal as i32),
        Err(_) => realtime(name),
    }
}

/// `RTMIN`, `RTMIN+n`, `RTMAX`, `RTMAX-n`.
fn realtime(name: &str) -> Option<i32> {
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        RTMIN + offset(rest, '+')?
    } else {
        RTMAX - offset(name.strip_prefix("RTMAX")?, '-')?
    };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

fn offset(rest: &str, sign: char) -> Option<i32> {
    if rest.is_empty() {
        return Some(0);
    }
    let digits = rest.strip_prefix(sign)?;
    digits.parse::<u8>().ok().filter(|_| digits.starts_with(|c: char| c.is_ascii_digit())).map(i32::from)
}

/// Those that an [`Inbox`] takes.
fn queued() -> SigSet {
    use Signal::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGTTIN, SIGTTOU, SIGURG};
    let mut set = dispositions::every_signal();
    for own in [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP, SIGTTIN, SIGTTOU, SIGURG] {
        set.remove(own);
    }
    set
}

/// The signals sent to this process, to be read instead of acting on it.
pub(crate) struct Inbox(SignalFd);

impl Inbox {
    /// From now on no signal but the uncatchable ones, those of the program's own faults, those by which a terminal
    /// stops who is not in its foreground, and SIGURG (which means nothing by default) acts on this process; all others
    /// are queued here.
    pub(crate) fn open() -> Result<Self, Failure> {
        dispositions::keep_zombies();
        let set = queued();
        let open = || {
            set.thread_block()?;
            SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        };
        open().map(Self).map_err(|errno| Failure::system(messages::WATCHING_SIGNALS, errno))
    }

    /// Again, for musl lets two of them act with the first thread that is made.
    pub(crate) fn hold(&self) -> Result<(), Failure> {
        queued().thread_block().map_err(|errno| Failure::system(messages::WATCHING_SIGNALS, errno))
    }

    /// The next queued signal, if there is one.
    pub(crate) fn next(&self) -> Result<Option<i32>, Failure> {
        match self.0.read_signal() {
            Ok(signal) => Ok(signal.and_then(|signal| i32::try_from(signal.ssi_signo).ok())),
            Err(errno) => Err(Failure::system(messages::WATCHING_SIGNALS, errno)),
        }
    }

    /// Stops this process until it is continued, as the terminal's stop character does it with a program that leaves it to
    /// the kernel. That does not stop a process that no shell would continue. Without a terminal there is none, and
    /// whoever sends the signal may well send the next one, which a stop would undo.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
        if rustix::fs::open("/dev/tty", flags, Mode::empty()).is_err() {
            return Ok(());
        }
        let stop = SigSet::from(Signal::SIGTSTP);
        signal::raise(Signal::SIGTSTP)
            .and_then(|()| stop.thread_unblock())
            .and_then(|()| stop.thread_block())
            .map_err(|errno| Failure::system(messages::WATCHING_SIGNALS, errno))
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_many_spellings() {
        let spellings = [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("sigterm", 15),
            ("Kill", 9),
            ("9", 9),
            ("0", 0),
            ("64", 64),
            ("CLD", 17),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmax-1", 63),
            ("SIGRTMAX", 64),
        ];
        for (text, number) in spellings {
            assert_eq!(parse(text).unwrap(), number, "{text}");
        }
    }

    #[test]
    fn what_is_no_signal_is_named() {
        for text in ["", "SIG", "99x", "-1", "65", "SIGSIGTERM", "RTMIN+31", "RTMAX-31", "RTMIN+", "RTMIN++1"]
        {
            let error = parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("unknown signal {text:?}"));
        }
    }
}
