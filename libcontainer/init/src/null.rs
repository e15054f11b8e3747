//! The null device, which only its number tells: an image may have replaced `/dev/null` by anything.

use libc::{O_NOCTTY, O_PATH, O_RDWR};

use crate::op::Op;
use crate::program::{CText, Program};
use crate::slot::ROOT;
use crate::sys::{self, Handle, Stat};
use crate::{Fault, Result, resolve};

const NUMBER: (u32, u32) = (1, 3);

const PATH: CText<'static> = CText::literal(c"/dev/null");

/// Whether the file is the null device.
pub(crate) fn is(stat: &Stat) -> bool {
    stat.is(libc::S_IFCHR) && stat.rdev == NUMBER
}

/// That of the container, found without opening it, which could do something if it were another one: `ENODEV`.
pub(crate) fn find(program: &Program<'_>) -> Result<Handle> {
    checked(resolve::open(program.slot(ROOT)?, PATH, O_PATH)?)
}

/// Opens it. An image can lead the path to a folder that it shares with another container, which puts some other device
/// there after it was found: so what was found is what is opened, where there is a procfs to do that by, and nothing else
/// is returned in any case. Devices are not yet restricted.
pub(crate) fn open(program: &Program<'_>) -> Result<Handle> {
    let found = find(program)?;
    match resolve::open_found(program, &found, O_RDWR)? {
        Some(opened) => Ok(opened),
        None => checked(resolve::open(program.slot(ROOT)?, PATH, O_RDWR | O_NOCTTY)?),
    }
}

fn checked(found: Handle) -> Result<Handle> {
    match is(&sys::stat(found.fd(), CText::literal(c""), 0)?) {
        true => Ok(found),
        false => Err(Fault { op: Op::Verify, errno: libc::ENODEV }),
    }
}
