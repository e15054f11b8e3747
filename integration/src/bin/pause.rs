//! A container that stays until it is killed.
#![no_main]
#![allow(unsafe_code, reason = "the name of `main`, and pause(2)")]

/// Called by the C start-up code.
// SAFETY: no other `main` exists in this program, as `no_main` keeps Rust from making one.
#[unsafe(no_mangle)]
pub extern "C" fn main() -> libc::c_int {
    loop {
        // SAFETY: pause(2) takes no arguments and touches no memory.
        unsafe { libc::pause() };
    }
}
