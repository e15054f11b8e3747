//! A client of D-Bus that can do what a runtime needs, blocking and without threads: connect, call, and watch for one
//! kind of signal.

mod address;
mod wire;

#[cfg(test)]
pub(super) mod fake;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};
use zbus::Variant;

pub(super) use address::{Socket, sockets};
use wire::{ERROR, Message, RETURN, SIGNAL};
pub(super) use wire::{Method, list, tuple, variant};

/// How long an answer may take: systemd answers nobody while it reloads its units, which takes a minute on busy hosts.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest line of a handshake that makes sense.
const LONGEST_LINE: usize = 16 << 10;

/// The bus itself.
const HELLO: Method = Method {
    owner: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    name: "Hello",
};

/// Why something could not be had from a bus.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A system call failed.
    Call(&'static str, Errno),
    /// Nobody answered in time.
    Late,
    /// The other end has hung up.
    Closed,
    /// It does not let us in.
    Refused(String),
    /// It does not keep to the protocol.
    Garbled(String),
    /// It answers with an error: its name and what it says.
    Error(String, String),
}

/// A signal that was waited for.
#[derive(Debug)]
pub(super) struct Signal {
    pub(super) sender: Option<String>,
    pub(super) arguments: Vec<Variant<'static>>,
}

/// An answer to a call.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) sender: Option<String>,
    pub(super) arguments: Vec<Variant<'static>>,
}

/// A connection to a bus, or to a process that answers like one.
#[derive(Debug)]
pub(super) struct Bus {
    socket: OwnedFd,
    /// Whether there is a bus in between, so that owners must be named.
    on_bus: bool,
    serial: u32,
    received: Vec<u8>,
    /// Interface and member of the signals that are kept.
    watched: (&'static str, &'static str),
    signals: Vec<Signal>,
    deadline: Instant,
}

impl Bus {
    /// Connects and introduces itself; keeps the signals `watched` (interface and member) from then on.
    pub(super) fn connect(
        place: &Socket,
        on_bus: bool,
        watched: (&'static str, &'static str),
    ) -> Result<Self, Trouble> {
        let socket = open(place)?;
        let (received, signals) = (Vec::new(), Vec::new());
        let deadline = Instant::now() + PATIENCE;
        let mut bus = Self { socket, on_bus, serial: 0, received, watched, signals, deadline };
        bus.authenticate()?;
        if on_bus {
            bus.call(HELLO, Vec::new())?;
        }
        Ok(bus)
    }

    /// Has the kernel say who we are (EXTERNAL). Naming a user of ours instead would be wrong in a user namespace.
    ///
    /// All of it is sent at once, and nothing before the answer: systemd would leave what it reads together with the
    /// `BEGIN` lie until more comes.
    fn authenticate(&mut self) -> Result<(), Trouble> {
        self.send(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")?;
        loop {
            let line = self.line()?;
            let word = line.split(' ').next().unwrap_or_default();
            match word {
                "DATA" => {}
                "OK" => return Ok(()),
                "REJECTED" | "ERROR" => return Err(Trouble::Refused(line)),
                _ => return Err(Trouble::Garbled(format!("{line:?} is no answer to a handshake"))),
            }
        }
    }

    fn line(&mut self) -> Result<String, Trouble> {
        loop {
            if let Some(end) = self.received.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.received.drain(..end + 2).take(end).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if self.received.len() > LONGEST_LINE {
                return Err(Trouble::Garbled("the handshake has a line without end".to_owned()));
            }
            self.receive()?;
        }
    }

    /// Calls a method and waits for the answer. Watched signals that come before it are kept.
    pub(super) fn call(&mut self, method: Method, arguments: Vec<Variant<'_>>) -> Result<Answer, Trouble> {
        self.deadline = Instant::now() + PATIENCE;
        self.serial = self.serial.wrapping_add(1).max(1);
        let serial = self.serial;
        let bytes = wire::call(method, serial, self.on_bus, arguments).map_err(Trouble::Garbled)?;
        self.send(&bytes)?;
        loop {
            let (message, bytes) = self.message()?;
            if message.reply_to != Some(serial) {
                continue;
            }
            let arguments = message.arguments(&bytes).map_err(Trouble::Garbled)?;
            match message.kind {
                RETURN => return Ok(Answer { sender: message.sender, arguments }),
                ERROR => return Err(error(message.error, &arguments)),
                _ => {}
            }
        }
    }

    /// The next watched signal, as long as the patience of the last call lasts anew.
    pub(super) fn signal(&mut self) -> Result<Signal, Trouble> {
        self.deadline = Instant::now() + PATIENCE;
        while self.signals.is_empty() {
            self.message()?;
        }
        Ok(self.signals.remove(0))
    }

    /// Reads one message with its bytes; a watched signal is put aside.
    fn message(&mut self) -> Result<(Message, Vec<u8>), Trouble> {
        let start = loop {
            match self.received.first_chunk::<{ wire::START }>() {
                Some(start) => break *start,
                None => self.receive()?,
            }
        };
        let length = wire::length(&start).map_err(Trouble::Garbled)?;
        while self.received.len() < length {
            self.receive()?;
        }
        let bytes: Vec<u8> = self.received.drain(..length).collect();
        let message = Message::parse(&bytes).map_err(Trouble::Garbled)?;
        let is_watched = message.kind == SIGNAL
            && message.interface.as_deref() == Some(self.watched.0)
            && message.member.as_deref() == Some(self.watched.1);
        if is_watched {
            let arguments = message.arguments(&bytes).map_err(Trouble::Garbled)?;
            self.signals.push(Signal { sender: message.sender.clone(), arguments });
        }
        Ok((message, bytes))
    }

    fn send(&self, mut bytes: &[u8]) -> Result<(), Trouble> {
        while !bytes.is_empty() {
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Ok(sent) => bytes = bytes.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(Trouble::Late),
                Err(Errno::PIPE | Errno::CONNRESET) => return Err(Trouble::Closed),
                Err(errno) => return Err(Trouble::Call("send", errno)),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), Trouble> {
        self.wait()?;
        let mut buffer = [0; 4096];
        match recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) | Err(Errno::CONNRESET) => Err(Trouble::Closed),
            Ok((_, count)) => {
                self.received.extend(buffer.iter().take(count));
                Ok(())
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(()),
            Err(errno) => Err(Trouble::Call("recv", errno)),
        }
    }

    fn wait(&self) -> Result<(), Trouble> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| Trouble::Late)?;
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => Err(Trouble::Late),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(Trouble::Call("poll", errno)),
        }
    }
}

fn open(place: &Socket) -> Result<OwnedFd, Trouble> {
    let failed = |call| move |errno| Trouble::Call(call, errno);
    let address = match place {
        Socket::Path(path) => SocketAddrUnix::new(path),
        Socket::Abstract(name) => SocketAddrUnix::new_abstract_name(name),
    };
    let address = address.map_err(failed("connect"))?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map_err(failed("socket"))?;
    // Holds for connecting as well, where a queue of others may be full.
    set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE)).map_err(failed("setsockopt"))?;
    connect(&socket, &address).map_err(failed("connect"))?;
    Ok(socket)
}

fn error(name: Option<String>, arguments: &[Variant<'_>]) -> Trouble {
    let said = match arguments.first() {
        Some(Variant::Str(text)) => text.as_str().to_owned(),
        _ => String::new(),
    };
    Trouble::Error(name.unwrap_or_default(), said)
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Call(call, errno) => {
                write!(f, "{call}: {}", crate::error::describe_errno(errno.raw_os_error()))
            }
            Self::Late => write!(f, "no answer within {} s", PATIENCE.as_secs()),
            Self::Closed => f.write_str("the connection was closed"),
            Self::Refused(line) => write!(f, "the connection was refused: {line}"),
            Self::Garbled(what) => write!(f, "not D-Bus as it should be: {what}"),
            Self::Error(name, said) if said.is_empty() => f.write_str(name),
            Self::Error(name, said) => write!(f, "{said} ({name})"),
        }
    }
}
