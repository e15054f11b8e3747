//! The filter tried on what the plan still does under it, before anything is done.
//!
//! The container's process has little left to do when its filter is loaded, but a profile may forbid even that. What
//! would fail then, in a process that perhaps cannot even say so, is an error here.

use libcontainer_init::Step;
use libcontainer_init::step::Instruction;

use super::build::Build;
use super::entry::{Action, Entry, HostStep};
use crate::seccomp::{self, Blocked, Call};
use crate::{Error, ErrorKind, Result};

/// Talking to the host: that the filter is loaded, and that its listener has been sent.
const TURN: [Call; 2] = [call("sendmsg"), call("recvfrom")];
const EXEC: [Call; 1] = [call("execve")];
/// What tells the host that exec failed. Without it the failure has no words.
const LAST_WORDS: [Call; 2] = [call("sendmsg"), call("exit_group")];

const fn call(name: &'static str) -> Call {
    Call { name, args: [0; 6] }
}

/// Tries `filter` on the calls that the entries behind its loading make.
pub(super) fn rehearse(build: &mut Build<'_>, filter: &[Instruction]) -> Result<()> {
    let Some(arch) = seccomp::native_arch() else { return Ok(()) };
    let is_filter = |entry: &Entry| matches!(entry.action, Action::Child(Step::Seccomp { .. }));
    let Some(loaded) = build.entries.iter().position(is_filter) else { return Ok(()) };
    // Nobody listens for a hook, which executes under the filter too.
    let has_hook = build
        .entries
        .iter()
        .any(|entry| matches!(&entry.action, Action::Child(Step::Hook(hook)) if hook.confined));
    let mut may_ask = false;
    for index in loaded + 1..build.entries.len() {
        let calls: &[Call] = match build.entries.get(index).map(|entry| &entry.action) {
            Some(Action::Host(HostStep::SendListener(_))) => &TURN,
            Some(Action::Child(Step::Exec)) => &EXEC,
            _ => &[],
        };
        let mut blocked = seccomp::blocked(filter, arch, calls);
        blocked.retain(|call| !(may_ask && call.is_notified()));
        if let Some(blocked) = blocked.first() {
            return Err(refusal(build, index, *blocked));
        }
        may_ask = !has_hook;
    }
    for blocked in seccomp::blocked(filter, arch, &LAST_WORDS) {
        let message = format!("if the program cannot be executed, nobody will be told why: {blocked}");
        build.warn("/linux/seccomp", message);
    }
    Ok(())
}

fn refusal(build: &Build<'_>, index: usize, blocked: Blocked) -> Error {
    let step = match build.entries.get(index).map(|entry| &entry.action) {
        Some(Action::Host(_)) => "sending the listener",
        _ => "executing the program",
    };
    let pointer = "/linux/seccomp".to_owned();
    let message = format!(
        "{pointer}: the profile forbids what step {index}, {step}, needs: {blocked} (hint: allow {})",
        blocked.name
    );
    Error::new(ErrorKind::InvalidSpec { pointer }, message)
}
