//! `plan`: prints what `create`, `restore` or `exec` would do on this host, and does nothing of it.

use std::path::PathBuf;

use libcontainer::{ContainerId, Plan, RestoreOptions};

use super::creation::{self, Creation, creation_options, wants_terminal};
use super::{Command, Context, exec};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::terminal::Reception;
use crate::{messages, output};

pub(super) const COMMAND: Command = Command {
    name: "plan",
    summary: "print what 'create', 'restore' or 'exec' would do on this host, changing nothing",
    usage: "[OPTIONS] ID\n   (or: [--format FORMAT] --exec ..., and all that may follow 'exec')",
    options: creation_options!(
        ("--format FORMAT, -f FORMAT", "text (default) or json"),
        ("--image-path DIR", "print what 'restore' from the images in DIR would do"),
        ("--exec", "print what 'exec' would do; the rest of the line is its own"),
    ),
    seals: false,
    run: plan,
};

fn plan(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let mut creation = Creation::default();
    let mut json = false;
    let mut images = None;
    let mut of_exec = None;
    let id = context.one_id(arguments, |flag, arguments| {
        match flag {
            "--format" | "-f" => json = is_json(&arguments.text()?)?,
            "--image-path" => images = Some(arguments.path()?),
            "--exec" => of_exec = Some(exec::plan(context, arguments)?),
            _ => return creation.option(flag, arguments),
        }
        Ok(true)
    });
    let plan = match (of_exec, id) {
        // The name was among the words of `exec`.
        (Some(plan), Err(_)) if creation == Creation::default() && images.is_none() => plan,
        (Some(_), _) => return Err(Failure::Usage(messages::WORDS_BEFORE_EXEC.to_owned())),
        (None, id) => of_creation(context, &id?, &creation, images)?,
    };
    if json {
        output::print_json(&plan.to_json())?
    } else {
        output::print(&plan.to_string())?
    }
    Ok(0)
}

fn of_creation(
    context: &Context,
    id: &ContainerId,
    creation: &Creation,
    images: Option<PathBuf>,
) -> Result<Plan, Failure> {
    let bundle = creation.bundle()?;
    let runtime = context.runtime()?;
    let mut options = creation.options(context.globals.systemd_cgroup, creation::listening());
    if wants_terminal(&bundle) && !creation.has_console_socket() {
        // As `run` does it: nobody should have to invent a socket to see a plan.
        options = options.console_socket(Reception::example(runtime.root()));
    }
    Ok(match images {
        Some(images) => runtime.plan_restore(id, &bundle, &RestoreOptions::new(images).creation(options))?,
        None => runtime.plan(id, &bundle, &options)?,
    })
}

pub(super) fn is_json(format: &str) -> Result<bool, Failure> {
    match format {
        "json" => Ok(true),
        "text" => Ok(false),
        _ => Err(Failure::Usage(messages::BAD_PLAN_FORMAT.to_owned())),
    }
}
