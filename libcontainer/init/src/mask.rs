//! Paths hidden or made read-only. A missing path needs neither.

use libc::O_PATH;

use crate::attr::{self, MountAttr};
use crate::kernel::Kernel;
use crate::program::{CText, Program, Text};
use crate::slot::{EMPTY, NULL, ROOT, Slot};
use crate::sys::{self, Handle};
use crate::{Fault, Result, mount, null};

const CLONE: u32 = libc::OPEN_TREE_CLONE;
const THIS: CText<'static> = CText::literal(c"");

pub(crate) fn mask(program: &mut Program<'_>, kernel: &Kernel, path: Text, folder: Text) -> Result<()> {
    let Some(place) = find(program, kernel, path)? else { return Ok(()) };
    let is_folder = sys::stat(place.fd(), THIS, 0)?.is(libc::S_IFDIR);
    let slot: Slot = if is_folder { EMPTY } else { NULL };
    // The first mask of a kind is the mount that the others are copied from: only an attached mount can be copied
    // by kernels before 6.15.
    match program.slot(slot) {
        Ok(mask) => {
            let copy = sys::open_tree(mask, THIS, CLONE)?;
            sys::move_mount(copy.fd(), place.fd())
        }
        Err(_) => {
            let mask = if is_folder { empty_folder(program, folder)? } else { null_device(program)? };
            sys::move_mount(mask.fd(), place.fd())?;
            program.fill(slot, mask.keep())
        }
    }
}

fn find(program: &Program<'_>, kernel: &Kernel, path: Text) -> Result<Option<Handle>> {
    match kernel.open(program.slot(ROOT)?, program.text(path)?, O_PATH) {
        Ok(place) => Ok(Some(place)),
        Err(Fault { errno: libc::ENOENT | libc::ENOTDIR, .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn empty_folder(program: &Program<'_>, options: Text) -> Result<Handle> {
    let fs = sys::fsopen(CText::literal(c"tmpfs"))?;
    sys::fsconfig(fs.fd(), CText::literal(c"mode"), Some(CText::literal(c"755")))?;
    sys::fsconfig(fs.fd(), CText::literal(c"nr_inodes"), Some(CText::literal(c"1")))?;
    mount::configure(&fs, program.text(options)?)?;
    sys::fsconfig_create(fs.fd())?;
    sys::fsmount(fs.fd(), attr::RDONLY | attr::NOSUID | attr::NODEV | attr::NOEXEC)
}

fn null_device(program: &Program<'_>) -> Result<Handle> {
    sys::open_tree(null::find(program)?.fd(), THIS, CLONE)
}

pub(crate) fn read_only(program: &Program<'_>, kernel: &mut Kernel, path: Text) -> Result<()> {
    let Some(place) = find(program, kernel, path)? else { return Ok(()) };
    let attr = MountAttr { set: attr::RDONLY, ..MountAttr::default() };
    mount::cover_place(program, kernel, (program.text(path)?, &place), &attr, true)
}
