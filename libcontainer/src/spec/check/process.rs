use std::fmt::Arguments;

use super::{capabilities, env, rlimits, scheduling, text};
use crate::spec::config::{Process, Warning};
use crate::spec::exec::Wishes;
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
        env: env::env(raw.env, "/process/env")?,
        cwd: cwd(raw.cwd)?,
        capabilities: capabilities::capabilities(&raw.capabilities.unwrap_or_default(), warnings),
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

/// What `-p` says of a program that is executed in the container whose own process is `model`.
pub(in crate::spec) fn executed(
    raw: raw::Process,
    model: &Process,
    warnings: &mut Vec<Warning>,
) -> Checked<Process> {
    let has_capabilities = raw.capabilities.is_some();
    let has_umask = raw.user.umask.is_some();
    let own = process(raw, warnings)?;
    Ok(Process {
        umask: if has_umask { own.umask } else { model.umask },
        capabilities: if has_capabilities { own.capabilities } else { model.capabilities },
        rlimits: if own.rlimits.is_empty() { model.rlimits.clone() } else { own.rlimits },
        no_new_privileges: own.no_new_privileges || model.no_new_privileges,
        oom_score_adj: own.oom_score_adj.or(model.oom_score_adj),
        apparmor_profile: own.apparmor_profile.or_else(|| model.apparmor_profile.clone()),
        selinux_label: own.selinux_label.or_else(|| model.selinux_label.clone()),
        scheduler: own.scheduler.or(model.scheduler),
        io_priority: own.io_priority.or(model.io_priority),
        exec_affinity: match own.exec_affinity.is_empty() {
            true => model.exec_affinity.clone(),
            false => own.exec_affinity,
        },
        ..own
    })
}

/// What the options of `exec` change of the container's own process.
pub(in crate::spec) fn changed(
    wishes: Wishes,
    model: &Process,
    warnings: &mut Vec<Warning>,
) -> Checked<Process> {
    let added = capabilities::added(&model.capabilities, &wishes.capabilities, warnings);
    let gid = |gid: &u32| id(i64::from(*gid), format_args!("/process/user/additionalGids"));
    let more = wishes.additional_gids.iter().map(gid).collect::<Checked<Vec<u32>>>()?;
    let user =
        |wish: Option<u32>, own: u32| id(i64::from(wish.unwrap_or(own)), format_args!("/process/user"));
    Ok(Process {
        terminal: wishes.terminal,
        console_size: None,
        uid: user(wishes.uid, model.uid)?,
        gid: user(wishes.gid, model.gid)?,
        additional_gids: [model.additional_gids.as_slice(), &more].concat(),
        args: args(wishes.args)?,
        env: env::env([model.env.as_slice(), &wishes.env].concat(), "/process/env")?,
        cwd: wishes.cwd.map_or_else(|| Ok(model.cwd.clone()), cwd)?,
        capabilities: added,
        no_new_privileges: wishes.no_new_privileges || model.no_new_privileges,
        apparmor_profile: wishes.apparmor_profile.or_else(|| model.apparmor_profile.clone()),
        selinux_label: wishes.selinux_label.or_else(|| model.selinux_label.clone()),
        ..model.clone()
    })
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
    if args.is_empty() {
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
