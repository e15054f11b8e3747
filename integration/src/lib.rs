//! Drives a built runtime binary from the outside, as its clients do; measures it; runs the project's tasks.
//!
//! The runtime under test is, in this order: `RUNTIME` (any OCI runtime with runc's command line, to
//! check a test itself), `RUNC_SHIM` (a binary that is already built), or a static release build made
//! on demand. `PROBE` names a prebuilt probe in the same way.

pub mod bench;
pub mod clients;
pub mod conformance;
pub mod harness;
pub mod libseccomp;
pub mod xtask;
