//! Protocol Buffers as bytes: the few forms of the encoding that criu's messages have.
//!
//! A message is a list of fields, each a number with a value: an integer of variable length, or bytes with their
//! length, which are text or another message.

use std::fmt;

/// A field of a message: its number, and its name for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(pub(super) u32, pub(super) &'static str);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(u64),
    Text(String),
    Message(Message),
}

/// A message that is sent. Prints in the text form of Protocol Buffers, on one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message(Vec<(Key, Value)>);

/// Wire types.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

impl Message {
    /// Adds a field that is on. One that is off says what its absence says.
    pub(super) fn flag(&mut self, key: Key, on: bool) {
        if on {
            self.0.push((key, Value::Number(1)));
        }
    }

    /// Adds a number, which the encoding extends to 64 bits if it is negative.
    pub(super) fn number(&mut self, key: Key, number: impl Into<i64>) {
        self.0.push((key, Value::Number(number.into().cast_unsigned())));
    }

    pub(super) fn text(&mut self, key: Key, text: impl Into<String>) {
        self.0.push((key, Value::Text(text.into())));
    }

    pub(super) fn message(&mut self, key: Key, message: Self) {
        self.0.push((key, Value::Message(message)));
    }

    /// As it is sent.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (Key(number, _), value) in &self.0 {
            match value {
                Value::Number(value) => {
                    varint(&mut bytes, u64::from(*number) << 3 | VARINT);
                    varint(&mut bytes, *value);
                }
                Value::Text(text) => length_delimited(&mut bytes, *number, text.as_bytes()),
                Value::Message(message) => length_delimited(&mut bytes, *number, &message.encode()),
            }
        }
        bytes
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (Key(_, name), value)) in self.0.iter().enumerate() {
            let blank = if place == 0 { "" } else { " " };
            match value {
                Value::Number(number) => write!(f, "{blank}{name}: {}", number.cast_signed())?,
                Value::Text(text) => write!(f, "{blank}{name}: {text:?}")?,
                Value::Message(message) => write!(f, "{blank}{name} {{ {message} }}")?,
            }
        }
        Ok(())
    }
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

fn length_delimited(bytes: &mut Vec<u8>, number: u32, contents: &[u8]) {
    varint(bytes, u64::from(number) << 3 | LENGTH);
    varint(bytes, contents.len() as u64);
    bytes.extend_from_slice(contents);
}

/// The value of a field that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message that was received, in order; `None` if it is none. Fixed-width values, of which criu sends
/// none, are passed over.
pub(super) fn fields(mut bytes: &[u8]) -> Option<Vec<(u32, Received<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = take_varint(&mut bytes)?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number != 0)?;
        match tag & 7 {
            VARINT => fields.push((number, Received::Number(take_varint(&mut bytes)?))),
            LENGTH => {
                let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
                fields.push((number, Received::Bytes(take(&mut bytes, length)?)));
            }
            FIXED64 => drop(take(&mut bytes, 8)?),
            FIXED32 => drop(take(&mut bytes, 4)?),
            _ => return None,
        }
    }
    Some(fields)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Ten groups of seven bits at most, as 64 bits have.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *take(bytes, 1)?.first()?;
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        value |= part << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bytes: &[u8]) -> Option<u64> {
        let mut rest = bytes;
        let value = take_varint(&mut rest)?;
        rest.is_empty().then_some(value)
    }

    #[test]
    fn a_message_has_the_bytes_of_the_encoding() {
        let mut inner = Message::default();
        inner.text(Key(2, "name"), "testing");
        let mut message = Message::default();
        message.number(Key(1, "count"), 150);
        message.flag(Key(4, "on"), true);
        message.flag(Key(5, "off"), false);
        message.message(Key(3, "inner"), inner);
        let expected = b"\x08\x96\x01\x20\x01\x1a\x09\x12\x07testing";
        assert_eq!(message.encode(), expected);
        assert_eq!(message.to_string(), r#"count: 150 on: 1 inner { name: "testing" }"#);
        let mut negative = Message::default();
        negative.number(Key(1, "fd"), -1);
        assert_eq!(negative.encode(), b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(negative.to_string(), "fd: -1");
    }

    #[test]
    fn what_is_sent_is_what_is_received() {
        let mut message = Message::default();
        message.number(Key(7, "n"), i64::MAX);
        message.text(Key(u32::MAX >> 3, "t"), "é");
        let bytes = message.encode();
        let expected = vec![
            (7, Received::Number(i64::MAX.cast_unsigned())),
            (u32::MAX >> 3, Received::Bytes("é".as_bytes())),
        ];
        assert_eq!(fields(&bytes), Some(expected));
        assert_eq!(fields(b""), Some(Vec::new()));
        assert_eq!(fields(b"\x0d\0\0\0\0\x11\0\0\0\0\0\0\0\0\x18\x05"), Some(vec![(3, Received::Number(5))]));
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_no_message() {
        let mut message = Message::default();
        message.text(Key(1, "t"), "text");
        let whole = message.encode();
        for end in 1..whole.len() {
            assert_eq!(fields(&whole[..end]), None, "{end}");
        }
        let wrong: [&[u8]; 6] = [
            b"\x00\x00",
            b"\x0b",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
            b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
            b"\x0d\0",
        ];
        for bytes in wrong {
            assert_eq!(fields(bytes), None, "{bytes:?}");
        }
        assert_eq!(numbers(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Some(u64::MAX));
        assert_eq!(numbers(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            fields(&bytes);
        }
    }
}
