//! Text built in the child, on its stack.

use crate::op::Op;
use crate::program::CText;
use crate::{Fault, Result};

/// `PATH_MAX`: longer paths cannot be given to the kernel anyway.
pub(crate) const PATH_MAX: usize = 4096;

pub(crate) struct Buffer {
    bytes: [u8; PATH_MAX],
    len: usize,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; PATH_MAX], len: 0 }
    }

    pub(crate) fn from(parts: &[&[u8]]) -> Result<Self> {
        let mut buffer = Self::new();
        for part in parts {
            buffer.push(part)?;
        }
        Ok(buffer)
    }

    /// Appends; one byte is always left for the NUL.
    pub(crate) fn push(&mut self, part: &[u8]) -> Result<()> {
        let end = self.len.wrapping_add(part.len());
        if end >= PATH_MAX {
            return Err(Fault { op: Op::Decode, errno: libc::ENAMETOOLONG });
        }
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            for (to, from) in place.iter_mut().zip(part) {
                *to = *from;
            }
        }
        self.len = end;
        Ok(())
    }

    /// Appends a number in decimal.
    pub(crate) fn push_number(&mut self, number: u32) -> Result<()> {
        let mut digits = [0; 10];
        let mut rest = number;
        let mut len = 0;
        for place in digits.iter_mut().rev() {
            *place = b'0'.wrapping_add((rest % 10) as u8);
            rest /= 10;
            len += 1;
            if rest == 0 {
                break;
            }
        }
        self.push(digits.get(digits.len().wrapping_sub(len)..).unwrap_or_default())
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        if let Some(rest) = self.bytes.get_mut(len..) {
            for byte in rest.iter_mut().take(self.len.saturating_sub(len)) {
                *byte = 0;
            }
        }
        self.len = self.len.min(len);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn text(&self) -> Result<CText<'_>> {
        match self.bytes.get(..self.len.wrapping_add(1)) {
            Some(bytes) => CText::new(bytes),
            None => Err(Fault { op: Op::Decode, errno: libc::ENAMETOOLONG }),
        }
    }

    /// The whole space, to be filled by a system call that then tells the length to [`Self::set_len`].
    pub(crate) fn space(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..PATH_MAX - 1).unwrap_or_default()
    }

    pub(crate) fn set_len(&mut self, len: usize) {
        self.len = len.min(PATH_MAX - 1);
        if let Some(end) = self.bytes.get_mut(self.len) {
            *end = 0;
        }
    }
}
