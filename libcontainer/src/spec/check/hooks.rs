use std::fmt::Arguments;

use super::{env, text};
use crate::spec::hooks::{Hook, HookKind, Hooks};
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

pub(super) fn hooks(raw: raw::Hooks) -> Checked<Hooks> {
    Ok(Hooks {
        prestart: list(raw.prestart, HookKind::Prestart)?,
        create_runtime: list(raw.create_runtime, HookKind::CreateRuntime)?,
        create_container: list(raw.create_container, HookKind::CreateContainer)?,
        start_container: list(raw.start_container, HookKind::StartContainer)?,
        poststart: list(raw.poststart, HookKind::Poststart)?,
        poststop: list(raw.poststop, HookKind::Poststop)?,
    })
}

fn list(raw: Vec<raw::Hook>, kind: HookKind) -> Checked<Vec<Hook>> {
    text::entries(raw.len(), &format!("/hooks/{}", kind.as_str()))?;
    raw.into_iter().enumerate().map(|(number, raw)| hook(raw, &kind.pointer(number))).collect()
}

fn hook(raw: raw::Hook, pointer: &str) -> Checked<Hook> {
    if raw.path.is_empty() {
        let message = "the program is missing; give its absolute path";
        return Err(Problem::invalid(format_args!("{pointer}/path"), message));
    }
    text::absolute_path(&raw.path, format_args!("{pointer}/path"))?;
    for (index, arg) in raw.args.iter().enumerate() {
        text::c_string(arg, format_args!("{pointer}/args/{index}"))?;
    }
    let env = raw.env.map(|entries| env::env(entries, &format!("{pointer}/env"))).transpose()?;
    let timeout =
        raw.timeout.map(|seconds| timeout(seconds, format_args!("{pointer}/timeout"))).transpose()?;
    let args = if raw.args.is_empty() { vec![raw.path.clone()] } else { raw.args };
    Ok(Hook { path: raw.path, args, env, timeout })
}

/// Far more than a lifetime, and still a number that every timer of the kernel takes.
const LONGEST: u32 = i32::MAX as u32;

fn timeout(seconds: i64, pointer: Arguments<'_>) -> Checked<u32> {
    u32::try_from(seconds).ok().filter(|seconds| (1..=LONGEST).contains(seconds)).ok_or_else(|| {
        let message =
            format!("{seconds} is not a time limit; use 1 to {LONGEST} seconds, or remove it for no limit");
        Problem::invalid(pointer, message)
    })
}
