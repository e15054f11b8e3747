use std::fmt::Arguments;

use super::{capabilities, env, rlimits, scheduling, text};
use crate::spec::config::{Process, Warning};
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

const DEFAULT_UMASK: u32 = 0o022;

/// The kernel's `NGROUPS_MAX`.
const MAX_GROUPS: usize = 65_536;

pub(super) fn process(raw: raw::Process, warnings: &mut Vec<Warning>) -> Checked<Process> {
    Ok(Process {
        terminal: raw.terminal,
        console_size: raw.console_size.as_ref().map(console_size).transpose()?,
        uid: id(raw.user.uid, format_args!("/process/user/uid"))?,
        gid: id(raw.user.gid, format_args!("/process/user/gid"))?,
        umask: umask(raw.user.umask)?,
        additional_gids: additional_gids(&raw.user.additional_gids)?,
        args: args(raw.args)?,
        env: env::env(raw.env)?,
        cwd: cwd(raw.cwd)?,
        capabilities: capabilities::capabilities(&raw.capabilities, warnings),
        rlimits: rlimits::rlimits(&raw.rlimits)?,
        no_new_privileges: raw.no_new_privileges,
        oom_score_adj: raw.oom_score_adj.map(oom_score_adj).transpose()?,
        apparmor_profile: label(raw.apparmor_profile, format_args!("/process/apparmorProfile"))?,
        selinux_label: label(raw.selinux_label, format_args!("/process/selinuxLabel"))?,
        scheduler: raw.scheduler.as_ref().map(scheduling::scheduler).transpose()?,
        io_priority: raw.io_priority.as_ref().map(scheduling::io_priority).transpose()?,
        exec_affinity: scheduling::exec_affinity(&raw.exec_affinity)?,
    })
}

/// Rows, columns.
fn console_size(raw: &raw::ConsoleSize) -> Checked<(u16, u16)> {
    let side = |value: u64, key: &str| {
        u16::try_from(value).map_err(|_| {
            let message = format!("{value} is too large for a terminal; at most {}", u16::MAX);
            Problem::invalid(format_args!("/process/consoleSize/{key}"), message)
        })
    };
    Ok((side(raw.height, "height")?, side(raw.width, "width")?))
}

/// 2^32 - 1 is refused because setresuid(2) takes it for "leave as it is", which here would be the caller's id.
pub(super) fn id(value: i64, pointer: Arguments<'_>) -> Checked<u32> {
    u32::try_from(value)
        .ok()
        .filter(|id| *id != u32::MAX)
        .ok_or_else(|| Problem::invalid(pointer, format!("{value} is not an id; use 0 to {}", u32::MAX - 1)))
}

fn umask(value: Option<i64>) -> Checked<u32> {
    let Some(value) = value else { return Ok(DEFAULT_UMASK) };
    u32::try_from(value).ok().filter(|mask| *mask <= 0o777).ok_or_else(|| {
        let message = format!("{value} is not a umask; use 0 to 511, which is 0777 in octal");
        Problem::invalid("/process/user/umask", message)
    })
}

fn additional_gids(values: &[i64]) -> Checked<Vec<u32>> {
    text::at_most(MAX_GROUPS, values.len(), "/process/user/additionalGids")?;
    let gid =
        |(index, value): (usize, &i64)| id(*value, format_args!("/process/user/additionalGids/{index}"));
    values.iter().enumerate().map(gid).collect()
}

fn args(args: Vec<String>) -> Checked<Vec<String>> {
    if args.first().is_none_or(String::is_empty) {
        return Err(Problem::invalid(
            "/process/args",
            "no program; give at least its name, for example [\"sh\"]",
        ));
    }
    for (index, arg) in args.iter().enumerate() {
        text::c_string(arg, format_args!("/process/args/{index}"))?;
    }
    Ok(args)
}

fn cwd(cwd: String) -> Checked<String> {
    let pointer = format_args!("/process/cwd");
    if cwd.is_empty() {
        return Err(Problem::invalid(pointer, "the working directory is missing; give for example \"/\""));
    }
    text::absolute_path(&cwd, pointer)?;
    Ok(cwd)
}

fn oom_score_adj(value: i64) -> Checked<i32> {
    i32::try_from(value).ok().filter(|score| (-1000..=1000).contains(score)).ok_or_else(|| {
        Problem::invalid("/process/oomScoreAdj", format!("{value} is out of range; use -1000 to 1000"))
    })
}

fn label(label: String, pointer: Arguments<'_>) -> Checked<Option<String>> {
    text::path(&label, pointer)?;
    Ok(text::present(label))
}
