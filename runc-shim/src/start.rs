//! The start as the C library calls it, in place of Rust's own: that reads `/proc/self/maps` and sets up a stack for the
//! handler that tells of a stack overflow, which takes longer than reading the configuration. The rest of what it does
//! is done here.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;
use std::process::abort;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::stdio::{stderr, stdin, stdout};

// SAFETY: there is no other `main`.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, arguments: *const *const c_char) -> c_int {
    fill_streams();
    crate::dispositions::survive_closed_pipes();
    // SAFETY: C gives its `main` such an array.
    crate::run(unsafe { texts(arguments) }).into()
}

/// The arguments: the standard library finds them by itself only with glibc.
///
/// # Safety
/// `array` is a null-terminated array of C strings.
unsafe fn texts(mut array: *const *const c_char) -> Vec<OsString> {
    let mut texts = Vec::new();
    loop {
        // SAFETY: the loop ends at the null pointer.
        let text = unsafe { array.read() };
        if text.is_null() {
            return texts;
        }
        // SAFETY: it is not null, and so a C string; the null pointer has not been met.
        let bytes = unsafe {
            array = array.add(1);
            CStr::from_ptr(text).to_bytes()
        };
        texts.push(OsString::from_vec(bytes.to_vec()));
    }
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
