//! The terminal: made in the container's own devpts, reached through descriptors only.

use libc::{O_DIRECTORY, O_NOCTTY, O_PATH, O_RDWR};

use crate::op::Op;
use crate::program::{CText, Program};
use crate::slot::{CONSOLE, ROOT};
use crate::sys::Handle;
use crate::{Fault, Result, resolve, sys};

const DEVPTS_MAGIC: i64 = 0x1cd1;
const DEVPTS: CText<'static> = CText::literal(c"/dev/pts");
const PTMX: CText<'static> = CText::literal(c"ptmx");
const CONSOLE_PATH: CText<'static> = CText::literal(c"/dev/console");

/// What [`crate::Step::Terminal`] says.
pub(crate) struct Terminal {
    pub(crate) console: bool,
    pub(crate) plain_lines: bool,
    pub(crate) uid: u32,
    pub(crate) rows: u16,
    pub(crate) columns: u16,
}

pub(crate) fn terminal(program: &Program<'_>, wanted: &Terminal) -> Result<()> {
    let root = program.slot(ROOT)?;
    let master = master(root)?;
    let number = sys::prepare_pty(master.fd(), wanted.rows, wanted.columns)?;
    if wanted.plain_lines {
        sys::keep_line_feeds(master.fd())?;
    }
    let peer = sys::pty_peer(master.fd())?;
    // The group is devpts' own choice (gid=5 as a rule).
    sys::fchown(peer.fd(), wanted.uid, u32::MAX)?;
    if wanted.console {
        let place = resolve::target(root, CONSOLE_PATH, true)?;
        let tree = sys::open_tree(peer.fd(), CText::literal(c""), libc::OPEN_TREE_CLONE)?;
        sys::move_mount(tree.fd(), place.fd())?;
    }
    let mut name = [0; NAME_BYTES];
    sys::send(program.slot(CONSOLE)?, pts_name(&mut name, number), Some(master.fd()))?;
    sys::ioctl_number(peer.fd(), libc::TIOCSCTTY, 0)?;
    for standard in 0..3 {
        sys::dup_to(peer.fd(), standard)?;
    }
    Ok(())
}

/// The multiplexer of a devpts. That is made sure of before it is opened: opening another device could do something.
fn master(root: i32) -> Result<Handle> {
    let devpts = resolve::open(root, DEVPTS, O_PATH | O_DIRECTORY)?;
    if sys::file_system(devpts.fd())? != DEVPTS_MAGIC {
        return Err(Fault { op: Op::Verify, errno: libc::ENODEV });
    }
    let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_SYMLINKS;
    sys::openat2(devpts.fd(), PTMX, O_RDWR | O_NOCTTY, resolve)
}

const NAME_BYTES: usize = 24;

/// `/dev/pts/N`, without a formatter.
fn pts_name(space: &mut [u8; NAME_BYTES], mut number: u32) -> &[u8] {
    let mut digits = [0u8; 10];
    let mut used = 0;
    for place in &mut digits {
        *place = b'0' | (number % 10) as u8;
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    let prefix = b"/dev/pts/";
    let text = prefix.iter().chain(digits.iter().take(used).rev());
    for (to, from) in space.iter_mut().zip(text) {
        *to = *from;
    }
    space.get(..prefix.len().wrapping_add(used)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_named_by_number() {
        for (number, name) in [(0, "/dev/pts/0"), (10, "/dev/pts/10"), (u32::MAX, "/dev/pts/4294967295")] {
            assert_eq!(pts_name(&mut [0; NAME_BYTES], number), name.as_bytes());
        }
    }
}
