//! The socket at which a created container waits for `start`.
//!
//! The container's process listens. `start` connects, says go, and reads on: the connection is
//! close-on-exec, so its end without a word means that the program runs, unless the process has
//! ended without executing it; a record names the plan entry that failed. If the filter of the process has a listener,
//! that comes first, and the process waits until `start` has sent it on.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fd::OwnedFd;
use rustix::io::{self, Errno};
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, send,
    socket_with,
};

use libcontainer_init::Record;

use super::store::{Claim, Folder, GATE};
use crate::launch::link::{Heard, hear};
use crate::sys::procfs::own_descriptor;
use crate::{Error, Result};

/// A socket address has room for this many bytes of path, and the NUL.
pub(super) const PATH_LIMIT: usize = 107;

/// What happened after the container was let go.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The connection ended without a word: the program runs, or the process was killed.
    Silent,
    /// Nobody took our word: another `start` was faster, or the process was killed.
    Unheard,
    /// A plan entry failed, and the process is gone; if it was a hook, its last words.
    Failed(Record, Vec<u8>),
    /// The listener of the filter could not be sent to its agent, and the process goes no further.
    NoListener(Error),
}

/// A connection to a container that waits.
#[derive(Debug)]
pub(super) struct Gate(OwnedFd);

impl Claim {
    /// Makes the container's gate; its process is to accept connections from it.
    pub(crate) fn listen(&self) -> Result<OwnedFd> {
        let folder = self.folder();
        let failed =
            |what, errno| Error::os(format_args!("{what} {}", folder.path().join(GATE).display()), errno);
        let socket = socket(SocketFlags::CLOEXEC).map_err(|errno| failed("socket for", errno))?;
        let address = address(folder).map_err(|errno| failed("address of", errno))?;
        bind(&socket, &address).map_err(|errno| failed("bind", errno))?;
        listen(&socket, 1).map_err(|errno| failed("listen at", errno))?;
        Ok(socket)
    }
}

impl Gate {
    /// Connects to the gate; `None` if nobody waits behind it.
    pub(super) fn find(folder: &Folder) -> Result<Option<Self>> {
        match connect_to(folder, SocketFlags::CLOEXEC) {
            Ok(socket) => Ok(Some(Self(socket))),
            Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(None),
            Err(errno) => Err(connect_failed(folder, errno)),
        }
    }

    /// Lets the container go and waits until its program runs or a plan entry has failed. `send_on` gets the listener of
    /// the container's filter, if it has one; the program runs only after that.
    pub(super) fn pass(self, send_on: impl FnOnce(OwnedFd) -> Result<()>) -> Result<Outcome> {
        let mut heard = self.ask();
        if let Ok(Heard::Done(_, Some(listener))) = heard {
            if let Err(error) = send_on(listener) {
                return Ok(Outcome::NoListener(error));
            }
            heard = self.ask();
        }
        match heard {
            Ok(Heard::Closed) => Ok(Outcome::Silent),
            Ok(Heard::Failed(record, output)) => Ok(Outcome::Failed(record, output)),
            Err(Errno::PIPE | Errno::CONNRESET) => Ok(Outcome::Unheard),
            Ok(Heard::Done(..)) => Err(Errno::PROTO),
            Err(errno) => Err(errno),
        }
        .map_err(|errno| Error::os("talk to the container's process", errno))
    }

    fn ask(&self) -> io::Result<Heard> {
        send(&self.0, &Record::go().to_bytes(), SendFlags::NOSIGNAL)?;
        hear(&self.0)
    }
}

/// Whether the container's process still waits: `start` may have been killed after it let the
/// container go and before it removed the gate.
pub(super) fn has_waiter(folder: &Folder) -> Result<bool> {
    match connect_to(folder, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
        // EAGAIN: somebody listens, and has not yet come to accept earlier callers.
        Ok(_) | Err(Errno::AGAIN) => Ok(true),
        Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(false),
        Err(errno) => Err(connect_failed(folder, errno)),
    }
}

fn socket(flags: SocketFlags) -> io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

fn connect_to(folder: &Folder, flags: SocketFlags) -> io::Result<OwnedFd> {
    let socket = socket(flags)?;
    let address = address(folder)?;
    io::retry_on_intr(|| connect(&socket, &address))?;
    Ok(socket)
}

fn connect_failed(folder: &Folder, errno: Errno) -> Error {
    Error::os(format_args!("connect to {}", folder.path().join(GATE).display()), errno)
}

/// The gate's address. There is no `bindat`, so a path that is too long for an address is shortened
/// by way of the folder's descriptor.
fn address(folder: &Folder) -> io::Result<SocketAddrUnix> {
    let path = folder.path().join(GATE);
    if path.as_os_str().as_bytes().len() <= PATH_LIMIT {
        return SocketAddrUnix::new(path);
    }
    SocketAddrUnix::new(PathBuf::from(own_descriptor(folder.dir())).join(GATE))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ContainerId;
    use crate::container::store::claim;
    use rustix::net::{RecvFlags, SocketFlags, accept_with, recv};
    use std::thread;

    /// Waits for somebody who says go, like the container's process.
    pub(crate) fn accept_go(listener: &OwnedFd) -> OwnedFd {
        loop {
            let caller = accept_with(listener, SocketFlags::CLOEXEC).unwrap();
            let mut bytes = [0; Record::SIZE];
            let (length, _) = recv(&caller, &mut bytes, RecvFlags::empty()).unwrap();
            // Who says nothing asks whether anybody waits.
            if length > 0 {
                assert_eq!(Record::from_bytes(&bytes), Record::go());
                return caller;
            }
        }
    }

    /// Closes a listener at once: a child that another test just forked may have a copy of it.
    pub(crate) fn close(listener: &OwnedFd) {
        rustix::net::shutdown(listener, rustix::net::Shutdown::Both).unwrap();
    }

    /// The same, and then answers.
    pub(crate) fn wait_for_go(listener: OwnedFd, answer: Option<Record>) {
        let caller = accept_go(&listener);
        close(&listener);
        if let Some(answer) = answer {
            send(&caller, &answer.to_bytes(), SendFlags::NOSIGNAL).unwrap();
        }
    }

    fn no_listener(_: OwnedFd) -> Result<()> {
        panic!("there is none")
    }

    fn at(depth: usize, play: impl FnOnce(Claim)) {
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("long".repeat(depth));
        let claim = claim(&below, &ContainerId::new("web").unwrap()).unwrap();
        play(claim);
    }

    #[test]
    fn the_program_runs_when_the_connection_ends_without_a_word() {
        // The second root's path does not fit into a socket address.
        for depth in [1, 50] {
            at(depth, |claim| {
                let listener = claim.listen().unwrap();
                let container = thread::spawn(move || wait_for_go(listener, None));
                assert!(has_waiter(claim.folder()).unwrap());
                let gate = Gate::find(claim.folder()).unwrap().unwrap();
                assert!(matches!(gate.pass(no_listener), Ok(Outcome::Silent)));
                container.join().unwrap();
                assert!(!has_waiter(claim.folder()).unwrap());
                assert!(Gate::find(claim.folder()).unwrap().is_none());
                claim.remove().unwrap();
            });
        }
    }

    #[test]
    fn a_failure_behind_the_gate_is_handed_over() {
        at(1, |claim| {
            let failure = Record { kind: Record::FAILED, index: 9, op: 1, errno: 13, pid: 0 };
            let listener = claim.listen().unwrap();
            let container = thread::spawn(move || wait_for_go(listener, Some(failure)));
            let gate = Gate::find(claim.folder()).unwrap().unwrap();
            let outcome = gate.pass(no_listener).unwrap();
            assert!(
                matches!(outcome, Outcome::Failed(record, output) if record == failure && output.is_empty())
            );
            container.join().unwrap();
        });
    }

    #[test]
    fn asking_never_blocks_however_many_asked_before() {
        at(1, |claim| {
            let _listener = claim.listen().unwrap();
            for _ in 0..10 {
                assert!(has_waiter(claim.folder()).unwrap());
            }
        });
    }

    #[test]
    fn a_container_that_dies_unasked_has_not_heard() {
        at(1, |claim| {
            let listener = claim.listen().unwrap();
            let gate = Gate::find(claim.folder()).unwrap().unwrap();
            close(&listener);
            drop(listener);
            assert!(matches!(gate.pass(no_listener), Ok(Outcome::Unheard)));
        });
    }
}
