//! `kill`: sends a signal.

use libcontainer::{ContainerId, ErrorKind, Signals};

use super::{Command, Context};
use crate::cli::{self, Arguments};
use crate::failure::Failure;
use crate::signals;

/// `--all` is runc's hidden option: engines use it, people should not need it.
pub(super) const COMMAND: Command = Command {
    name: "kill",
    summary: "send a signal to a container's first process",
    usage: "ID [SIGNAL]      (default: SIGTERM; a name with or without SIG, or a number)",
    options: &[],
    seals: false,
    run: kill,
};

fn kill(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let mut whom = Signals::Init;
    let [id, signal] = context.words(arguments, 1..=2, |flag, arguments| {
        match flag {
            "--all" | "-a" => whom = if arguments.switch()? { Signals::All } else { Signals::Init },
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let id = ContainerId::new(cli::text(id.unwrap_or_default())?)?;
    let signal = signals::parse(&signal.map_or(Ok("TERM".to_owned()), cli::text)?)?;
    match context.runtime()?.load(&id)?.kill(signal, whom) {
        // All processes of a stopped container have been reached: there is none.
        Err(error) if whom == Signals::All && is_over(error.kind()) => Ok(0),
        result => result.map(|()| 0).map_err(Failure::from),
    }
}

fn is_over(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::NoProcess | ErrorKind::WrongStatus(libcontainer::Status::Stopped))
}
