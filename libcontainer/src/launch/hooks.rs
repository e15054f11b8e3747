//! Hooks that run in the runtime's namespaces, by the calling process.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use libcontainer_init::hook::{Call, run as run_call};
use libcontainer_init::op::Op;
use libcontainer_init::program::CText;
use libcontainer_init::{Fault, Output};
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::hook::{HookEnd, HookFailure, one_line};
use crate::planner::HookState;
use crate::spec::{Hook, HookKind};

/// Runs hook `number` of `kind` in the bundle's folder, with `state` on its standard input. With `container`, a pidfd
/// of the first process, the hook is ended when that ends.
pub(crate) fn run(
    (kind, number, hook): (HookKind, usize, &Hook),
    state: &HookState<'_>,
    bundle: &Path,
    container: Option<BorrowedFd<'_>>,
) -> Result<(), HookFailure> {
    let mut output = Output::new();
    call(hook, state, bundle, container, &mut output).map_err(|fault| HookFailure {
        kind: kind.as_str().to_owned(),
        number,
        path: hook.path.clone(),
        end: HookEnd::from_numbers(fault.op as u32, fault.errno),
        output: one_line(output.bytes()),
    })
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
