//! `create`: makes a container whose program waits for `start`.

use super::creation::{self, Creation, creation_options};
use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;

pub(super) const COMMAND: Command = Command {
    name: "create",
    summary: "create a container; its program waits for 'start'",
    usage: "[OPTIONS] ID",
    options: creation_options!(),
    seals: true,
    run: create,
};

fn create(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let mut creation = Creation::default();
    let id = context.one_id(arguments, |flag, arguments| creation.option(flag, arguments))?;
    let bundle = creation.bundle()?;
    creation.check_terminal(&bundle, true)?;
    let options = creation.options(context.globals.systemd_cgroup, creation::listening());
    context.runtime()?.create(&id, &bundle, &options)?;
    Ok(0)
}
