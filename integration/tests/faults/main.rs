//! Failures at every step of real plans, and kills of either side: each is told exactly, and leaves nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod bundles;
mod exec;
mod fail;
mod gate;
mod kill_child;
mod kill_host;
mod trap;
mod watch;
