//! The steps of a container's first process, as data, and the code that executes them.
//!
//! This crate runs in a child that was just forked from a program which may have threads: a lock may be held
//! forever, the allocator may be half-way through its work, a panic could not unwind. So it is `no_std` without
//! `alloc`, calls nothing but `syscall(2)`, and reads only what its parent prepared: steps as plain data, text in
//! one pool, descriptors in numbered slots. The linker can prove it: the release object has no undefined symbol but
//! `syscall`, `__errno_location` and the `mem*` functions (`cargo xtask symbols`).
//!
//! Reading order: [`step`] (what can be done), [`program`] (the pools), `run` (the loop), then one module per kind
//! of step. [`sys`] alone is unsafe.
#![no_std]

pub mod attr;
mod buffer;
mod console;
mod cwd;
mod device;
mod exec;
pub mod hook;
mod ids;
mod kernel;
mod link;
mod mask;
mod mount;
mod null;
pub mod op;
mod output;
mod passwd;
mod pivot;
pub mod program;
mod resolve;
mod run;
pub mod slot;
pub mod step;
pub mod sys;
#[cfg(feature = "fault-injection")]
mod trap;

pub use link::{Message, Record};
pub use mount::filesystem;
pub use output::Output;
pub use program::{List, Program, Text, Words};
pub use resolve::place;
pub use run::run;
pub use slot::Slot;
pub use step::{Entry, Step};

/// A failed operation: which one, and its errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The operation, as a rule the system call.
    pub op: op::Op,
    /// `errno`, or the nearest one for a check of our own.
    pub errno: i32,
}

/// The result of an operation in the child.
pub type Result<T> = core::result::Result<T, Fault>;
