//! `delete`: removes what a container left on the host.

use libcontainer::{Delete, ErrorKind};

use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;

pub(super) const COMMAND: Command = Command {
    name: "delete",
    summary: "remove a stopped container, or one that was never started",
    usage: "[OPTIONS] ID",
    options: &[("--force, -f", "kill it first if it runs; no error if there is none")],
    seals: false,
    run: delete,
};

fn delete(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let mut how = Delete::Stopped;
    let id = context.one_id(arguments, |flag, arguments| {
        match flag {
            "--force" | "-f" => how = if arguments.switch()? { Delete::Force } else { Delete::Stopped },
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    match context.runtime()?.load(&id).and_then(|container| container.delete(how)) {
        Err(error) if how == Delete::Force && matches!(error.kind(), ErrorKind::NotFound) => Ok(0),
        result => result.map(|()| 0).map_err(Failure::from),
    }
}
