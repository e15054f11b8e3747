//! `plan`: prints what `create` would do on this host, and does nothing of it.

use libcontainer::Plan;

use super::creation::{self, Creation, creation_options};
use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
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
    let options = creation.options(context.globals.systemd_cgroup, creation::listening());
    let plan = context.runtime()?.plan(&id, &bundle, &options)?;
    if json {
        output::print_json(&plan.to_json())?
    } else {
        output::print(&as_text(&plan))?
    }
    Ok(0)
}

fn is_json(format: &str) -> Result<bool, Failure> {
    match format {
        "json" => Ok(true),
        "text" => Ok(false),
        _ => Err(Failure::Usage(messages::BAD_PLAN_FORMAT.to_owned())),
    }
}

/// The plan, then what the user should know about it.
fn as_text(plan: &Plan) -> String {
    let mut text = plan.to_string();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for warning in plan.warnings() {
        text.push_str(&messages::plan_warning(warning));
        text.push('\n');
    }
    text
}
