//! `config.json` → a checked, normalised [`Config`]. Pure but for reading the one file.
//!
//! `json` reads the text as Go does, `raw` names its values, `check` and `mount` hold the rules, one function each.

mod check;
mod config;
mod exec;
mod hooks;
mod json;
pub mod known;
mod mount;
mod nodes;
mod problem;
mod raw;
mod resources;
mod scheduling;
mod seccomp;
#[cfg(test)]
mod tests;

pub use config::*;
pub use exec::{Program, Wishes, program};
pub use hooks::{Hook, HookKind, Hooks};

pub(crate) use hooks::place as hook_place;
pub(crate) use nodes::Node;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use oci_spec::runtime::LinuxResources;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{Error, ErrorKind, Result};
use problem::Problem;

/// The file that describes a container, in its bundle.
const FILE_NAME: &str = "config.json";

/// Far above what any client writes: the program's arguments alone may take 2 MiB.
const MAX_BYTES: u64 = 16 << 20;

/// Reads the `config.json` in the folder `bundle`, which must be absolute.
///
/// # Errors
/// [`ErrorKind::InvalidSpec`] if there is none, [`ErrorKind::Os`] if it cannot be read.
pub fn read(bundle: &Path) -> Result<Vec<u8>> {
    read_bounded(&bundle.join(FILE_NAME))
}

/// Checks the text of a `config.json` that belongs to the folder `bundle`, which must be absolute. Reads nothing.
///
/// # Errors
/// [`ErrorKind::InvalidSpec`] or [`ErrorKind::Unsupported`] with the JSON pointer of the value.
pub fn parse(bytes: &[u8], bundle: &Path) -> Result<Config> {
    json::read(bytes)
        .and_then(|raw| check::config(raw, bundle))
        .map_err(|problem| problem.in_file(&bundle.join(FILE_NAME)))
}

/// Reads `/linux/resources` alone, for an update; pointers in errors begin at its top. `name` is what errors call
/// the text.
///
/// # Errors
/// As [`parse`].
pub fn parse_resources(bytes: &[u8], name: &Path) -> Result<LinuxResources> {
    json::read::<resources::Resources>(bytes).map(Into::into).map_err(|problem| problem.in_file(name))
}

fn read_bounded(path: &Path) -> Result<Vec<u8>> {
    // Non-blocking, since opening a FIFO would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| cannot_open(path, errno))?;
    let file = File::from(file);
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Os, format!("{}: cannot read: {error}", path.display())).with_source(error)
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Problem::invalid("", "not a regular file; write the configuration there").in_file(path));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(MAX_BYTES)).unwrap_or(0) + 1);
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        let message = format!("larger than {} MiB; no configuration needs that much", MAX_BYTES >> 20);
        return Err(Problem::invalid("", message).in_file(path));
    }
    Ok(bytes)
}

fn cannot_open(path: &Path, errno: Errno) -> Error {
    match errno {
        Errno::NOENT | Errno::NOTDIR => {
            let message =
                "no such file; a bundle is a folder that holds a config.json and a root file system";
            Problem::invalid("", message).in_file(path)
        }
        errno => Error::os(format_args!("{}: cannot open", path.display()), errno),
    }
}
