//! The command line as the binary itself describes it.
//!
//! The definitions of commands and options are tables in `runc-shim`, and its help prints these tables row by row. So
//! the help is read back, and what is installed describes exactly the binary that is installed beside it.

use std::path::Path;
use std::process::Command as Process;

use clap::{Arg, ArgAction, Command, ValueHint};

use crate::xtask::Result;
use crate::xtask::process::capture;

/// The program's options and commands.
pub(super) fn of(binary: &Path) -> Result<Command> {
    let help = ask(binary, &["--help"])?;
    let mut program = described(&help);
    for (name, _) in rows(&help, "COMMANDS:") {
        program = program.subcommand(described(&ask(binary, &[name, "--help"])?).name(name.to_owned()));
    }
    Ok(program)
}

/// The usage line of a command that [`of`] has made.
pub(super) fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.trim_start_matches("Usage:").trim().to_owned()
}

fn ask(binary: &Path, arguments: &[&str]) -> Result<String> {
    let output = capture(Process::new(binary).args(arguments))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command with everything that its help says.
fn described(help: &str) -> Command {
    let (name, about) = help.lines().next().and_then(|line| line.split_once(" - ")).unwrap_or_default();
    let usage = section(help, "USAGE:").next().unwrap_or_default().trim();
    let options = ["OPTIONS:", "GLOBAL OPTIONS:"].into_iter().flat_map(|title| rows(help, title));
    Command::new(name.to_owned())
        .about(about.to_owned())
        .override_usage(usage.to_owned())
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .args(options.map(|(spellings, text)| option(spellings, text)))
}

/// The rows of a table: what is explained, and its explanation. At least two blanks part them.
fn rows<'a>(help: &'a str, title: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    section(help, title).filter_map(|line| {
        let (left, right) = line.trim().split_once("  ")?;
        Some((left.trim(), right.trim()))
    })
}

/// The indented lines below `title`.
fn section<'a>(help: &'a str, title: &'a str) -> impl Iterator<Item = &'a str> {
    help.lines().skip_while(move |line| *line != title).skip(1).take_while(|line| line.starts_with(' '))
}

/// `--bundle DIR, -b DIR` as an option.
fn option(spellings: &str, text: &str) -> Arg {
    let mut option = Arg::new(spellings.to_owned()).help(text.to_owned()).action(ArgAction::SetTrue);
    for spelling in spellings.split(", ") {
        let (flag, value) = spelling.split_once(' ').unwrap_or((spelling, ""));
        option = match (flag.strip_prefix("--"), flag.chars().nth(1)) {
            (Some(long), _) => option.long(long.to_owned()),
            (None, Some(letter)) => option.short(letter),
            (None, None) => option,
        };
        if !value.is_empty() {
            option = option.action(ArgAction::Append).value_name(value.to_owned()).value_hint(hint(value));
        }
    }
    option
}

fn hint(value: &str) -> ValueHint {
    match value {
        "DIR" => ValueHint::DirPath,
        "FILE" | "PATH" | "FILE|-" => ValueHint::AnyPath,
        _ => ValueHint::Other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may fail

    use super::*;

    const HELP: &str = "runc-shim create - make it; no more\n\nUSAGE:\n   runc-shim [GLOBAL OPTIONS] create [OPTIONS] ID\n\n\
        OPTIONS:\n   --bundle DIR, -b DIR  folder (default: the current one)\n   --no-pivot            stay\n\n   --not-this  no\n";

    #[test]
    fn a_help_is_read_back_as_it_was_meant() {
        let command = described(HELP);
        assert_eq!(command.get_about().unwrap().to_string(), "make it; no more");
        assert_eq!(usage(&command), "runc-shim [GLOBAL OPTIONS] create [OPTIONS] ID");
        let options: Vec<_> = command.get_arguments().collect();
        assert_eq!(options.len(), 2);
        assert_eq!((options[0].get_long(), options[0].get_short()), (Some("bundle"), Some('b')));
        assert_eq!(options[0].get_value_hint(), ValueHint::DirPath);
        assert_eq!(options[0].get_help().unwrap().to_string(), "folder (default: the current one)");
        assert!(!options[1].get_action().takes_values());
    }
}
