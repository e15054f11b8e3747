//! An allocator that ends any process but the one that it was told of.
#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU32, Ordering};

/// The exit code of a process that allocated and must not.
pub(super) const ALLOCATED: i32 = 99;

/// The process that may allocate; 0 for all.
static OWNER: AtomicU32 = AtomicU32::new(0);

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// From now on only this process may allocate: not its children, until they execute a program.
pub(super) fn begin() {
    OWNER.store(std::process::id(), Ordering::Relaxed);
}

struct Watched;

fn check() {
    let owner = OWNER.load(Ordering::Relaxed);
    if owner != 0 && owner != std::process::id() {
        // SAFETY: _exit runs no code of ours and touches no memory.
        unsafe { libc::_exit(ALLOCATED) };
    }
}

// SAFETY: all is left to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check();
        // SAFETY: our caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        check();
        // SAFETY: our caller keeps the contract, and the block is the system's.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check();
        // SAFETY: our caller keeps the contract, and the block is the system's.
        unsafe { System.realloc(block, layout, size) }
    }
}
