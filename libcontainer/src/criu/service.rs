//! A criu that serves one request.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::program::Program;
use super::reply::{Notice, Reply};
use super::request::{Kind, Request};
use crate::sys::pidfd::Process;
use crate::sys::raw;
use crate::{Error, ErrorKind, Result};

/// More than any message of criu's has.
const LONGEST: usize = 64 << 10;
/// How long criu may take to end when it has nothing more to do.
const PATIENCE: Duration = Duration::from_secs(10);
/// Descriptors of criu that are not standard streams.
const FIRST: i32 = 3;

/// A running criu, a child of this process. It ends when this is dropped, and is waited for.
#[derive(Debug)]
pub(crate) struct Service {
    /// Absent when the connection is closed.
    socket: Option<OwnedFd>,
    process: Process,
}

/// What criu says.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Something has happened, and criu waits; the descriptor is that of a terminal without master.
    Notice(Notice, Option<OwnedFd>),
    /// What was asked for is done.
    Done,
}

/// What a new criu is given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lent<'a> {
    /// Descriptors besides the connection.
    pub(crate) fds: &'a [BorrowedFd<'a>],
    /// Whether it has our standard streams, for restored processes to inherit; else it has none.
    pub(crate) streams: bool,
}

/// A criu in a mount namespace of its own.
#[derive(Debug)]
pub(crate) struct Started<T> {
    pub(crate) service: Service,
    /// What the preparation gave.
    pub(crate) prepared: T,
    /// The numbers that the lent descriptors have in criu.
    pub(crate) numbers: Vec<i32>,
}

impl Service {
    /// Starts criu among the caller's mounts.
    pub(crate) fn start(program: &Program) -> Result<Self> {
        Self::spawn(program, false, Lent::default(), || Ok(())).map(|started| started.service)
    }

    /// Starts criu in a mount namespace of its own, in which `prepare` makes mounts before: they end with criu, and
    /// nobody else sees them.
    pub(crate) fn start_apart<T: Send>(
        program: &Program,
        lent: Lent<'_>,
        prepare: impl FnOnce() -> Result<T> + Send,
    ) -> Result<Started<T>> {
        Self::spawn(program, true, lent, prepare)
    }

    fn spawn<T: Send>(
        program: &Program,
        mounts: bool,
        lent: Lent<'_>,
        prepare: impl FnOnce() -> Result<T> + Send,
    ) -> Result<Started<T>> {
        let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (ours, theirs) = pair.map_err(|errno| Error::os("socketpair for criu", errno))?;
        let (prepared, (pid, numbers)) = raw::apart(mounts, prepare, |_| {
            let fds = lent.fds.iter().map(inheritable).collect::<Result<Vec<_>>>()?;
            let socket = inheritable(&theirs)?;
            let pid = execute(program, &socket, lent.streams)?;
            Ok((pid, fds.iter().map(AsRawFd::as_raw_fd).collect()))
        })?;
        let process = child(pid)?;
        Ok(Started { service: Self { socket: Some(ours), process }, prepared, numbers })
    }

    /// Starts criu for a question, and gives the answer.
    pub(super) fn ask(program: &Program, question: &Request) -> Result<Reply> {
        let service = Self::start(program)?;
        service.send(question)?;
        let (reply, _) = service.receive(None)?;
        match reply.success {
            true => Ok(reply),
            false => Err(failure(&reply).context(reply.message.unwrap_or_default().trim())),
        }
    }

    /// The process, by another handle.
    pub(crate) fn process(&self) -> Result<Process> {
        let pidfd = fcntl_dupfd_cloexec(&self.process, 0)
            .map_err(|errno| Error::os("duplicate the pidfd of criu", errno))?;
        Process::from_parts(self.process.pid().as_raw_nonzero().get(), pidfd)
    }

    /// Sends a request, or the answer to a notice.
    pub(crate) fn send(&self, request: &Request) -> Result<()> {
        tracing::debug!("to criu: {}", request.message);
        let bytes = request.message.encode();
        let (parts, mut nothing) = ([IoSlice::new(&bytes)], SendAncillaryBuffer::default());
        match sendmsg(self.socket()?, &parts, &mut nothing, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == bytes.len() => Ok(()),
            Ok(_) => Err(Error::os("sendmsg to criu", Errno::MSGSIZE)),
            Err(Errno::PIPE | Errno::CONNRESET) => Err(self.ended()),
            Err(errno) => Err(Error::os("sendmsg to criu", errno)),
        }
    }

    /// Waits for the next notice, or the end of what was asked for.
    pub(crate) fn hear(&self) -> Result<Answer> {
        self.hear_while(None)
    }

    /// As [`Self::hear`], where `first` is a process that criu needs.
    pub(crate) fn hear_while(&self, first: Option<&Process>) -> Result<Answer> {
        let (reply, fd) = self.receive(first)?;
        if !reply.success {
            return Err(failure(&reply));
        }
        if reply.kind == Kind::Notify as u64 {
            tracing::debug!("criu: {:?}", reply.notice);
            return Ok(Answer::Notice(reply.notice, fd));
        }
        Ok(Answer::Done)
    }

    fn receive(&self, first: Option<&Process>) -> Result<(Reply, Option<OwnedFd>)> {
        let mut bytes = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let socket = self.socket()?;
        self.wait_for_words(socket, first)?;
        let message = retry_on_intr(|| {
            recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        });
        let message = match message {
            Ok(message) if message.bytes > 0 => message,
            Ok(_) | Err(Errno::CONNRESET) => return Err(self.ended()),
            Err(errno) => return Err(Error::os("recvmsg from criu", errno)),
        };
        let fd = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        let is_whole = !message.flags.contains(ReturnFlags::TRUNC);
        let reply = Reply::decode(bytes.get(..message.bytes).unwrap_or_default()).filter(|_| is_whole);
        match reply {
            Some(reply) => Ok((reply, fd)),
            None => Err(Error::new(ErrorKind::Criu, "criu says what is no message of its protocol")),
        }
    }

    /// The end of criu is not that of the connection: what it has cloned may hold that still. Nor does criu hear of the end
    /// of `first` in every state that it may be in, and would wait for it then.
    fn wait_for_words(&self, socket: BorrowedFd<'_>, first: Option<&Process>) -> Result<()> {
        let mut ready = self.ready(socket, first, None)?;
        if ready == [false, false, true] {
            let limit = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
            ready = self.ready(socket, None, Some(&limit))?;
        }
        match (ready.as_slice(), first) {
            ([true, ..], _) => Ok(()),
            ([false, false], Some(first)) => {
                let end = first.describe_end();
                let message = format!("criu is silent since the container's first process {end}");
                Err(Error::new(ErrorKind::Criu, message))
            }
            _ => Err(self.ended()),
        }
    }

    /// Which of the connection, criu and `first` have something to tell.
    fn ready(
        &self,
        socket: BorrowedFd<'_>,
        first: Option<&Process>,
        limit: Option<&Timespec>,
    ) -> Result<Vec<bool>> {
        let fds = [socket, self.process.as_fd()].into_iter().chain(first.map(AsFd::as_fd));
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        retry_on_intr(|| poll(&mut fds, limit)).map_err(|errno| Error::os("poll of criu", errno))?;
        Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect())
    }

    fn socket(&self) -> Result<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd).ok_or_else(|| Error::os("connection to criu", Errno::NOTCONN))
    }

    /// The error of a connection that criu has closed.
    fn ended(&self) -> Error {
        match self.process.wait_ended(Some(PATIENCE)) {
            Ok(true) => {
                Error::new(ErrorKind::Criu, format!("criu {} too early", self.process.describe_end()))
            }
            _ => Error::new(ErrorKind::Criu, "criu has closed the connection too early"),
        }
    }
}

impl Drop for Service {
    /// Without a connection criu undoes what it has begun, and ends.
    fn drop(&mut self) {
        self.socket = None;
        if !self.process.wait_ended(Some(PATIENCE)).unwrap_or(false) {
            tracing::warn!("criu does not end, and is killed");
            let _ = self.process.signal(libc::SIGKILL);
            let _ = self.process.wait_ended(Some(PATIENCE));
        }
        let _ = self.process.reap();
    }
}

/// A copy that a program inherits.
fn inheritable(fd: impl AsFd) -> Result<OwnedFd> {
    let copy = fcntl_dupfd_cloexec(fd, FIRST).and_then(|copy| {
        fcntl_setfd(&copy, FdFlags::empty())?;
        Ok(copy)
    });
    copy.map_err(|errno| Error::os("duplicate a descriptor for criu", errno))
}

/// Executes criu with nothing of our environment but where programs are; its pid.
fn execute(program: &Program, socket: &OwnedFd, streams: bool) -> Result<i32> {
    let stream = || if streams { Stdio::inherit() } else { Stdio::null() };
    let mut command = Command::new(&program.file);
    command.args(["swrk", &socket.as_raw_fd().to_string()]).env_clear().env("PATH", &program.path);
    command.stdin(stream()).stdout(stream()).stderr(stream());
    let child = raw::spawn_heedless(&mut command).map_err(|error| {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        Error::os(format_args!("execute {}", program.file.display()), errno)
    })?;
    i32::try_from(child.id()).map_err(|_| Error::os("the pid of criu", Errno::RANGE))
}

/// A child that nobody has waited for.
fn child(pid: i32) -> Result<Process> {
    let failed = |errno| Error::os("pidfd_open of criu", errno);
    let number = Pid::from_raw(pid).ok_or_else(|| failed(Errno::SRCH))?;
    Process::from_parts(pid, pidfd_open(number, PidfdFlags::empty()).map_err(failed)?)
}

/// Its log says more, where it has one.
fn failure(reply: &Reply) -> Error {
    let mut message = "criu failed".to_owned();
    if reply.errno > 0 {
        message.push_str(&format!(": {}", crate::error::describe_errno(reply.errno)));
    }
    Error::new(ErrorKind::Criu, message)
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
