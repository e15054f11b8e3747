//! The shortest container: ends at once with code 0, without even Rust's own start-up.
#![no_main]
#![allow(unsafe_code, reason = "only the name of `main`: the C start-up code calls it")]

/// Called by the C start-up code.
// SAFETY: no other `main` exists in this program, as `no_main` keeps Rust from making one.
#[unsafe(no_mangle)]
pub extern "C" fn main() -> libc::c_int {
    0
}
