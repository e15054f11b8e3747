//! `start`: lets the program of a created container go.

use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::notify::Proxy;

pub(super) const COMMAND: Command = Command {
    name: "start",
    summary: "start the program of a created container",
    usage: "ID",
    options: &[],
    seals: false,
    run: start,
};

fn start(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let container = context.only_container(arguments)?;
    let proxy = Proxy::of_created(&container)?;
    container.start()?;
    proxy.map_or(Ok(()), Proxy::serve)?;
    Ok(0)
}
