//! `pause`: suspends a container's processes.

use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;

pub(super) const COMMAND: Command = Command {
    name: "pause",
    summary: "suspend all processes of a container",
    usage: "ID",
    options: &[],
    seals: false,
    run: pause,
};

fn pause(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    context.only_container(arguments)?.pause()?;
    Ok(0)
}
