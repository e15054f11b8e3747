//! A bus of the tests' own, on a real socket.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};

use zbus::wire::LE;
use zbus::{ObjectPath, Variant};

use super::Socket;
use super::wire::{self, ERROR, Message, RETURN, SIGNAL};

/// A call that has come.
#[derive(Debug)]
pub(in crate::cgroup::systemd) struct Call {
    pub(in crate::cgroup::systemd) serial: u32,
    pub(in crate::cgroup::systemd) name: String,
    pub(in crate::cgroup::systemd) arguments: Vec<Variant<'static>>,
}

/// A bus that answers as a closure says. It takes one connection.
pub(in crate::cgroup::systemd) struct Fake {
    folder: tempfile::TempDir,
    calls: Arc<Mutex<Vec<String>>>,
}

pub(in crate::cgroup::systemd) const HANDSHAKE: &[u8] = b"DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n";
const SYSTEMD: &str = ":1.1";

impl Fake {
    /// A bus that has `answer` write the bytes that follow a call.
    pub(in crate::cgroup::systemd) fn new(answer: impl FnMut(&Call) -> Vec<u8> + Send + 'static) -> Self {
        Self::with(HANDSHAKE, answer)
    }

    pub(in crate::cgroup::systemd) fn with(
        handshake: &'static [u8],
        mut answer: impl FnMut(&Call) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("bus")).unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let told = calls.clone();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            read_handshake(&mut stream);
            stream.write_all(handshake).unwrap();
            while let Some(call) = read_call(&mut stream) {
                told.lock().unwrap().push(call.name.clone());
                let bytes = answer(&call);
                // The client may have heard enough.
                if bytes.is_empty() || stream.write_all(&bytes).is_err() {
                    break;
                }
            }
        });
        Self { folder, calls }
    }

    pub(in crate::cgroup::systemd) fn socket(&self) -> Socket {
        Socket::Path(self.folder.path().join("bus"))
    }

    /// The names of the methods that were called.
    pub(in crate::cgroup::systemd) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

fn read_handshake(stream: &mut UnixStream) {
    let mut heard = Vec::new();
    while !heard.ends_with(b"BEGIN\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        heard.extend(byte);
    }
    assert_eq!(heard, b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
}

fn read_call(stream: &mut UnixStream) -> Option<Call> {
    let mut bytes = vec![0; wire::START];
    stream.read_exact(&mut bytes).ok()?;
    let length = wire::length(bytes.first_chunk().unwrap()).unwrap();
    bytes.resize(length, 0);
    stream.read_exact(&mut bytes[wire::START..]).ok()?;
    let message = Message::parse(&bytes).unwrap();
    Some(Call {
        serial: u32::from_le_bytes(bytes[8..12].try_into().unwrap()),
        name: message.member.clone().unwrap(),
        arguments: message.arguments(&bytes).unwrap(),
    })
}

/// An answer with arguments.
pub(in crate::cgroup::systemd) fn reply(call: &Call, arguments: Vec<Variant<'_>>) -> Vec<u8> {
    let fields = vec![(5, Variant::U32(call.serial)), (7, SYSTEMD.into())];
    wire::message(LE, (RETURN, 1), fields, arguments).unwrap()
}

/// An answer that is an error.
pub(in crate::cgroup::systemd) fn refuse(call: &Call, name: &'static str, text: &'static str) -> Vec<u8> {
    let fields = vec![(5, Variant::U32(call.serial)), (4, name.into()), (7, SYSTEMD.into())];
    wire::message(LE, (ERROR, 1), fields, vec![text.into()]).unwrap()
}

/// The path of job `number`.
pub(in crate::cgroup::systemd) fn job(number: u32) -> Variant<'static> {
    let path = format!("/org/freedesktop/systemd1/job/{number}");
    ObjectPath::try_from(path).unwrap().into()
}

/// The signal of `sender` that job `number` is over.
pub(in crate::cgroup::systemd) fn job_removed(
    number: u32,
    result: &'static str,
    sender: Option<&'static str>,
) -> Vec<u8> {
    let fields = vec![
        (1, ObjectPath::try_from("/org/freedesktop/systemd1").unwrap().into()),
        (2, "org.freedesktop.systemd1.Manager".into()),
        (3, "JobRemoved".into()),
        (7, sender.unwrap_or(SYSTEMD).into()),
    ];
    let arguments = vec![Variant::U32(number), job(number), "x.scope".into(), result.into()];
    wire::message(LE, (SIGNAL, 2), fields, arguments).unwrap()
}
