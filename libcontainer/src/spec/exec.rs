//! The program of an `exec`: what is asked for, and what it has of the container's own process where nothing is.

use std::path::PathBuf;

use super::config::{Config, Process};
use super::problem::Problem;
use super::{check, json, raw};
use crate::{Error, ErrorKind, Result};

/// How a program to be executed in a container is described.
#[derive(Clone, Debug)]
pub enum Program {
    /// By what it has different from the container's own process.
    Wishes(Box<Wishes>),
    /// By a `process` object of the runtime-spec, as `exec --process` reads it.
    Json {
        /// Its text.
        text: Vec<u8>,
        /// Where it was read, for messages.
        file: PathBuf,
    },
}

impl Program {
    /// Whether it gets a terminal.
    pub(crate) fn has_terminal(&self) -> Result<bool> {
        match self {
            Self::Wishes(wishes) => Ok(wishes.terminal),
            Self::Json { text, file } => json::read(text)
                .map(|raw: raw::Process| raw.terminal)
                .map_err(|problem| problem.in_file(file)),
        }
    }
}

/// What a program has different from the container's own process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The program and its arguments.
    pub args: Vec<String>,
    /// More environment; the last entry of a name wins.
    pub env: Vec<String>,
    /// The working folder, absolute.
    pub cwd: Option<String>,
    /// The user id.
    pub uid: Option<u32>,
    /// The group id.
    pub gid: Option<u32>,
    /// More groups.
    pub additional_gids: Vec<u32>,
    /// More capabilities, as `CAP_*`.
    pub capabilities: Vec<String>,
    /// Whether it gets a terminal.
    pub terminal: bool,
    /// Whether it gives up gaining privileges, even if the container's process does not.
    pub no_new_privileges: bool,
    /// Another AppArmor profile.
    pub apparmor_profile: Option<String>,
    /// Another SELinux label.
    pub selinux_label: Option<String>,
}

/// The configuration of a container with `program` in the place of its process.
///
/// # Errors
/// [`ErrorKind::InvalidOption`] or [`ErrorKind::InvalidSpec`] for a program that cannot be.
pub fn program(config: Config, program: Program) -> Result<Config> {
    let mut warnings = Vec::new();
    let model = config.process.as_ref().map_or_else(nobody, Process::clone);
    let process = match program {
        Program::Wishes(wishes) => check::changed(*wishes, &model, &mut warnings).map_err(as_option),
        Program::Json { text, file } => json::read(&text)
            .and_then(|raw| check::executed(raw, &model, &mut warnings))
            .map_err(|problem| in_process(problem).in_file(&file)),
    }?;
    Ok(Config { process: Some(process), warnings, ..config })
}

/// The process of a container that has none.
fn nobody() -> Process {
    Process { cwd: "/".into(), umask: 0o022, ..Process::default() }
}

fn as_option(problem: Problem) -> Error {
    Error::new(ErrorKind::InvalidOption, format!("{}: {}", problem.pointer, problem.message))
}

/// The document is the process itself.
fn in_process(problem: Problem) -> Problem {
    let pointer = problem.pointer.strip_prefix("/process").unwrap_or(&problem.pointer).to_owned();
    Problem { pointer, ..problem }
}
