//! Confinement by AppArmor and by SELinux, with the profiles and the policy that the emulated machine has loaded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test may fail

mod apparmor;
mod selinux;

use std::path::Path;

use integration::conformance;
use integration::harness::{print_skipped, runtime};

/// Runs a test of the OCI's validation suite, which `SUITE` is the folder of.
///
/// The suite reads no label back, so it passes wherever the runtime takes the label: here, that the kernel takes it, too.
fn the_suite_is_content(test: &str) {
    let folder = std::env::var("SUITE").unwrap_or_default();
    if !Path::new(&folder).join(test).exists() {
        return print_skipped("the validation suite is not there: `cargo xtask conformance` gets it");
    }
    if let Err(error) = conformance::check(Path::new(&folder), runtime().path(), test) {
        panic!("{error}");
    }
}
