//! The null device, which only its number tells: an image may have replaced `/dev/null` by anything.

use libc::O_PATH;

use crate::op::Op;
use crate::program::{CText, Program};
use crate::slot::ROOT;
use crate::sys::{self, Handle, Stat};
use crate::{Fault, Result, resolve};

const NUMBER: (u32, u32) = (1, 3);

pub(crate) const PATH: CText<'static> = CText::literal(c"/dev/null");

/// Whether the file is the null device.
pub(crate) fn is(stat: &Stat) -> bool {
    stat.is(libc::S_IFCHR) && stat.rdev == NUMBER
}

/// That of the container, found without opening it, which could do something if it were another one: `ENODEV`.
pub(crate) fn find(program: &Program<'_>) -> Result<Handle> {
    let found = resolve::open(program.slot(ROOT)?, PATH, O_PATH)?;
    match is(&sys::stat(found.fd(), CText::literal(c""), 0)?) {
        true => Ok(found),
        false => Err(Fault { op: Op::Verify, errno: libc::ENODEV }),
    }
}
