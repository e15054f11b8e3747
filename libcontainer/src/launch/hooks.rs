//! Hooks that run in the runtime's namespaces, by the calling process.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use libcontainer_init::hook::{Call, run as run_call};
use libcontainer_init::op::{self, Op};
use libcontainer_init::program::CText;
use libcontainer_init::{Fault, Output};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::Status;
use crate::container::record::Stored;
use crate::error::{HookEnd, HookFailure};
use crate::planner::HookState;
use crate::spec::{Hook, HookKind};

/// A hook with its kind and its place among those of its kind.
type Place<'a> = (HookKind, usize, &'a Hook);

/// Runs the hooks of a started container, up to the first that fails.
pub(crate) fn run_poststart(stored: &Stored) -> Result<(), HookFailure> {
    let init = stored.init.map(|init| init.pid);
    let mut hooks = stored.hooks.poststart.iter().enumerate();
    hooks.try_for_each(|(number, hook)| run(stored, (HookKind::Poststart, number, hook), None, init))
}

/// Runs the hooks of a container of which nothing is left but its name. One that fails is a warning.
pub(crate) fn run_poststop(stored: &Stored) {
    for (number, hook) in stored.hooks.poststop.iter().enumerate() {
        if let Err(failure) = run(stored, (HookKind::Poststop, number, hook), None, None) {
            tracing::warn!("container {}: poststop hook #{number} {}: {failure}", stored.id, hook.path);
        }
    }
}

/// Runs a hook in the bundle's folder, with the container's state on its standard input; `init` is the first process.
/// With `container`, a pidfd of that, the hook is ended when the container ends.
pub(super) fn run(
    stored: &Stored,
    (kind, number, hook): Place<'_>,
    container: Option<BorrowedFd<'_>>,
    init: Option<i32>,
) -> Result<(), HookFailure> {
    let status = match kind {
        HookKind::Poststart => Status::Running,
        HookKind::Poststop => Status::Stopped,
        _ => Status::Created,
    };
    let created = HookState::new(&stored.id, &stored.bundle, &stored.annotations);
    let state = HookState { status, pid: init, ..created };
    let mut output = Output::new();
    call(hook, &state, &stored.bundle, container, &mut output).map_err(|fault| HookFailure {
        kind: kind.as_str().to_owned(),
        number,
        path: hook.path.clone(),
        end: end(fault.op as u32, fault.errno),
        output: one_line(output.bytes()),
    })
}

/// How a hook ended, from an operation's number and its errno as the process that ran it tells them.
pub(super) fn end(number: u32, errno: i32) -> HookEnd {
    match op::from_number(number) {
        Some(Op::HookCode) => HookEnd::Code(errno),
        Some(Op::HookSignal) => HookEnd::Signal(errno),
        Some(Op::HookTimeout) => HookEnd::TimedOut(u32::try_from(errno).unwrap_or_default()),
        Some(Op::HookContainer) => HookEnd::ContainerEnded,
        _ => HookEnd::Call { operation: op::name(number), errno },
    }
}

/// What a program printed, as a part of one line: it may hold anything.
pub(super) fn one_line(bytes: impl IntoIterator<Item = u8>) -> String {
    let bytes: Vec<u8> = bytes.into_iter().collect();
    let text = String::from_utf8_lossy(&bytes);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(plain).collect()
}

fn call(
    hook: &Hook,
    state: &HookState<'_>,
    bundle: &Path,
    container: Option<BorrowedFd<'_>>,
    output: &mut Output,
) -> Result<(), Fault> {
    let path = c_string(hook.path.clone())?;
    let argv: Vec<CString> = hook.args.iter().cloned().map(c_string).collect::<Result<_, _>>()?;
    let envp = match &hook.env {
        Some(entries) => entries.iter().cloned().map(c_string).collect::<Result<Vec<_>, _>>()?,
        None => environment(),
    };
    let state = state.to_json();
    let cwd = folder(bundle).map_err(|errno| Fault { op: Op::Chdir, errno: errno.raw_os_error() })?;
    let call = Call {
        path: CText::new(path.as_bytes_with_nul())?,
        argv: &pointers(&argv),
        envp: &pointers(&envp),
        input: state.as_bytes(),
        cwd: Some(cwd.as_raw_fd()),
        timeout: hook.timeout.unwrap_or(0),
        container: container.map(|fd| fd.as_raw_fd()),
    };
    run_call(&call, output)
}

fn c_string(text: impl Into<Vec<u8>>) -> Result<CString, Fault> {
    CString::new(text).map_err(|_| Fault { op: Op::Decode, errno: libc::EINVAL })
}

/// The caller's own environment.
pub(super) fn environment() -> Vec<CString> {
    let entry = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let bytes = [name.into_vec(), value.into_vec()].join(&b'=');
        // The system keeps it in strings that end with NUL, so that there is none inside.
        CString::new(bytes).ok()
    };
    std::env::vars_os().filter_map(entry).collect()
}

pub(super) fn pointers(strings: &[CString]) -> Vec<*const u8> {
    strings.iter().map(|text| text.as_ptr().cast()).chain([std::ptr::null()]).collect()
}

/// The bundle, or the root where somebody has removed the bundle of a container that still has to be deleted.
fn folder(bundle: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(bundle, flags, Mode::empty()).or_else(|_| open("/", flags, Mode::empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_of_a_hook_is_an_end_of_its_own() {
        assert_eq!(end(Op::HookCode as u32, 3), HookEnd::Code(3));
        assert_eq!(end(Op::HookSignal as u32, 9), HookEnd::Signal(9));
        assert_eq!(end(Op::HookTimeout as u32, 5), HookEnd::TimedOut(5));
        assert_eq!(end(Op::HookContainer as u32, libc::ESRCH), HookEnd::ContainerEnded);
        let call = HookEnd::Call { operation: "execve", errno: libc::ENOENT };
        assert_eq!(end(Op::Exec as u32, libc::ENOENT), call);
    }

    #[test]
    fn what_was_printed_stays_on_one_line() {
        assert_eq!(one_line(*b"\n one\ntwo\x1b[31m \xff\n"), "one two [31m \u{fffd}");
    }
}
