//! What must not be in a folder that criu works in: it opens files by their names there, whatever these are.

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;

use crate::{Error, ErrorKind, Result};

/// An error if the name of one of criu's files belongs to something else. A pipe would be waited for, and a link written
/// through, into any file of the host. `folder` is what to call the folder.
pub(super) fn check(dir: &OwnedFd, folder: &str) -> Result<()> {
    let failed = |errno| Error::os(format_args!("read {folder}"), errno);
    for entry in Dir::read_from(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if !is_criu_s(name.to_bytes()) {
            continue;
        }
        let kind = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            // Gone in between.
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(failed(errno)),
        };
        if kind != FileType::RegularFile {
            let name = name.to_string_lossy();
            let message = format!(
                "{name} in {folder} is not a regular file, so CRIU would wait for it or lead astray what it writes (hint: \
                 use a folder that is only written by checkpoint)"
            );
            return Err(Error::new(ErrorKind::Criu, message));
        }
    }
    Ok(())
}

/// Images, statistics, logs, and what we put beside them. The link to an earlier checkpoint is none of these.
fn is_criu_s(name: &[u8]) -> bool {
    let names: [&[u8]; 4] = [b"dump.log", b"restore.log", b"irmap-cache", b"descriptors.json"];
    name.ends_with(b".img") || name.starts_with(b"stats-") || names.contains(&name)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, Mode, mknodat};

    use super::*;

    #[test]
    fn what_criu_opens_must_be_files() {
        let folder = tempfile::tempdir().unwrap();
        let dir = File::open(folder.path()).unwrap().into();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("pages-1.img"), "").unwrap();
        symlink("../before", path("parent")).unwrap();
        mknodat(CWD, path("lazy-pages.socket"), FileType::Socket, Mode::RUSR, 0).unwrap();
        check(&dir, "folder").unwrap();
        for name in ["inventory.img", "stats-dump", "dump.log"] {
            symlink("/etc/passwd", path(name)).unwrap();
            let error = check(&dir, "folder /x").unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("{name} in folder /x is not a regular file")),
                "{error}"
            );
            fs::remove_file(path(name)).unwrap();
            mknodat(CWD, path(name), FileType::Fifo, Mode::RUSR, 0).unwrap();
            assert_eq!(check(&dir, "folder").unwrap_err().kind(), &ErrorKind::Criu);
            fs::remove_file(path(name)).unwrap();
        }
    }
}
