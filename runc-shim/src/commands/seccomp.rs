//! `seccomp explain`: what a profile allows, denies and leaves to others, and what that costs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use libcontainer::seccomp::explain;

use super::plan::is_json;
use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::{messages, output};

pub(super) const COMMAND: Command = Command {
    name: "seccomp",
    summary: "explain a seccomp profile: what it does to each system call on this machine",
    usage: "explain [OPTIONS] [FILE]",
    options: &[
        ("--bundle DIR, -b DIR", "explain the profile of DIR/config.json (default: the current folder)"),
        ("--format FORMAT, -f FORMAT", "text (default) or json"),
    ],
    seals: false,
    run: seccomp,
};

fn seccomp(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let mut bundle = PathBuf::from(".");
    let (mut json, mut listing) = (false, false);
    let [action, file] = context.words(arguments, 1..=2, |flag, arguments| {
        match flag {
            "--bundle" | "-b" => bundle = arguments.path()?,
            "--format" | "-f" => json = is_json(&arguments.text()?)?,
            // Not in the help: the program is nobody's interface.
            "--bpf" => listing = arguments.switch()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if action.as_deref() != Some(OsStr::new("explain")) {
        return Err(Failure::Usage(messages::BAD_SECCOMP_ACTION.to_owned()));
    }
    let file = file.map_or_else(|| bundle.join("config.json"), PathBuf::from);
    let explanation = explain(&read(&file)?)?;
    match (listing, json) {
        (true, _) => output::print(&explanation.listing().to_string())?,
        (false, true) => output::print_json(&explanation)?,
        (false, false) => output::print(&explanation.to_string())?,
    }
    Ok(0)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::system(messages::opening(file), error))
}
