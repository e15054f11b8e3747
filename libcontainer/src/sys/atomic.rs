//! Files that a reader sees either in their old or in their new form, never half-written.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

/// Replaces the file at `path` by one with `contents`, like [`replace`].
pub(crate) fn replace_path(path: &Path, contents: &[u8], mode: Mode) -> Result<(), Errno> {
    let name = path.file_name().and_then(OsStr::to_str).ok_or(Errno::INVAL)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let dir = openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    replace(dir, name, contents, mode)
}

/// Replaces the file `name` of folder `dir` by one with `contents`.
///
/// Nothing is synced: the files that are written this way live in memory (`/run`) or matter only as
/// long as the machine is up. The temporary name is fixed, so that a writer that was killed leaves at
/// most one extra file, which the next writer takes over.
pub(crate) fn replace(dir: impl AsFd, name: &str, contents: &[u8], mode: Mode) -> Result<(), Errno> {
    let dir = dir.as_fd();
    let temporary = temporary_name(name);
    let result =
        write_new(dir, &temporary, contents, mode).and_then(|()| renameat(dir, &temporary, dir, name));
    if result.is_err() {
        // The first error is the one to report; the file may not even exist.
        let _ = unlinkat(dir, &temporary, AtFlags::empty());
    }
    result
}

fn temporary_name(name: &str) -> String {
    format!(".{name}.tmp")
}

fn write_new(dir: BorrowedFd<'_>, name: &str, contents: &[u8], mode: Mode) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(dir, name, flags, mode)?;
    File::from(file).write_all(contents).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_killed_writers_leftover_neither_disturbs_readers_nor_the_next_writer() {
        let folder = tempfile::tempdir().unwrap();
        let dir = File::open(folder.path()).unwrap();
        replace(&dir, "state.json", b"old", MODE).unwrap();
        std::fs::write(folder.path().join(temporary_name("state.json")), b"ne").unwrap();
        assert_eq!(std::fs::read(folder.path().join("state.json")).unwrap(), b"old");
        replace(&dir, "state.json", b"new", MODE).unwrap();
        assert_eq!(std::fs::read(folder.path().join("state.json")).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["state.json"]);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let dir = File::open(folder.path()).unwrap();
        std::fs::create_dir(folder.path().join("taken")).unwrap();
        assert_eq!(replace(&dir, "taken", b"x", MODE), Err(Errno::ISDIR));
        assert_eq!(names(folder.path()), ["taken"]);
    }

    #[test]
    fn a_link_in_place_of_the_temporary_file_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = File::open(folder.path()).unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, b"precious").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join(temporary_name("pid"))).unwrap();
        assert_eq!(replace(&dir, "pid", b"1", MODE), Err(Errno::LOOP));
        assert_eq!(std::fs::read(victim).unwrap(), b"precious");
    }
}
