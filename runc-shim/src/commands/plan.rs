//! `plan`: prints what `create` would do on this host, and does nothing of it.

use super::creation::{self, Creation, creation_options, wants_terminal};
use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::terminal::Reception;
use crate::{messages, output};

pub(super) const COMMAND: Command = Command {
    name: "plan",
    summary: "print what 'create' would do on this host, changing nothing",
    usage: "[OPTIONS] ID",
    options: creation_options!(("--format FORMAT, -f FORMAT", "text (default) or json")),
    seals: false,
    run: plan,
};

fn plan(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let mut creation = Creation::default();
    let mut json = false;
    let id = context.one_id(arguments, |flag, arguments| {
        match flag {
            "--format" | "-f" => json = is_json(&arguments.text()?)?,
            _ => return creation.option(flag, arguments),
        }
        Ok(true)
    })?;
    let bundle = creation.bundle()?;
    let runtime = context.runtime()?;
    let mut options = creation.options(context.globals.systemd_cgroup, creation::listening());
    if wants_terminal(&bundle) && !creation.has_console_socket() {
        // As `run` does it: nobody should have to invent a socket to see a plan.
        options = options.console_socket(Reception::example(runtime.root()));
    }
    let plan = runtime.plan(&id, &bundle, &options)?;
    if json {
        output::print_json(&plan.to_json())?
    } else {
        output::print(&plan.to_string())?
    }
    Ok(0)
}

pub(super) fn is_json(format: &str) -> Result<bool, Failure> {
    match format {
        "json" => Ok(true),
        "text" => Ok(false),
        _ => Err(Failure::Usage(messages::BAD_PLAN_FORMAT.to_owned())),
    }
}
