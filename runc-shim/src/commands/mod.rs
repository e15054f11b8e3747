//! The commands, one file each.

mod checkpoint;
mod create;
mod creation;
mod criu;
mod delete;
mod events;
mod exec;
mod features;
mod kill;
mod list;
mod pause;
mod plan;
mod ps;
mod restore;
mod resume;
mod run;
mod seccomp;
mod spec;
mod start;
mod state;
mod update;

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use libcontainer::{Container, ContainerId, Runtime};

use crate::cli::{self, Arguments, Globals, Token};
use crate::failure::Failure;
use crate::messages;

/// A command as the command line knows it.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) summary: &'static str,
    /// What follows the name in a usage line.
    pub(crate) usage: &'static str,
    /// Options and what they do, for the help.
    pub(crate) options: &'static [(&'static str, &'static str)],
    /// Whether it starts processes in a container, from which the executable must be protected.
    pub(crate) seals: bool,
    /// Reads the rest of the command line and does the work; the exit code.
    pub(crate) run: fn(&Context, &mut Arguments) -> Result<u8, Failure>,
}

/// The commands in the order of the help.
pub(crate) const COMMANDS: &[Command] = &[
    create::COMMAND,
    start::COMMAND,
    run::COMMAND,
    exec::COMMAND,
    state::COMMAND,
    kill::COMMAND,
    delete::COMMAND,
    pause::COMMAND,
    resume::COMMAND,
    checkpoint::COMMAND,
    restore::COMMAND,
    update::COMMAND,
    ps::COMMAND,
    events::COMMAND,
    list::COMMAND,
    plan::COMMAND,
    seccomp::COMMAND,
    spec::COMMAND,
    features::COMMAND,
];

/// The command called `name`.
pub(crate) fn find(name: &str) -> Result<&'static Command, Failure> {
    let command = COMMANDS.iter().find(|command| command.name == name);
    command.ok_or_else(|| Failure::Usage(messages::unknown_command(name)))
}

impl Command {
    /// The exit code of the command's own failure. That of a program in the container must be told from it, so `exec`
    /// has one that programs do not use.
    pub(crate) fn failure_code(&self) -> u8 {
        if self.name == exec::COMMAND.name { 255 } else { 1 }
    }

    /// The text of the command's `--help`.
    pub(crate) fn help(&self, program: &str) -> String {
        let Self { name, summary, usage, options, .. } = self;
        let mut text = format!(
            "{program} {name} - {summary}\n\nUSAGE:\n   {program} [GLOBAL OPTIONS] {name} {usage}\n\nOPTIONS:\n"
        );
        let mut rows = options.to_vec();
        rows.push(("--help, -h", "show this help"));
        cli::push_rows(&mut text, &rows);
        text
    }
}

/// What every command has to know.
pub(crate) struct Context {
    pub(crate) command: &'static str,
    pub(crate) globals: Globals,
}

impl Context {
    /// The runtime that `--root` names.
    fn runtime(&self) -> Result<Runtime, Failure> {
        let root = match &self.globals.root {
            Some(root) => {
                std::path::absolute(root).map_err(|error| Failure::system(messages::opening(root), error))?
            }
            None => default_root(rustix::process::geteuid().is_root(), std::env::var_os("XDG_RUNTIME_DIR")),
        };
        Ok(Runtime::new(root))
    }

    /// Reads the rest of a command line that holds one name and options that `option` knows.
    fn one_id(
        &self,
        arguments: &mut Arguments,
        mut option: impl FnMut(&str, &mut Arguments) -> Result<bool, Failure>,
    ) -> Result<ContainerId, Failure> {
        let [id] = self.words(arguments, 1..=1, &mut option)?;
        Ok(ContainerId::new(cli::text(id.unwrap_or_default())?)?)
    }

    /// Reads the rest of the command line: options that `option` knows, and a number of words in `range`.
    fn words<const MOST: usize>(
        &self,
        arguments: &mut Arguments,
        range: RangeInclusive<usize>,
        mut option: impl FnMut(&str, &mut Arguments) -> Result<bool, Failure>,
    ) -> Result<[Option<OsString>; MOST], Failure> {
        let mut words = [const { None }; MOST];
        let mut count = 0;
        while let Some(token) = arguments.next()? {
            match token {
                Token::Flag(flag) => {
                    if !option(&flag, arguments)? {
                        return Err(cli::unknown(&flag));
                    }
                }
                Token::Word(word) => {
                    if let Some(slot) = words.get_mut(count) {
                        *slot = Some(word);
                    }
                    count += 1;
                }
            }
        }
        if range.contains(&count) {
            Ok(words)
        } else {
            Err(Failure::Usage(messages::wrong_count(self.command, &range)))
        }
    }

    /// The container that is the only argument of a command without options.
    fn only_container(&self, arguments: &mut Arguments) -> Result<Container, Failure> {
        let id = self.one_id(arguments, no_options)?;
        Ok(self.runtime()?.load(&id)?)
    }
}

/// For commands that have no options.
fn no_options(_: &str, _: &mut Arguments) -> Result<bool, Failure> {
    Ok(false)
}

/// Root's containers, or those of a user with a run-time folder of its own.
fn default_root(privileged: bool, user_folder: Option<OsString>) -> PathBuf {
    match user_folder.filter(|folder| !privileged && !folder.is_empty()) {
        Some(folder) => Path::new(&folder).join("runc-shim"),
        None => PathBuf::from("/run/runc-shim"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_the_system_s_or_the_user_s() {
        let folder = || Some(OsString::from("/run/user/7"));
        assert_eq!(default_root(true, folder()), Path::new("/run/runc-shim"));
        assert_eq!(default_root(false, folder()), Path::new("/run/user/7/runc-shim"));
        assert_eq!(default_root(false, None), Path::new("/run/runc-shim"));
        assert_eq!(default_root(false, Some(OsString::new())), Path::new("/run/runc-shim"));
    }

    #[test]
    fn no_command_has_two_meanings() {
        let mut names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn only_what_starts_processes_pays_for_sealing() {
        let seals: Vec<_> =
            COMMANDS.iter().filter(|command| command.seals).map(|command| command.name).collect();
        assert_eq!(seals, ["create", "run", "exec"]);
    }
}
