//! Test harness.

pub mod bench;
pub mod xtask;
