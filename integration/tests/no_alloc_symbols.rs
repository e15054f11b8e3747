//! The container's first process runs between clone and exec of a program that may have threads: it must not
//! allocate, lock or unwind. Its release object shows it.

use integration::xtask::symbols;

#[test]
fn the_first_process_needs_nothing_but_system_calls() {
    let symbols = symbols::check().unwrap();
    assert!(symbols.undefined.contains_key("syscall"), "it makes no system call at all: {symbols:?}");
}
