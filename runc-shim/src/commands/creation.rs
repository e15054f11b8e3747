//! The options that `create`, `run` and `plan` share.

use std::ffi::OsStr;
use std::path::PathBuf;

use libcontainer::{Bundle, CreateOptions};

use crate::cli::Arguments;
use crate::failure::Failure;
use crate::{messages, notify};

/// How a container is to be created.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Creation {
    bundle: Option<PathBuf>,
    console_socket: Option<PathBuf>,
    pidfd_socket: Option<PathBuf>,
    pid_file: Option<PathBuf>,
    no_pivot: bool,
    no_new_keyring: bool,
    preserve_fds: u32,
}

/// The help of the options that [`Creation::option`] knows.
macro_rules! creation_options {
    ($($more:expr),* $(,)?) => {
        &[
            ("--bundle DIR, -b DIR", "folder with config.json (default: the current one)"),
            ("--console-socket PATH", "Unix socket that receives the terminal's master side"),
            ("--pidfd-socket PATH", "Unix socket that receives a pidfd of the container's process"),
            ("--pid-file FILE", "file that receives the process's number"),
            ("--no-pivot", "move the root instead of pivoting into it, for a root on a ramdisk"),
            ("--no-new-keyring", "keep the caller's session keyring"),
            ("--preserve-fds N", "pass N descriptors from 3 on, after those of $LISTEN_FDS"),
            $($more),*
        ]
    };
}
pub(super) use creation_options;

impl Creation {
    /// Reads the option `flag` if it is one of these; whether it was.
    pub(super) fn option(&mut self, flag: &str, arguments: &mut Arguments) -> Result<bool, Failure> {
        match flag {
            "--bundle" | "-b" => self.bundle = Some(arguments.path()?),
            "--console-socket" => self.console_socket = not_empty(arguments.path()?),
            "--pidfd-socket" => self.pidfd_socket = not_empty(arguments.path()?),
            "--pid-file" => self.pid_file = not_empty(arguments.path()?),
            "--no-pivot" => self.no_pivot = arguments.switch()?,
            "--no-new-keyring" => self.no_new_keyring = arguments.switch()?,
            "--preserve-fds" => self.preserve_fds = count(flag, &arguments.text()?)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Opens the bundle.
    pub(super) fn bundle(&self) -> Result<Bundle, Failure> {
        let folder = self.bundle.as_deref().filter(|folder| !folder.as_os_str().is_empty());
        Ok(Bundle::open(folder.unwrap_or(std::path::Path::new(".")))?)
    }

    /// The library's options; `listening` is the number of sockets that the caller passes on.
    pub(super) fn options(&self, systemd_cgroup: bool, listening: u32) -> CreateOptions {
        let mut options = CreateOptions::default()
            .no_pivot(self.no_pivot)
            .no_new_keyring(self.no_new_keyring)
            .preserve_fds(self.preserve_fds.saturating_add(listening))
            .listen_fds(listening, names_of(listening))
            .notify(notify::manager().is_some())
            .systemd_cgroup(systemd_cgroup);
        if let Some(path) = &self.console_socket {
            options = options.console_socket(path);
        }
        if let Some(path) = &self.pidfd_socket {
            options = options.pidfd_socket(path);
        }
        if let Some(path) = &self.pid_file {
            options = options.pid_file(path);
        }
        options
    }

    /// Whether somebody waits for the terminal.
    pub(super) fn has_console_socket(&self) -> bool {
        self.console_socket.is_some()
    }

    /// A terminal must have somebody to go to, and a socket for one must have a terminal.
    pub(super) fn check_terminal(&self, bundle: &Bundle, detached: bool) -> Result<(), Failure> {
        terminal_problem(wants_terminal(bundle), detached, self.has_console_socket())
            .map_or(Ok(()), |problem| Err(Failure::Other(problem.to_owned())))
    }
}

/// Whether the container's process gets a terminal.
pub(super) fn wants_terminal(bundle: &Bundle) -> bool {
    bundle.config().process.as_ref().is_some_and(|process| process.terminal)
}

pub(super) fn terminal_problem(terminal: bool, detached: bool, socket: bool) -> Option<&'static str> {
    match (terminal, detached, socket) {
        (true, true, false) => Some(messages::NO_CONSOLE_SOCKET),
        (_, false, true) | (false, _, true) => Some(messages::NEEDLESS_CONSOLE_SOCKET),
        _ => None,
    }
}

/// How many sockets the caller passes to this process by `sd_listen_fds(3)`'s protocol.
pub(super) fn listening() -> u32 {
    let Some(count) = std::env::var_os("LISTEN_FDS") else { return 0 };
    listening_for(&count, std::env::var_os("LISTEN_PID").as_deref(), std::process::id())
}

/// The names that the caller gives to these sockets; text that is not UTF-8 names nothing.
fn names_of(listening: u32) -> Option<String> {
    if listening == 0 { None } else { std::env::var("LISTEN_FDNAMES").ok() }
}

fn listening_for(count: &OsStr, pid: Option<&OsStr>, own: u32) -> u32 {
    let number = |text: &OsStr| text.to_str()?.parse::<u32>().ok();
    let for_us = pid.and_then(number) == Some(own);
    number(count).filter(|_| for_us).unwrap_or_default()
}

pub(super) fn not_empty<T: AsRef<OsStr>>(value: T) -> Option<T> {
    Some(value).filter(|value| !value.as_ref().is_empty())
}

pub(super) fn count(flag: &str, text: &str) -> Result<u32, Failure> {
    text.parse().map_err(|_| Failure::Usage(messages::not_a_number(flag, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_and_a_socket_for_it_come_together_or_not_at_all() {
        let detached = true;
        assert_eq!(terminal_problem(true, detached, true), None);
        assert_eq!(terminal_problem(false, detached, false), None);
        assert_eq!(terminal_problem(true, detached, false), Some(messages::NO_CONSOLE_SOCKET));
        assert_eq!(terminal_problem(false, detached, true), Some(messages::NEEDLESS_CONSOLE_SOCKET));
        assert_eq!(terminal_problem(true, !detached, false), None);
        assert_eq!(terminal_problem(true, !detached, true), Some(messages::NEEDLESS_CONSOLE_SOCKET));
    }

    #[test]
    fn sockets_are_counted_only_if_they_are_meant_for_this_process() {
        let (three, bad) = (OsStr::new("3"), OsStr::new("x"));
        assert_eq!(listening_for(three, Some(OsStr::new("77")), 77), 3);
        assert_eq!(listening_for(three, Some(OsStr::new("78")), 77), 0);
        assert_eq!(listening_for(three, None, 77), 0);
        assert_eq!(listening_for(bad, Some(OsStr::new("77")), 77), 0);
    }

    #[test]
    fn every_option_is_read_in_both_forms() {
        let mut creation = Creation::default();
        let line = [
            "--bundle=/b",
            "--console-socket",
            "/c",
            "--pidfd-socket=/p",
            "--pid-file",
            "/f",
            "--no-pivot",
            "--no-new-keyring=true",
            "--preserve-fds",
            "4",
        ];
        let mut arguments = Arguments::of(&line);
        while let Some(token) = arguments.next().unwrap() {
            let crate::cli::Token::Flag(flag) = token else { panic!("{token:?}") };
            assert!(creation.option(&flag, &mut arguments).unwrap(), "{flag}");
        }
        let expected = Creation {
            bundle: Some("/b".into()),
            console_socket: Some("/c".into()),
            pidfd_socket: Some("/p".into()),
            pid_file: Some("/f".into()),
            no_pivot: true,
            no_new_keyring: true,
            preserve_fds: 4,
        };
        assert_eq!(creation, expected);
    }
}
