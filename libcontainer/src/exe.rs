//! Sealing of the running executable.
//!
//! Until a container's process executes its own program it runs ours, and whoever is inside the
//! container can reach that file through `/proc/PID/exe`: a root process there could overwrite the
//! runtime on the host (CVE-2019-5736). So the runtime runs from a file that nobody can write to.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{
    AtFlags, CWD, MemfdFlags, Mode, OFlags, SealFlags, StatVfsMountFlags, StatxAttributes, StatxFlags,
    fcntl_add_seals, fcntl_get_seals, fstatvfs, memfd_create, openat, statx,
};
use rustix::io::{self, Errno};
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::sys::procfs::{own_descriptor, own_executable};
use crate::sys::raw;
use crate::{Error, ErrorKind, Result};

const SEALS: SealFlags =
    SealFlags::WRITE.union(SealFlags::GROW).union(SealFlags::SHRINK).union(SealFlags::SEAL);

/// The kernel names a process that was executed from a memfd after it, with this before the name.
const MEMFD_PREFIX: &str = "memfd:";

/// Makes the running executable unreachable for writing from within a container, by executing it once
/// more from a read-only mount of its own that is attached nowhere (or, without the right to make
/// one, from a sealed copy in memory). From that mount nothing can be executed afterwards, so that a
/// script for the interpreter `/proc/self/exe` does not bring the executable into a container. Arguments
/// and environment stay, and so does the process id.
///
/// To be called first in `main`: the process image that was not sealed ends here, with all its other
/// threads. In the sealed one this returns at once; there `/proc/self/exe`, and with it
/// [`std::env::current_exe`], no longer tells where the executable is.
///
/// # Errors
/// [`ErrorKind::Os`] if neither way is possible.
pub fn seal() -> Result<()> {
    if is_sealed() {
        forbid_execution();
        restore_name();
        return Ok(());
    }
    let executable = own_executable()?;
    let sealed = match read_only_mount(&executable) {
        Ok(mount) => mount,
        // EPERM: no CAP_SYS_ADMIN; EINVAL: the file is on a mount of another namespace, or an unbindable one.
        Err(_) => sealed_copy().map_err(|errno| failed("copy it into a sealed memfd", errno))?,
    };
    // The same test decides after the exec whether to do this again: what fails it would never end.
    if !is_unwritable(&sealed) {
        return Err(failed("make it unwritable", Errno::ROFS));
    }
    let arguments = arguments().map_err(|errno| failed("read /proc/self/cmdline", errno))?;
    Err(failed("execveat", raw::execveat(sealed.as_fd(), &arguments, &environment())))
}

/// Whether the running executable is [sealed](seal).
#[must_use]
pub fn is_sealed() -> bool {
    // What a process executes stays the same, and so does what makes it unwritable.
    static SEALED: AtomicBool = AtomicBool::new(false);
    if SEALED.load(Ordering::Relaxed) {
        return true;
    }
    let is_sealed = own_executable().is_ok_and(|executable| is_unwritable(&executable));
    SEALED.store(is_sealed, Ordering::Relaxed);
    is_sealed
}

/// The error of making a container from an executable that is not sealed.
pub(crate) fn require_sealed() -> Result<()> {
    if is_sealed() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Os,
        "a container could overwrite the running executable (CVE-2019-5736): call libcontainer::exe::seal() \
         first in main, or accept that with CreateOptions::allow_unsealed_executable",
    ))
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::os(format_args!("seal the running executable: {what}"), errno)
}

fn is_unwritable(executable: &OwnedFd) -> bool {
    is_read_only_mount(executable) || is_sealed_copy(executable)
}

/// Whether a file is the root of a mount, and that mount is read-only: what [`read_only_mount`] makes.
/// A file that merely lies on a read-only mount does not count: that may be remounted for an update
/// while a container waits for its start. Nothing inside a container can change either property.
fn is_read_only_mount(file: &OwnedFd) -> bool {
    let is_mount_root = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::empty())
        .is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    is_mount_root && fstatvfs(file).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Whether a file is a memfd whose contents can never change: what [`sealed_copy`] makes.
fn is_sealed_copy(file: &OwnedFd) -> bool {
    reopen(file, OFlags::RDONLY).and_then(fcntl_get_seals).is_ok_and(|seals| seals.contains(SEALS))
}

/// Its descriptor is inherited by the program that is executed from it, for a mount that nobody has open any more can no
/// longer be changed.
fn read_only_mount(executable: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_EMPTY_PATH;
    let mount = open_tree(executable, c"", flags)?;
    raw::mount_setattr(mount.as_fd(), SEALED_ATTRIBUTES)?;
    Ok(mount)
}

/// The attributes (`MOUNT_ATTR_*`) of the mount that a sealed program is executed from. But for the first, they are to tell
/// it from any other.
pub const SEALED_ATTRIBUTES: u64 = libc::MOUNT_ATTR_RDONLY
    | libc::MOUNT_ATTR_NODEV
    | libc::MOUNT_ATTR_NODIRATIME
    | libc::MOUNT_ATTR_NOSYMFOLLOW;

/// [`SEALED_ATTRIBUTES`] as statfs(2) tells them (`ST_*`).
pub const SEALED_FLAGS: u64 = libc::ST_RDONLY | libc::ST_NODEV | libc::ST_NODIRATIME | ST_NOSYMFOLLOW;

/// libc does not have it.
const ST_NOSYMFOLLOW: u64 = 0x2000;

/// Nobody can execute the program any more from the mount that it was executed from. Who got hold of the executable in a
/// container, as by a script for the interpreter `/proc/self/exe`, could not write to it, but keep the host from executing
/// it: a file that is just being opened for writing, even in vain, is busy.
fn forbid_execution() {
    raw::close_executed_if(|mount| {
        let is_ours = fstatvfs(mount).is_ok_and(|stat| stat.f_flag.bits() & SEALED_FLAGS == SEALED_FLAGS);
        is_ours && raw::mount_setattr(mount, libc::MOUNT_ATTR_NOEXEC).is_ok()
    });
}

fn sealed_copy() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memfd = match memfd_create(c"sealed", flags | MemfdFlags::EXEC) {
        // Before Linux 6.3 every memfd is executable, and the flag that says so unknown.
        Err(Errno::INVAL) => memfd_create(c"sealed", flags),
        other => other,
    }?;
    let mut source =
        File::from(openat(CWD, c"/proc/self/exe", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
    let mut copy = File::from(memfd);
    std::io::copy(&mut source, &mut copy)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    fcntl_add_seals(&copy, SEALS)?;
    // A file that anybody has open for writing cannot be executed, so the first handle must go.
    reopen(&copy.into(), OFlags::PATH)
}

fn reopen(file: &OwnedFd, flags: OFlags) -> io::Result<OwnedFd> {
    openat(CWD, own_descriptor(file.as_fd()), flags | OFlags::CLOEXEC, Mode::empty())
}

/// From the kernel: the standard library knows them only if the program began in it, except with glibc.
fn arguments() -> io::Result<Vec<CString>> {
    let line = std::fs::read("/proc/self/cmdline");
    let mut line = line.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    // The NUL that ends the last one: behind it there is no other.
    line.pop();
    Ok(line.split(|&byte| byte == 0).filter_map(|argument| CString::new(argument).ok()).collect())
}

fn environment() -> Vec<CString> {
    let variable = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        c_string(name)
    };
    std::env::vars_os().filter_map(variable).collect()
}

/// Drops nothing: what the kernel handed over as a string has no NUL inside.
fn c_string(text: OsString) -> Option<CString> {
    CString::new(text.into_vec()).ok()
}

/// Before Linux 6.14 a file executed by descriptor lends the process the descriptor's number as name,
/// which would tell nobody in `ps` what it is; a memfd still lends its own.
fn restore_name() {
    let Ok(name) = rustix::thread::name() else { return };
    let name = name.to_string_lossy();
    let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number && !name.starts_with(MEMFD_PREFIX) {
        return;
    }
    let program = arguments().ok().and_then(|arguments| arguments.into_iter().next()).unwrap_or_default();
    let file_name = Path::new(OsStr::from_bytes(program.as_bytes())).file_name().map(OsStrExt::as_bytes);
    if let Some(Ok(name)) = file_name.map(CString::new) {
        // Only a name: nothing depends on it.
        let _ = rustix::thread::set_name(&name);
    }
}

#[cfg(test)]
#[path = "exe_tests.rs"]
mod tests;
