//! The null device, which only its number tells: an image may have replaced `/dev/null` by anything.

use libc::{O_NOCTTY, O_RDWR};

use crate::program::{CText, Program};
use crate::sys::{Handle, Stat};
use crate::{Result, resolve};

const NUMBER: (u32, u32) = (1, 3);

const PATH: CText<'static> = CText::literal(c"/dev/null");

/// Whether the file is the null device.
pub(crate) fn is(stat: &Stat) -> bool {
    stat.is(libc::S_IFCHR) && stat.rdev == NUMBER
}

/// That of the container, which is not opened: `ENODEV` if it is another one.
pub(crate) fn find(program: &Program<'_>) -> Result<Handle> {
    resolve::find(program, PATH, is)
}

/// Opens it: `ENODEV` if it is another one.
pub(crate) fn open(program: &Program<'_>) -> Result<Handle> {
    resolve::open_checked(program, PATH, O_RDWR | O_NOCTTY, is)
}
