//! The start as the C library calls it, in place of Rust's own: that reads `/proc/self/maps` and sets up a stack for the
//! handler that tells of a stack overflow, which takes longer than reading the configuration. The rest of what it does
//! is done here.
#![allow(unsafe_code)]

use std::process::abort;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::stdio::{stderr, stdin, stdout};

// SAFETY: there is no other `main`. The standard library finds the arguments by itself.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    fill_streams();
    crate::dispositions::survive_closed_pipes();
    crate::run().into()
}

/// A standard stream that the caller has closed becomes the null device: what is opened next would take its number, and
/// be written to.
fn fill_streams() {
    let mut streams =
        [stdin(), stdout(), stderr()].map(|stream| PollFd::from_borrowed_fd(stream, PollFlags::empty()));
    if poll(&mut streams, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_err() {
        return;
    }
    for _ in streams.iter().filter(|stream| stream.revents().contains(PollFlags::NVAL)) {
        // The lowest free number is the one of the stream.
        match open("/dev/null", OFlags::RDWR, Mode::empty()) {
            Ok(null) => std::mem::forget(null),
            Err(_) => abort(),
        }
    }
}
