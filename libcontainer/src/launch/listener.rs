//! The listener of a filter on its way to the agent that decides calls (runtime-spec, "Seccomp", "The container process
//! state"): one connection, one message.

use std::io::IoSlice;
use std::mem::MaybeUninit;

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketType, sendmsg};
use serde::Serialize;

use super::host::connect_to;
use crate::container::record::Stored;
use crate::planner::{Action, HookState, HostStep, Plan};
use crate::seccomp::Listener;
use crate::{Error, Result, Status};

/// What the agent reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessState<'a> {
    oci_version: &'static str,
    /// The names of the descriptors that come with it.
    fds: [&'static str; 1],
    /// The process that has the filter.
    pid: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    metadata: &'a str,
    state: HookState<'a>,
}

/// The agent that the plan sends a listener to.
pub(super) fn of(plan: &Plan) -> Option<Listener> {
    plan.entries().iter().find_map(|entry| match &entry.action {
        Action::Host(HostStep::SendListener(listener)) => Some(listener.clone()),
        _ => None,
    })
}

/// Sends `fd`, which the container's first process got for its filter.
pub(crate) fn send(stored: &Stored, listener: &Listener, status: Status, fd: &OwnedFd) -> Result<()> {
    let pid = stored.init.map(|init| init.pid).ok_or_else(|| failed(listener, Errno::SRCH))?;
    send_of(stored, listener, status, pid, fd)
}

/// As [`send`], for process `pid` of the container.
pub(crate) fn send_of(
    stored: &Stored,
    listener: &Listener,
    status: Status,
    pid: i32,
    fd: &OwnedFd,
) -> Result<()> {
    let created = HookState::new(&stored.id, &stored.bundle, &stored.annotations);
    let state = HookState { status, pid: stored.init.map(|init| init.pid), ..created };
    let oci_version = state.oci_version;
    let message = ProcessState { oci_version, fds: ["seccompFd"], pid, metadata: &listener.metadata, state };
    let message = serde_json::to_vec(&message).map_err(|_| failed(listener, Errno::INVAL))?;
    let socket = connect_to(&listener.path, SocketType::STREAM)
        .map_err(|error| error.context("/linux/seccomp/listenerPath"))?;
    let fds = [fd.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(failed(listener, Errno::NOBUFS));
    }
    let parts = [IoSlice::new(&message)];
    match sendmsg(&socket, &parts, &mut ancillary, SendFlags::NOSIGNAL) {
        Ok(sent) if sent == message.len() => Ok(()),
        Ok(_) => Err(failed(listener, Errno::MSGSIZE)),
        Err(errno) => Err(failed(listener, errno)),
    }
}

fn failed(listener: &Listener, errno: Errno) -> Error {
    let what = format_args!("/linux/seccomp/listenerPath: send to {}", listener.path.display());
    Error::os(what, errno)
}
