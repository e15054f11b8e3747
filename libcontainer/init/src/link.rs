//! The protocol between host and child, and between `start` and a created container: fixed records over a
//! `SOCK_SEQPACKET` socket. A change of actor in the plan is one `Done` and one `Go`; there is nothing else to agree on.

use crate::op::Op;
use crate::output::Output;
use crate::program::Program;
use crate::slot::Slot;
use crate::sys::Handle;
use crate::{Fault, Result, sys};

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// [`Record::GO`], [`Record::LEND`], [`Record::DONE`] or [`Record::FAILED`].
    pub kind: u32,
    /// Index of the plan's entry that it is about; of descriptors, the slot of the first.
    pub index: u32,
    /// Number of an operation (see [`crate::op`]) if failed.
    pub op: u32,
    /// Its errno.
    pub errno: i32,
    /// The new process's pid after `Enter` has cloned; else 0.
    pub pid: i32,
}

impl Record {
    /// The receiver may go on.
    pub const GO: u32 = 1;
    /// All entries up to `index` are done.
    pub const DONE: u32 = 2;
    /// Entry `index` failed; the child is gone.
    pub const FAILED: u32 = 3;
    /// Descriptors come with it, for as many slots from `index` on.
    pub const LEND: u32 = 4;
    /// Bytes on the wire.
    pub const SIZE: usize = 20;
    /// How many descriptors come with one message at most.
    pub const MOST_LENT: usize = sys::MOST_FDS;

    /// The record that lets a waiting child go on.
    #[must_use]
    pub fn go() -> Self {
        Self { kind: Self::GO, index: 0, op: 0, errno: 0, pid: 0 }
    }

    /// The record of a message that brings descriptors for `slot` and those behind it, [`Self::MOST_LENT`] at most.
    #[must_use]
    pub fn lend(slot: Slot) -> Self {
        Self { kind: Self::LEND, index: slot.0.into(), ..Self::go() }
    }

    pub(crate) fn done(index: u32) -> Self {
        Self { kind: Self::DONE, index, op: 0, errno: 0, pid: 0 }
    }

    pub(crate) fn failed(index: u32, fault: Fault) -> Self {
        Self { kind: Self::FAILED, index, op: fault.op as u32, errno: fault.errno, pid: 0 }
    }

    /// As bytes, in the byte order of the machine: both ends are the same program.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let words = [self.kind, self.index, self.op, self.errno as u32, self.pid as u32];
        let mut bytes = [0; Self::SIZE];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            for (to, from) in place.iter_mut().zip(word.to_ne_bytes()) {
                *to = from;
            }
        }
        bytes
    }

    /// From bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let mut words = [0u32; 5];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            let mut raw = [0u8; 4];
            for (to, from) in raw.iter_mut().zip(chunk) {
                *to = *from;
            }
            *word = u32::from_ne_bytes(raw);
        }
        let [kind, index, op, errno, pid] = words;
        Self { kind, index, op, errno: errno as i32, pid: pid as i32 }
    }
}

/// What is sent at once: a record, and behind that of a failed hook what the hook printed.
pub struct Message;

impl Message {
    /// The most bytes that one has.
    pub const SIZE: usize = Record::SIZE + Output::SIZE;

    /// The record, and what is behind it.
    #[must_use]
    pub fn split(message: &[u8]) -> Option<(Record, &[u8])> {
        let (record, output) = message.split_first_chunk()?;
        Some((Record::from_bytes(record), output))
    }
}

pub(crate) fn send_failure(link: i32, record: Record, output: &Output) -> Result<()> {
    let mut bytes = [0; Message::SIZE];
    let mut len = 0usize;
    let all = record.to_bytes().into_iter().chain(output.bytes());
    for (to, from) in bytes.iter_mut().zip(all) {
        *to = from;
        len = len.wrapping_add(1);
    }
    sys::send(link, bytes.get(..len).unwrap_or_default(), None)
}

/// Sends a record, and a descriptor with it.
pub(crate) fn send(link: i32, record: Record, fd: Option<i32>) -> Result<()> {
    sys::send(link, &record.to_bytes(), fd)
}

/// Waits for `Go`, and puts the descriptors that come before it into their slots. It is an error if the other end is
/// closed.
pub(crate) fn await_go(link: i32, program: &mut Program<'_>) -> Result<()> {
    loop {
        let mut bytes = [0; Record::SIZE];
        let (len, fds) = sys::receive(link, &mut bytes)?;
        let record = Record::from_bytes(&bytes);
        match record.kind {
            Record::GO if len == Record::SIZE => return Ok(()),
            Record::LEND if len == Record::SIZE => fill(program, record.index as u16, fds)?,
            _ => {
                return Err(Fault {
                    op: Op::Receive,
                    errno: if len == 0 { libc::EPIPE } else { libc::EPROTO },
                });
            }
        }
    }
}

fn fill(program: &mut Program<'_>, first: u16, fds: impl Iterator<Item = Handle>) -> Result<()> {
    let slots = (first..).map(Slot);
    slots.zip(fds).try_for_each(|(slot, fd)| program.fill(slot, fd.keep()))
}
