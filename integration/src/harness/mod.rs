//! Sandboxes with a bundle each, the commands of the runtime run in them, and what must be gone afterwards.
//!
//! A failure here is the failure of a test, so this module panics with what it saw instead of returning errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod build;
mod config;
mod console;
mod container;
mod criu;
mod embed;
mod holder;
mod host;
mod invocation;
mod report;
mod sandbox;
mod stream;

pub use build::{Runtime, copy_probe, probe, runtime};
pub use config::Config;
pub use console::Console;
pub use container::Container;
pub use criu::{criu_has, criu_path};
pub use embed::{Embedder, again, alone, alone_for, alone_with_path, reap_all};
pub use holder::Holder;
pub use host::{
    Host, cgroups_named, has_detached_mounts, kernel, processes_of, wait_until_gone, wait_until_only,
};
pub use invocation::{Invocation, Output, PATIENCE, Running};
pub use report::{Report, errnos};
pub use sandbox::Sandbox;
pub use stream::{Stream, wait_readable};

/// Says on the real standard error (which the test runner does not capture) why a test is not run.
pub fn print_skipped(reason: &str) {
    use std::io::Write;
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    let line = format!("skipped: {test}: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("standard error");
}

/// Ends the test here, saying why: `skip!("needs cgroup v1")`.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)+) => {{
        $crate::harness::print_skipped(&format!($($reason)+));
        return;
    }};
}

/// Skips the test when the runtime under test is the reference `$name`, which is known to behave otherwise.
#[macro_export]
macro_rules! differs_from {
    ($name:literal, $reason:literal) => {
        if $crate::harness::runtime().is($name) {
            $crate::skip!("{} differs: {}", $name, $reason);
        }
    };
}

/// Makes of each function two tests: one on this host's cgroups as they are, one on cgroup v2 alone.
#[macro_export]
macro_rules! on_hosts {
    ($($(#[$attribute:meta])* fn $name:ident($host:ident: Host) $body:block)+) => {$(
        mod $name {
            use super::*;

            fn check($host: $crate::harness::Host) $body

            $(#[$attribute])*
            #[test]
            fn native() {
                check($crate::harness::Host::Native);
            }

            $(#[$attribute])*
            #[test]
            fn v2() {
                check($crate::harness::Host::V2);
            }
        }
    )+};
}
