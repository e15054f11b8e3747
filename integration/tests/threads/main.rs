//! The library in programs with many threads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod busy;
mod exec;
mod parallel;
mod torture;
