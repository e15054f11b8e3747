use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use zbus::wire::{BE, LE};

use super::fake::{Fake, HANDSHAKE, reply};
use super::*;
use crate::cgroup::systemd::value::{Type, Value};

const WATCHED: (&str, &str) = ("org.freedesktop.DBus", "NameAcquired");
const PING: Method = Method { owner: "org.x", path: "/a", interface: "org.x.Y", name: "Ping" };

fn ping(fake: &Fake) -> Result<Answer, Trouble> {
    Bus::connect(&fake.socket(), false, WATCHED)?.call(PING, vec!["a".into()])
}

#[test]
fn a_call_has_the_bytes_that_the_specification_says() {
    let bytes = wire::call(PING, 0x0102, true, vec!["hi".into(), Variant::Bool(true)]).unwrap();
    let mut expected = b"l\x01\0\x01\x0c\0\0\0\x02\x01\0\0".to_vec();
    expected.extend(b"\x44\0\0\0");
    expected.extend(b"\x01\x01o\0\x02\0\0\0/a\0\0\0\0\0\0");
    expected.extend(b"\x02\x01s\0\x07\0\0\0org.x.Y\0");
    expected.extend(b"\x03\x01s\0\x04\0\0\0Ping\0\0\0\0");
    expected.extend(b"\x06\x01s\0\x05\0\0\0org.x\0\0\0");
    expected.extend(b"\x08\x01g\0\x02sb\0");
    // Nothing to fill up: the head ends at a multiple of eight.
    expected[12] = u8::try_from(expected.len() - 16).unwrap();
    while !expected.len().is_multiple_of(8) {
        expected.push(0);
    }
    expected.extend(b"\x02\0\0\0hi\0\0\x01\0\0\0");
    assert_eq!(bytes, expected);
}

#[test]
fn answers_of_both_byte_orders_are_read() {
    for order in [LE, BE] {
        let fields = vec![(5, Variant::U32(7)), (7, ":1.9".into())];
        let arguments = vec!["text".into(), Variant::U64(5)];
        let bytes = wire::message(order, (RETURN, 3), fields, arguments.clone_all()).unwrap();
        assert_eq!(wire::length(bytes.first_chunk().unwrap()), Ok(bytes.len()));
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(
            (message.kind, message.reply_to, message.sender.as_deref()),
            (RETURN, Some(7), Some(":1.9"))
        );
        assert_eq!(message.arguments(&bytes).unwrap(), arguments);
    }
}

trait CloneAll {
    fn clone_all(&self) -> Self;
}

impl CloneAll for Vec<Variant<'static>> {
    fn clone_all(&self) -> Self {
        self.iter().map(|value| value.try_clone().unwrap()).collect()
    }
}

#[test]
fn values_of_every_type_are_said() {
    let nested = Value::Array(Type::Tuple(vec![Type::Text, Type::U64]), vec![]);
    let values = [
        (Value::Bool(true), "b"),
        (Value::Byte(1), "y"),
        (Value::I16(1), "n"),
        (Value::U16(1), "q"),
        (Value::I32(1), "i"),
        (Value::U32(1), "u"),
        (Value::I64(1), "x"),
        (Value::U64(1), "t"),
        (Value::F64(1.0), "d"),
        (Value::Text("x".into()), "s"),
        (Value::from(&[1u8, 2][..]), "ay"),
        (nested, "a(st)"),
        (Value::pairs([("a".to_owned(), Value::Text("rw".into()))], Type::Text), "a(ss)"),
        (Value::Tuple(vec![Value::Bool(true), Value::Array(Type::Text, vec![])]), "(bas)"),
    ];
    for (value, signature) in values {
        let said = variant(&value).unwrap();
        assert_eq!(said.value_signature().to_string(), signature, "{value:?}");
    }
}

#[test]
fn an_answer_is_told_from_what_comes_before_it() {
    let fake = Fake::new(|call| {
        let other = fake::Call { serial: call.serial + 1, name: String::new(), arguments: Vec::new() };
        let mut bytes = reply(&other, vec!["wrong".into()]);
        bytes.extend(fake::job_removed(1, "done", None));
        bytes.extend(reply(call, vec!["right".into()]));
        bytes
    });
    assert_eq!(ping(&fake).unwrap().arguments, [Variant::from("right")]);
}

#[test]
fn an_error_has_its_name_and_its_words() {
    let fake = Fake::new(|call| fake::refuse(call, "org.x.Error", "no"));
    assert_eq!(ping(&fake).unwrap_err().to_string(), "no (org.x.Error)");
}

#[test]
fn who_is_not_let_in_says_so() {
    let fake = Fake::with(b"REJECTED EXTERNAL\r\n", |_| Vec::new());
    assert_eq!(ping(&fake).unwrap_err().to_string(), "the connection was refused: REJECTED EXTERNAL");
    let fake = Fake::with(b"220 smtp\r\n", |_| Vec::new());
    assert!(matches!(ping(&fake), Err(Trouble::Garbled(_))));
    let endless = [b'x'; LONGEST_LINE + 5000];
    let fake = Fake::with(Box::leak(Box::new(endless)), |_| Vec::new());
    assert!(matches!(ping(&fake), Err(Trouble::Garbled(_))));
}

#[test]
fn the_end_of_a_connection_is_no_answer() {
    let fake = Fake::new(|_| Vec::new());
    assert!(matches!(ping(&fake), Err(Trouble::Closed)));
    // In the middle of a message, too.
    let mut cut = false;
    let fake = Fake::new(move |call| {
        let mut bytes = reply(call, vec!["x".into()]);
        bytes.truncate(if std::mem::replace(&mut cut, true) { 0 } else { 20 });
        bytes
    });
    let mut bus = Bus::connect(&fake.socket(), false, WATCHED).unwrap();
    bus.send(&wire::call(PING, 9, false, vec![]).unwrap()).unwrap();
    assert!(matches!(bus.call(PING, Vec::new()), Err(Trouble::Closed)));
}

#[test]
fn what_is_no_message_is_refused() {
    let hostile: [&[u8]; 5] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        // Another version, a body of 4 GiB, fields of 4 GiB, and a head that does not keep its promise.
        b"l\x02\0\x02\0\0\0\0\x01\0\0\0\0\0\0\0",
        b"l\x02\0\x01\xff\xff\xff\xff\x01\0\0\0\0\0\0\0",
        b"l\x02\0\x01\0\0\0\0\x01\0\0\0\xff\xff\xff\xff",
        b"l\x02\0\x01\0\0\0\0\x01\0\0\0\x10\0\0\0\x05\x01u\0\x01\0\0\0\x07\xffs\0\xff\xff\xff\x7f",
    ];
    for bytes in hostile {
        let fake = Fake::new(move |_| bytes.to_vec());
        assert!(matches!(ping(&fake), Err(Trouble::Garbled(_))), "{bytes:?}");
    }
}

#[test]
fn a_body_that_is_not_what_its_signature_says_is_refused() {
    let fake = Fake::new(|call| {
        let mut bytes = reply(call, vec!["0123456789".into()]);
        let at = bytes.len() - 15;
        // The length of the text.
        bytes[at] = 0xff;
        bytes
    });
    assert!(matches!(ping(&fake), Err(Trouble::Garbled(_))));
}

#[test]
fn nobody_is_reached_where_nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = Socket::Path(folder.path().join("bus"));
    let trouble = Bus::connect(&nobody, false, WATCHED).unwrap_err();
    assert!(matches!(trouble, Trouble::Call("connect", Errno::NOENT)), "{trouble}");
}

/// dbus-daemon is strict with the handshake and with messages.
#[test]
fn a_real_bus_understands() {
    let daemon = Command::new("dbus-daemon")
        .args(["--session", "--nofork", "--nopidfile", "--print-address"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut daemon) = daemon else {
        println!("skipped: dbus-daemon is not installed");
        return;
    };
    let mut address = String::new();
    BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let places = sockets(address.trim());
    let result = std::panic::catch_unwind(|| {
        let mut bus = Bus::connect(&places[0], true, WATCHED).unwrap();
        let ask = |name| Method { name, ..HELLO };
        let owner = bus.call(ask("GetNameOwner"), vec!["org.freedesktop.DBus".into()]).unwrap();
        assert_eq!(owner.arguments, [Variant::from("org.freedesktop.DBus")]);
        let own = bus.signal().unwrap();
        assert_eq!(own.sender.as_deref(), Some("org.freedesktop.DBus"));
        let trouble = bus.call(PING, vec!["a".into()]).unwrap_err();
        assert!(trouble.to_string().contains("ServiceUnknown"), "{trouble}");
        assert!(bus.call(ask("Hello"), Vec::new()).unwrap_err().to_string().contains("Already handled"));
    });
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    result.unwrap();
}

proptest! {
    #[test]
    fn no_message_panics(changes in proptest::collection::vec((0usize..200, any::<u8>()), 1..6)) {
        let call = fake::Call { serial: 1, name: String::new(), arguments: Vec::new() };
        let mut bytes = reply(&call, vec!["text".into(), Variant::U64(1), list("s", std::iter::empty()).unwrap()]);
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let length = wire::length(bytes.first_chunk().unwrap());
        if let (Ok(message), Ok(_)) = (Message::parse(&bytes), length) {
            // What can be read is read, and what cannot is an error.
            message.arguments(&bytes).ok();
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 16..200)) {
        wire::length(bytes.first_chunk().unwrap()).ok();
        if let Ok(message) = Message::parse(&bytes) {
            message.arguments(&bytes).ok();
        }
    }

    #[test]
    fn no_handshake_panics(line in proptest::collection::vec(any::<u8>(), 0..40)) {
        let handshake: &'static [u8] = Box::leak([&line[..], b"\r\n"].concat().into_boxed_slice());
        let fake = Fake::with(handshake, |_| Vec::new());
        prop_assert!(ping(&fake).is_err());
    }
}

#[test]
fn the_whole_handshake_is_read() {
    assert!(HANDSHAKE.ends_with(b"\r\n"));
    let fake = Fake::new(|call| reply(call, Vec::new()));
    assert!(ping(&fake).unwrap().arguments.is_empty());
}
