//! Netlink messages as bytes: a header, a fixed part that belongs to the kind of message, then attributes.

use rustix::io::{self, Errno};

/// `struct nlmsghdr`: length, kind, flags, sequence, port.
const HEADER: usize = 16;
/// `struct rtattr`: length, kind.
const ATTRIBUTE: usize = 4;
/// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`, which are no part of the kind.
const KIND_MASK: u16 = 0x3fff;

/// A request under construction.
pub(super) struct Request {
    bytes: Vec<u8>,
    kind: u16,
    flags: u16,
}

impl Request {
    /// `fixed` is the part between header and attributes.
    pub(super) fn new(kind: u16, flags: i32, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes.extend_from_slice(fixed);
        Self { bytes, kind, flags: flags as u16 }
    }

    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        // Values are names and numbers, which are far shorter than what 16 bits can count.
        let length = (ATTRIBUTE + value.len()) as u16;
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn with_text(self, kind: u16, text: &str) -> Self {
        self.with(kind, &[text.as_bytes(), b"\0"].concat())
    }

    /// The bytes to be sent, as number `sequence`.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER);
        header.extend((self.bytes.len() as u32).to_ne_bytes());
        header.extend(self.kind.to_ne_bytes());
        header.extend(self.flags.to_ne_bytes());
        header.extend(sequence.to_ne_bytes());
        header.extend([0; 4]);
        self.bytes.splice(..HEADER, header);
        self.bytes
    }
}

/// A message of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// All behind the header.
    pub(super) body: &'a [u8],
}

/// Takes the first message off `bytes`.
pub(super) fn message<'a>(bytes: &mut &'a [u8]) -> io::Result<Message<'a>> {
    let length = u32_at(bytes, 0)? as usize;
    let whole = bytes.get(..length).ok_or(Errno::BADMSG)?;
    let message = Message {
        kind: u16_at(whole, 4)?,
        flags: u16_at(whole, 6)?,
        sequence: u32_at(whole, 8)?,
        body: whole.get(HEADER..).ok_or(Errno::BADMSG)?,
    };
    *bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Ok(message)
}

/// The attributes in `bytes`, by kind.
pub(super) fn attributes(mut bytes: &[u8]) -> io::Result<Vec<(u16, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & KIND_MASK;
        found.push((kind, bytes.get(ATTRIBUTE..length).ok_or(Errno::BADMSG)?));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(found)
}

/// A text without the NUL that the kernel puts behind it.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> io::Result<u32> {
    let four = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(Errno::BADMSG)?;
    Ok(u32::from_ne_bytes(*four))
}

fn u16_at(bytes: &[u8], at: usize) -> io::Result<u16> {
    let two = bytes.get(at..).and_then(<[u8]>::first_chunk).ok_or(Errno::BADMSG)?;
    Ok(u16::from_ne_bytes(*two))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let bytes = Request::new(19, 5, &[1; 8]).with_text(3, "eth0").with(4, &[7; 4]).finish(9);
        assert_eq!(bytes.len() % 4, 0);
        let mut rest = bytes.as_slice();
        let message = message(&mut rest).unwrap();
        assert_eq!((message.kind, message.flags, message.sequence, rest), (19, 5, 9, [].as_slice()));
        let (fixed, attributes) = message.body.split_at(8);
        assert_eq!(fixed, [1; 8]);
        let attributes = super::attributes(attributes).unwrap();
        assert_eq!(attributes, [(3, b"eth0\0".as_slice()), (4, [7; 4].as_slice())]);
        assert_eq!(text(attributes[0].1), "eth0");
    }

    #[test]
    fn two_messages_in_one_buffer() {
        let bytes =
            [Request::new(1, 0, &[1; 5]).finish(1), vec![0; 3], Request::new(2, 0, &[]).finish(2)].concat();
        let mut rest = bytes.as_slice();
        assert_eq!(message(&mut rest).unwrap().body, [1; 5]);
        assert_eq!(message(&mut rest).unwrap().kind, 2);
        assert!(rest.is_empty());
    }

    #[test]
    fn a_message_cut_anywhere_is_an_error() {
        let bytes = Request::new(1, 0, &[1; 8]).with_text(3, "x").finish(1);
        for end in 0..bytes.len() {
            assert_eq!(message(&mut bytes.get(..end).unwrap()), Err(Errno::BADMSG), "{end}");
        }
    }

    #[test]
    fn lengths_that_cannot_be_are_errors() {
        assert_eq!(message(&mut [3_u8, 0, 0, 0].repeat(4).as_slice()), Err(Errno::BADMSG));
        for attribute in [[3, 0, 1, 0], [0, 0, 1, 0], [9, 0, 1, 0]] {
            assert_eq!(attributes(&attribute.map(|byte: u8| byte)), Err(Errno::BADMSG));
        }
        assert_eq!(attributes(&[4]), Err(Errno::BADMSG));
    }
}
