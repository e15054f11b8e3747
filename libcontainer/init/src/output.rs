//! What a hook printed, as far as it is kept.

use crate::Result;
use crate::sys::{self, job};

/// The end of what a program printed: errors are told last.
pub struct Output {
    ring: [u8; Self::SIZE],
    /// How many bytes came in all.
    written: usize,
}

impl Output {
    /// How many bytes are kept.
    pub const SIZE: usize = 1024;

    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { ring: [0; Self::SIZE], written: 0 }
    }

    /// What is kept, in order.
    pub fn bytes(&self) -> impl Iterator<Item = u8> {
        let oldest = if self.written > Self::SIZE { self.written % Self::SIZE } else { 0 };
        let end = self.written.min(Self::SIZE);
        let (newer, older) = (self.ring.get(..oldest), self.ring.get(oldest..end));
        older.into_iter().chain(newer).flatten().copied()
    }

    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if let Some(place) = self.ring.get_mut(self.written % Self::SIZE) {
                *place = byte;
            }
            self.written = self.written.wrapping_add(1);
        }
    }

    /// Takes what can be read; `false` at the end.
    pub(crate) fn read(&mut self, pipe: i32) -> Result<bool> {
        let mut chunk = [0; 4096];
        let len = sys::read(pipe, &mut chunk)?;
        self.push(chunk.get(..len).unwrap_or_default());
        Ok(len > 0)
    }

    /// Takes what is in the pipe now: somebody may hold its other end for ever.
    pub(crate) fn drain(&mut self, pipe: i32) -> Result<()> {
        // As much as a pipe holds, lest a writer that never ends keeps us here.
        for _ in 0..16 {
            if !job::is_readable(pipe)? || !self.read(pipe)? {
                break;
            }
        }
        Ok(())
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}
