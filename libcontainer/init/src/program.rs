//! What the parent prepares for its child: steps, and pools that the steps point into.

use crate::op::Op;
use crate::step::{Entry, Instruction};
use crate::{Fault, Result, Slot};

/// A string in the text pool. A NUL follows it there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Offset of its first byte.
    pub start: u32,
    /// Length in bytes, without the NUL.
    pub len: u32,
}

/// A run of numbers in the word pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Offset of the first.
    pub start: u32,
    /// How many.
    pub len: u32,
}

/// A run of pointers to strings, the last of them null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Offset of the first.
    pub start: u32,
    /// How many, the null pointer included.
    pub len: u32,
}

/// A byte string that ends with NUL, as system calls want it.
#[derive(Clone, Copy)]
pub struct CText<'a>(&'a [u8]);

impl<'a> CText<'a> {
    /// Takes bytes whose last one must be NUL. Bytes before it may be NUL too (a list of strings).
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        match bytes.last() {
            Some(0) => Ok(Self(bytes)),
            _ => Err(Fault { op: Op::Decode, errno: libc::EINVAL }),
        }
    }

    /// A C string literal.
    #[must_use]
    pub const fn literal(text: &'a core::ffi::CStr) -> Self {
        Self(text.to_bytes_with_nul())
    }

    /// The bytes before the NUL.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        match self.0.split_last() {
            Some((_, bytes)) => bytes,
            None => &[],
        }
    }

    /// The bytes with the NUL.
    #[must_use]
    pub fn with_nul(self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn as_ptr(self) -> *const u8 {
        self.0.as_ptr()
    }
}

/// Everything a child needs. The memory is the child's copy of its parent's, so nothing here is shared.
pub struct Program<'a> {
    /// The steps of `Enter` and `Init`, in order.
    pub entries: &'a [Entry],
    /// Index of the plan's entry that cloned this child: a gap in the indices is the host's turn.
    pub cloned_by: u32,
    /// The text pool.
    pub text: &'a [u8],
    /// The word pool.
    pub words: &'a [u32],
    /// The seccomp filter.
    pub filter: &'a [Instruction],
    /// Descriptors by slot, -1 where there is none yet.
    pub slots: &'a mut [i32],
    /// Descriptors to keep when all others are closed, in ascending order.
    pub keep: &'a [i32],
    /// The child's end of the socket pair.
    pub link: i32,
    /// The host's end, or -1 if the child closes it before it waits anyway. A child that holds it never learns that the
    /// host was killed.
    pub host_link: i32,
    /// Pointers to the arguments, then a null pointer.
    pub argv: &'a [*const u8],
    /// Pointers to the environment, then a null pointer.
    pub envp: &'a mut [*const u8],
    /// Pointers to the strings of hooks, a null pointer behind each list.
    pub lists: &'a [*const u8],
    /// Pointers to the runtime's own environment, then a null pointer; for hooks that inherit it.
    pub environment: &'a [*const u8],
}

impl<'a> Program<'a> {
    /// The string behind `text`.
    pub fn text(&self, text: Text) -> Result<CText<'a>> {
        let start = text.start as usize;
        let end = start.wrapping_add(text.len as usize).wrapping_add(1);
        match self.text.get(start..end) {
            Some(bytes) => CText::new(bytes),
            None => Err(Fault { op: Op::Decode, errno: libc::EFAULT }),
        }
    }

    /// The numbers behind `words`.
    pub fn words(&self, words: Words) -> Result<&'a [u32]> {
        let start = words.start as usize;
        match self.words.get(start..start.wrapping_add(words.len as usize)) {
            Some(words) => Ok(words),
            None => Err(Fault { op: Op::Decode, errno: libc::EFAULT }),
        }
    }

    /// The pointers behind `list`.
    pub fn list(&self, list: List) -> Result<&'a [*const u8]> {
        let start = list.start as usize;
        match self.lists.get(start..start.wrapping_add(list.len as usize)) {
            Some(pointers) => Ok(pointers),
            None => Err(Fault { op: Op::Decode, errno: libc::EFAULT }),
        }
    }

    /// The descriptor in `slot`.
    pub fn slot(&self, slot: Slot) -> Result<i32> {
        match self.slots.get(slot.0 as usize) {
            Some(&fd) if fd >= 0 => Ok(fd),
            _ => Err(Fault { op: Op::Decode, errno: libc::EBADF }),
        }
    }

    pub(crate) fn fill(&mut self, slot: Slot, fd: i32) -> Result<()> {
        match self.slots.get_mut(slot.0 as usize) {
            Some(place) => {
                *place = fd;
                Ok(())
            }
            None => Err(Fault { op: Op::Decode, errno: libc::EBADF }),
        }
    }
}

/// The strings of a list: each ends with NUL within the text.
pub(crate) fn split(list: CText<'_>) -> impl Iterator<Item = CText<'_>> {
    Split(list.0)
}

struct Split<'a>(&'a [u8]);

impl<'a> Iterator for Split<'a> {
    type Item = CText<'a>;

    fn next(&mut self) -> Option<CText<'a>> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let (item, rest) = self.0.split_at_checked(end.wrapping_add(1))?;
        self.0 = rest;
        Some(CText(item))
    }
}
