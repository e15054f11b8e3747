//! The program's first instructions: sealing before anything else costs time.
//!
//! [Sealing](libcontainer::exe::seal) executes the program once more. What a process does until then is done twice,
//! and the start of the C library is the dearest part of it: it asks the processor for its features, which a virtual
//! machine answers slowly. So the linker lets the program begin here (see `build.rs`), before the C library, and a
//! command that needs a sealed executable gets one at once. Whatever is unusual is left to `libcontainer::exe::seal`,
//! which comes later and also tells what went wrong.
//!
//! Nothing is initialised yet: no thread-local storage, so no `errno`; no relocations, so no tables of pointers; and
//! no `memcmp` or `strlen`, of which the C library has yet to choose the fastest. Memory is read by volatile reads,
//! which the compiler does not turn into calls of those.
#![allow(unsafe_code)]

use core::arch::{asm, naked_asm};
use core::ffi::{c_char, c_long};
use core::mem::MaybeUninit;

use libcontainer::exe::{SEALED_ATTRIBUTES, SEALED_FLAGS};

/// Where the kernel starts the program, `rsp` at the argument count (System V ABI for x86-64, 3.4.1). `rdx` belongs to
/// the C library.
#[unsafe(naked)]
// SAFETY: no other symbol has this name; only the kernel or the dynamic loader comes here.
#[unsafe(no_mangle)]
unsafe extern "C" fn runc_shim_entry() -> ! {
    naked_asm!(
        "mov rdi, rsp",
        "push rdx",
        // The ABI wants the stack aligned to 16 bytes at a call.
        "sub rsp, 8",
        "call {seal}",
        "add rsp, 8",
        "pop rdx",
        "jmp _start",
        seal = sym seal,
    )
}

/// Executes the program once more from a read-only mount of its own. Returns if that is not needed or not possible, or if
/// it is done: then nobody can execute the program from there any more.
///
/// # Safety
/// `stack` is the process's first stack pointer.
unsafe extern "C" fn seal(stack: *const usize) {
    // SAFETY: the kernel puts the argument count there, the arguments and a null pointer after it, then the
    // environment, which ends in the same way.
    let (arguments, environment) = unsafe {
        let arguments = stack.add(1).cast::<*const c_char>();
        (arguments, arguments.add(stack.read().wrapping_add(1)))
    };
    // SAFETY: as above.
    if !unsafe { is_needed(arguments) } {
        return;
    }
    let Some(executable) = open_self() else { return };
    if is_mount(executable) {
        // SAFETY: as above.
        if let Some(mount) = unsafe { executed_from(environment) } {
            forbid_execution(mount);
        }
    } else if let Some(mount) = open_mount(executable) {
        if set_attributes(mount, SEALED_ATTRIBUTES) {
            let empty = c"".as_ptr() as usize;
            let at_empty_path = libc::AT_EMPTY_PATH as usize;
            call(libc::SYS_execveat, [mount, empty, arguments as usize, environment as usize, at_empty_path]);
        }
        close(mount);
    }
    // Nothing may stay open: it could have the number of a standard stream that the caller has closed.
    close(executable);
}

/// The descriptor that the program was executed from, if it was one: the kernel names it in place of a path.
///
/// # Safety
/// `environment` is the process's first one, behind which the kernel has put the auxiliary vector (getauxval(3)).
unsafe fn executed_from(mut environment: *const *const c_char) -> Option<usize> {
    // SAFETY: the environment ends with a null pointer, the vector behind it with AT_NULL, and AT_EXECFN is a C string.
    unsafe {
        while !environment.read().is_null() {
            environment = environment.add(1);
        }
        let mut pair = environment.add(1).cast::<[usize; 2]>();
        loop {
            match pair.read() {
                [kind, _] if kind == libc::AT_NULL as usize => return None,
                [kind, value] if kind == libc::AT_EXECFN as usize => return number(value as *const c_char),
                _ => pair = pair.add(1),
            }
        }
    }
}

/// The number in `/dev/fd/NUMBER`.
///
/// # Safety
/// `path` is a C string.
unsafe fn number(path: *const c_char) -> Option<usize> {
    const FOLDER: &[u8] = b"/dev/fd/";
    let mut number = 0usize;
    let mut place = 0usize;
    loop {
        // SAFETY: the loop ends at the NUL.
        let byte = unsafe { path.add(place).read_volatile() } as u8;
        match byte {
            0 if place > FOLDER.len() => return Some(number),
            b'0'..=b'9' if place >= FOLDER.len() => {
                number = number.checked_mul(10)?.checked_add(usize::from(byte - b'0'))?;
            }
            _ if byte == 0 || FOLDER.get(place) != Some(&byte) => return None,
            _ => {}
        }
        place += 1;
    }
}

/// Who gets hold of the executable in a container, as by a script for the interpreter `/proc/self/exe`, could not write to
/// it, but keep the host from executing it: a file that is just being opened for writing, even in vain, is busy. So the
/// container cannot get hold of it.
fn forbid_execution(mount: usize) {
    let mut found = MaybeUninit::<Statfs>::uninit();
    if call(libc::SYS_fstatfs, [mount, found.as_mut_ptr() as usize, 0, 0, 0]).is_none() {
        return;
    }
    // SAFETY: the kernel has filled the structure.
    let flags = unsafe { found.assume_init_ref() }.flags;
    if flags & SEALED_FLAGS == SEALED_FLAGS && set_attributes(mount, libc::MOUNT_ATTR_NOEXEC) {
        close(mount);
    }
}

/// `struct statfs` of the kernel on x86-64. libc's hides the flags.
#[repr(C)]
struct Statfs {
    before: [u64; 10],
    flags: u64,
    spare: [u64; 4],
}

/// Whether a command that makes a process in a container is among the arguments. Something else of such a name costs a
/// needless execution, no more.
///
/// # Safety
/// `arguments` is a null-terminated array of C strings.
unsafe fn is_needed(mut arguments: *const *const c_char) -> bool {
    loop {
        // SAFETY: the loop ends at the null pointer.
        let argument = unsafe { arguments.read() };
        if argument.is_null() {
            return false;
        }
        // SAFETY: it is not null, and so a C string.
        if unsafe { is(argument, b"create") || is(argument, b"run") || is(argument, b"exec") } {
            return true;
        }
        // SAFETY: the null pointer has not been met.
        arguments = unsafe { arguments.add(1) };
    }
}

/// # Safety
/// `argument` is a C string.
unsafe fn is(argument: *const c_char, name: &[u8]) -> bool {
    for (place, byte) in name.iter().enumerate() {
        // SAFETY: all bytes before this one are equal to those of `name`, so the terminating NUL was not among them.
        if unsafe { argument.add(place).read_volatile() } as u8 != *byte {
            return false;
        }
    }
    // SAFETY: as above.
    unsafe { argument.add(name.len()).read_volatile() == 0 }
}

fn open_self() -> Option<usize> {
    let path = c"/proc/self/exe".as_ptr() as usize;
    call(libc::SYS_openat, [libc::AT_FDCWD as usize, path, (libc::O_PATH | libc::O_CLOEXEC) as usize, 0, 0])
}

/// Whether the file is the root of a mount, as it is once this has been done.
fn is_mount(file: usize) -> bool {
    let empty = c"".as_ptr() as usize;
    let mut found = MaybeUninit::<libc::statx>::uninit();
    let place = found.as_mut_ptr() as usize;
    let told = call(libc::SYS_statx, [file, empty, libc::AT_EMPTY_PATH as usize, 0, place]);
    // SAFETY: the kernel has filled the structure if the call succeeded.
    told.is_none()
        || unsafe { found.assume_init_ref() }.stx_attributes & libc::STATX_ATTR_MOUNT_ROOT as u64 != 0
}

/// Stays open for the program that is executed from it: a mount that nobody has open any more can no longer be changed.
fn open_mount(executable: usize) -> Option<usize> {
    let empty = c"".as_ptr() as usize;
    let flags = libc::OPEN_TREE_CLONE | libc::AT_EMPTY_PATH as u32;
    call(libc::SYS_open_tree, [executable, empty, flags as usize, 0, 0])
}

fn set_attributes(mount: usize, set: u64) -> bool {
    let empty = c"".as_ptr() as usize;
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let attributes = (&raw const attributes) as usize;
    let size = size_of::<libc::mount_attr>();
    call(libc::SYS_mount_setattr, [mount, empty, libc::AT_EMPTY_PATH as usize, attributes, size]).is_some()
}

fn close(descriptor: usize) {
    call(libc::SYS_close, [descriptor, 0, 0, 0, 0]);
}

/// A system call; `None` if it failed. Callers pass what the call's man page asks for.
fn call(number: c_long, arguments: [usize; 5]) -> Option<usize> {
    let [a, b, c, d, e] = arguments;
    let result: isize;
    // SAFETY: the instruction changes the named registers and what the pointers among the arguments lead to, which
    // the callers own or which is constant.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    usize::try_from(result).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::COMMANDS;

    fn is_needed_for(line: &[&str]) -> bool {
        let line: Vec<_> = line.iter().map(|word| std::ffi::CString::new(*word).unwrap()).collect();
        let pointers: Vec<_> = line.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
        // SAFETY: the array ends with a null pointer.
        unsafe { is_needed(pointers.as_ptr()) }
    }

    #[test]
    fn every_command_that_seals_is_known_before_the_command_line_is_read() {
        for command in COMMANDS {
            let line = ["runc-shim", "--root", "/r", command.name, "id"];
            assert_eq!(is_needed_for(&line), command.seals, "{}", command.name);
        }
    }

    #[test]
    fn only_the_name_of_a_descriptor_is_one() {
        // SAFETY: a C string.
        let number = |path: &std::ffi::CStr| unsafe { number(path.as_ptr()) };
        assert_eq!(number(c"/dev/fd/3"), Some(3));
        assert_eq!(number(c"/dev/fd/4096"), Some(4096));
        for other in
            [c"", c"/dev/fd/", c"/dev/fd/x", c"/dev/fd/3x", c"/dev/fd/3/runc", c"/dev/fdx3", c"/usr/bin/runc"]
        {
            assert_eq!(number(other), None, "{other:?}");
        }
        assert_eq!(number(c"/dev/fd/99999999999999999999999"), None);
    }

    #[test]
    fn only_a_whole_word_is_a_command() {
        assert!(!is_needed_for(&["runc-shim", "state", "runner"]));
        assert!(!is_needed_for(&["runc-shim", "ru", "creat", ""]));
        assert!(!is_needed_for(&[]));
    }
}
