//! `list`: prints all containers of a root.

use std::path::Path;

use libcontainer::{ErrorKind, Runtime, State};

use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::{messages, output};

pub(super) const COMMAND: Command = Command {
    name: "list",
    summary: "list the containers below the root folder",
    usage: "[OPTIONS]",
    options: &[
        ("--format FORMAT, -f FORMAT", "table (default) or json"),
        ("--quiet, -q", "print only the containers' names"),
    ],
    seals: false,
    run: list,
};

fn list(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let (mut json, mut quiet) = (false, false);
    let [] = context.words(arguments, 0..=0, |flag, arguments| {
        match flag {
            "--format" | "-f" => json = output::is_json(&arguments.text()?)?,
            "--quiet" | "-q" => quiet = arguments.switch()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let runtime = context.runtime()?;
    let states =
        if exists(runtime.root(), context.globals.root.is_some())? { states(&runtime)? } else { Vec::new() };
    if quiet {
        let names: String = states.iter().map(|state| format!("{}\n", state.id)).collect();
        output::print(&names)?;
    } else if json {
        output::print_json_line(&states)?;
    } else {
        output::print(&output::table(&states))?;
    }
    Ok(0)
}

/// Whether there is a root folder. Only the default one may be missing: no container was made yet.
fn exists(root: &Path, chosen: bool) -> Result<bool, Failure> {
    match root.metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !chosen => Ok(false),
        Err(error) => Err(Failure::system(messages::opening(root), error)),
    }
}

fn states(runtime: &Runtime) -> Result<Vec<State>, Failure> {
    let mut states = Vec::new();
    for container in runtime.list()? {
        match container.state() {
            Ok(state) => states.push(state),
            // Deleted since the folder was read.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound) => {}
            // One broken container must not hide the others.
            Err(error) => tracing::warn!("{}", messages::not_listed(&error)),
        }
    }
    Ok(states)
}
