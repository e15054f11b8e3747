//! The command line: how it is read, and the options that stand before the command.
//!
//! Options are written `--name VALUE`, `--name=VALUE`, or `-n VALUE` for the few that have a letter, and may
//! stand before or after the container's name. As in Go, by which runc reads its command line, one dash does for a long
//! name, too: Cloud Foundry's Garden calls runtimes that way. So letters cannot be put together, nor with a value.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use lexopt::Arg;

use crate::commands::COMMANDS;
use crate::failure::Failure;
use crate::{log, messages};

/// The arguments that have not been read yet.
pub(crate) struct Arguments {
    parser: lexopt::Parser,
    only_words: bool,
    /// What follows the name of an option with one dash, `-name=VALUE`.
    attached: Option<OsString>,
    /// The option that was read last.
    flag: String,
}

/// One argument.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// An option as it was written, `--bundle` or `-b`; its value, if it has one, is read next.
    Flag(String),
    /// Anything else.
    Word(OsString),
}

impl Arguments {
    /// The first is the program's own name.
    pub(crate) fn new(arguments: Vec<OsString>) -> Self {
        Self {
            parser: lexopt::Parser::from_iter(arguments),
            only_words: false,
            attached: None,
            flag: String::new(),
        }
    }

    /// `runc` if the executable was called by that name, else this program's own name.
    pub(crate) fn program(&self) -> &'static str {
        match self.parser.bin_name().map(|name| Path::new(name).file_name()) {
            Some(Some(name)) if name == "runc" => "runc",
            _ => "runc-shim",
        }
    }

    /// The next argument.
    pub(crate) fn next(&mut self) -> Result<Option<Token>, Failure> {
        if let Some(value) = self.attached.take() {
            return Err(Failure::Usage(messages::value_needless(&value)));
        }
        if let Some(name) = self.long_with_one_dash() {
            return if name == "help" {
                Err(Failure::HelpAsked)
            } else {
                Ok(Some(self.flag(format!("--{name}"))))
            };
        }
        let token = match self.parser.next().map_err(wrong)? {
            None => return Ok(None),
            Some(Arg::Long("help") | Arg::Short('h')) => return Err(Failure::HelpAsked),
            Some(Arg::Long(name)) => {
                let flag = format!("--{name}");
                self.flag(flag)
            }
            Some(Arg::Short(letter)) => self.flag(format!("-{letter}")),
            Some(Arg::Value(word)) => Token::Word(word),
        };
        Ok(Some(token))
    }

    fn flag(&mut self, flag: String) -> Token {
        self.flag.clone_from(&flag);
        Token::Flag(flag)
    }

    /// Reads `-name` or `-name=VALUE`, if that is next; its name.
    fn long_with_one_dash(&mut self) -> Option<String> {
        // None in the midst of an argument.
        let mut raw = self.parser.try_raw_args()?;
        let argument = raw.peek()?.as_bytes();
        match argument {
            b"--" => self.only_words = true,
            [b'-', first, second, ..] if !self.only_words && *first != b'-' && *second != b'=' => {
                let mut parts = argument.get(1..)?.splitn(2, |byte| *byte == b'=').map(OsStr::from_bytes);
                let name = parts.next()?.to_string_lossy().into_owned();
                self.attached = parts.next().map(OsStr::to_os_string);
                raw.next();
                return Some(name);
            }
            _ => {}
        }
        None
    }

    /// All that has not been read yet, as it was written.
    pub(crate) fn rest(&mut self) -> Result<Vec<OsString>, Failure> {
        Ok(self.parser.raw_args().map_err(wrong)?.collect())
    }

    /// The value of the option just read.
    pub(crate) fn value(&mut self) -> Result<OsString, Failure> {
        match self.attached.take() {
            Some(value) => Ok(value),
            None => self.parser.value().map_err(|error| match error {
                lexopt::Error::MissingValue { .. } => Failure::Usage(messages::value_missing(&self.flag)),
                other => wrong(other),
            }),
        }
    }

    /// The value of the option just read, as a path.
    pub(crate) fn path(&mut self) -> Result<PathBuf, Failure> {
        self.value().map(PathBuf::from)
    }

    /// The value of the option just read, as text.
    pub(crate) fn text(&mut self) -> Result<String, Failure> {
        text(self.value()?)
    }

    /// Whether the option just read is on: `--debug`, or `--debug=false`.
    pub(crate) fn switch(&mut self) -> Result<bool, Failure> {
        match self.attached.take().or_else(|| self.parser.optional_value()) {
            None => Ok(true),
            Some(value) => boolean(&value).ok_or_else(|| Failure::Usage(messages::not_boolean(&value))),
        }
    }
}

/// `word` as text; everything this program names is UTF-8, paths aside.
pub(crate) fn text(word: OsString) -> Result<String, Failure> {
    word.into_string().map_err(|word| Failure::Usage(messages::not_utf8(&word)))
}

/// The error for an option that a command does not have.
pub(crate) fn unknown(flag: &str) -> Failure {
    Failure::Usage(messages::unknown_flag(flag))
}

fn wrong(error: lexopt::Error) -> Failure {
    Failure::Usage(match error {
        lexopt::Error::UnexpectedValue { option, value } => messages::value_unexpected(&option, &value),
        other => other.to_string(),
    })
}

/// The spellings of Go's `strconv.ParseBool`, which callers written in Go produce.
fn boolean(value: &OsStr) -> Option<bool> {
    match value.to_str()? {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The options that stand before the command.
#[derive(Debug, Default)]
pub(crate) struct Globals {
    pub(crate) debug: bool,
    pub(crate) log: Option<PathBuf>,
    pub(crate) log_format: log::Format,
    pub(crate) root: Option<PathBuf>,
    pub(crate) systemd_cgroup: bool,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Help,
    Version,
    Command(String),
}

/// Reads everything up to and including the command's name.
pub(crate) fn globals(arguments: &mut Arguments) -> Result<(Globals, Request), Failure> {
    let mut globals = Globals::default();
    loop {
        let flag = match arguments.next() {
            Ok(Some(Token::Flag(flag))) => flag,
            Ok(Some(Token::Word(word))) => return request(globals, text(word)?, arguments),
            Ok(None) | Err(Failure::HelpAsked) => return Ok((globals, Request::Help)),
            Err(other) => return Err(other),
        };
        match flag.as_str() {
            "--debug" => globals.debug = arguments.switch()?,
            "--log" => globals.log = Some(arguments.path()?).filter(|path| !path.as_os_str().is_empty()),
            "--log-format" => globals.log_format = log::Format::parse(&arguments.text()?)?,
            "--root" => globals.root = Some(arguments.path()?),
            "--systemd-cgroup" => globals.systemd_cgroup = arguments.switch()?,
            "--rootless" => check_rootless(&arguments.value()?)?,
            "--version" | "-v" => return Ok((globals, Request::Version)),
            _ => return Err(unknown(&flag)),
        }
    }
}

/// Without a user namespace or root's rights the library says itself what it may not do, so there is no mode
/// to choose; the option is accepted because callers pass it.
fn check_rootless(value: &OsStr) -> Result<(), Failure> {
    if value == "auto" || value.is_empty() || boolean(value).is_some() {
        Ok(())
    } else {
        Err(Failure::Usage(messages::bad_rootless(value)))
    }
}

fn request(globals: Globals, name: String, arguments: &mut Arguments) -> Result<(Globals, Request), Failure> {
    if name != "help" {
        return Ok((globals, Request::Command(name)));
    }
    match arguments.next()? {
        Some(Token::Word(topic)) => {
            arguments.parser = lexopt::Parser::from_args(["--help"]);
            Ok((globals, Request::Command(text(topic)?)))
        }
        _ => Ok((globals, Request::Help)),
    }
}

const GLOBAL_OPTIONS: &[(&str, &str)] = &[
    ("--debug", "log what is done, not only what went wrong"),
    ("--log FILE", "append to FILE instead of writing to stderr; errors go to both"),
    ("--log-format FORMAT", "text (default) or json"),
    ("--root DIR", "folder of the containers' state (default: /run/runc-shim)"),
    ("--systemd-cgroup", "let systemd make the cgroups; cgroupsPath is then SLICE:PREFIX:NAME"),
    ("--rootless BOOL", "auto (default), true or false; accepted for runc's callers"),
    ("--help, -h", "show this help"),
    ("--version, -v", "show the version"),
];

/// The text of `--help`.
pub(crate) fn help(program: &str) -> String {
    let mut text = format!(
        "{program} - run containers as the Open Container Initiative specifies them\n\n\
         USAGE:\n   {program} [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]\n\n\
         '{program} COMMAND --help' explains a command.\n\nCOMMANDS:\n"
    );
    let commands: Vec<_> = COMMANDS.iter().map(|command| (command.name, command.summary)).collect();
    push_rows(&mut text, &commands);
    text.push_str("\nGLOBAL OPTIONS:\n");
    push_rows(&mut text, GLOBAL_OPTIONS);
    text
}

/// Appends `rows` with their second column aligned.
pub(crate) fn push_rows(text: &mut String, rows: &[(&str, &str)]) {
    let width = rows.iter().map(|(left, _)| left.len()).max().unwrap_or_default();
    for (left, right) in rows {
        text.push_str(&format!("   {left:width$}  {right}\n"));
    }
}

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
