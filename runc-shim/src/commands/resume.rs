//! `resume`: lets a paused container's processes run again.

use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;

pub(super) const COMMAND: Command = Command {
    name: "resume",
    summary: "let the processes of a paused container run again",
    usage: "ID",
    options: &[],
    seals: false,
    run: resume,
};

fn resume(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    context.only_container(arguments)?.resume()?;
    Ok(0)
}
