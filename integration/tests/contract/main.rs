//! What clients rely on, as runc does it: how they call, what is in place when a command returns, exit codes, texts,
//! formats. docs/contract.md has a row for every statement, and names the tests. `RUNTIME=…/runc` runs the same tests
//! with runc, which proves them; docs/differences.md lists what is deliberately otherwise.
//!
//! What a command does to a container has tests of its own beside these: `commands`, `run`, `lifecycle`, `survival`,
//! `process`, `activation`, `terminal`, `ps`, `pausing`, `bad_input`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod calls;
mod formats;
mod inside;
mod log;
mod order;
mod signals;
mod table;
mod texts;

/// When a test gives up waiting.
fn soon() -> std::time::Instant {
    std::time::Instant::now() + integration::harness::PATIENCE
}
