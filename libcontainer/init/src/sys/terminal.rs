//! The system calls of terminals.

use core::mem::zeroed;
use core::ptr::from_mut;

use libc::{c_int, c_long};

use super::{Handle, check};
use crate::Result;
use crate::op::Op;

/// `ioctl(2)` on a structure.
///
/// # Safety
/// `T` must be the structure that `request` reads or writes.
pub(crate) unsafe fn ioctl<T>(fd: i32, request: libc::Ioctl, argument: &mut T) -> Result<i32> {
    // SAFETY: by the contract above the kernel stays within `argument`.
    unsafe { call!(Ioctl, SYS_ioctl, fd, request, from_mut(argument)) }.map(|value| value as i32)
}

/// `ioctl(2)` with a number.
pub(crate) fn ioctl_number(fd: i32, request: libc::Ioctl, argument: u64) -> Result<i32> {
    // SAFETY: the requests used (TIOCSCTTY, TIOCGPTPEER, SIOCGSKNS) take a number or nothing, not a pointer.
    unsafe { call!(Ioctl, SYS_ioctl, fd, request, argument) }.map(|value| value as i32)
}

/// Unlocks the terminal behind master side `fd`, sets its size if one is given; returns its number.
pub fn prepare_pty(fd: i32, rows: u16, columns: u16) -> Result<u32> {
    let mut unlock: c_int = 0;
    let mut number: c_int = 0;
    // SAFETY: TIOCSPTLCK reads and TIOCGPTN writes an int.
    unsafe { ioctl(fd, libc::TIOCSPTLCK, &mut unlock) }?;
    // SAFETY: as above.
    unsafe { ioctl(fd, libc::TIOCGPTN, &mut number) }?;
    if rows != 0 || columns != 0 {
        let mut size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: TIOCSWINSZ reads a struct winsize.
        unsafe { ioctl(fd, libc::TIOCSWINSZ, &mut size) }?;
    }
    Ok(number as u32)
}

/// Clears `ONLCR`: a line feed does not become a carriage return and a line feed.
pub fn keep_line_feeds(fd: i32) -> Result<()> {
    // SAFETY: termios is plain data, for which all-zero bytes are a value.
    let mut settings: libc::termios = unsafe { zeroed() };
    // SAFETY: TCGETS writes and TCSETS reads the kernel's struct termios, which is a prefix of libc's.
    unsafe { ioctl(fd, libc::TCGETS, &mut settings) }?;
    settings.c_oflag &= !libc::ONLCR;
    // SAFETY: as above.
    unsafe { ioctl(fd, libc::TCSETS, &mut settings) }.map(drop)
}

/// The other side of the terminal whose master is `master` (`TIOCGPTPEER`): no path is involved.
pub fn pty_peer(master: i32) -> Result<Handle> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    ioctl_number(master, libc::TIOCGPTPEER, flags as u64).map(Handle)
}
