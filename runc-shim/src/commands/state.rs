//! `state`: prints what is known of a container.

use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::output;

pub(super) const COMMAND: Command = Command {
    name: "state",
    summary: "print the state of a container as JSON",
    usage: "ID",
    options: &[],
    seals: false,
    run: state,
};

fn state(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    output::print_json(&context.only_container(arguments)?.state()?)?;
    Ok(0)
}
