//! What the standard streams of a dumped container were: pipes to the outside are given anew to the restored one.

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::sys::atomic;
use crate::sys::file::read_bounded;
use crate::sys::procfs::Procfs;
use crate::{Error, ErrorKind, Result};

/// Beside the images, as runc has it.
const FILE: &str = "descriptors.json";
const LIMIT: usize = 1 << 20;
const STREAMS: i32 = 3;
/// How the kernel's name of a pipe begins, and no path does.
const PIPE: &str = "pipe:[";
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The names that the kernel gives the files behind the standard streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Descriptors(Vec<String>);

impl Descriptors {
    /// Those of process `pid`. A closed one has no name.
    pub(crate) fn of(pid: Pid) -> Result<Self> {
        let path = format!("{}/fd", pid.as_raw_nonzero());
        let failed = |errno| Error::os(format_args!("read /proc/{path}"), errno);
        let folder = Procfs::open()?.open_file(&path, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?;
        let name = |fd: i32| match readlinkat(&folder, fd.to_string(), Vec::new()) {
            Ok(name) => Ok(name.to_string_lossy().into_owned()),
            Err(Errno::NOENT) => Ok(String::new()),
            Err(errno) => Err(failed(errno)),
        };
        Ok(Self((0..STREAMS).map(name).collect::<Result<_>>()?))
    }

    /// Keeps them beside the images.
    pub(crate) fn write(&self, images: &OwnedFd) -> Result<()> {
        let json = serde_json::to_vec(&self.0)
            .map_err(|error| Error::new(ErrorKind::Os, format!("write {FILE}: {error}")))?;
        atomic::replace(images, FILE, &json, MODE)
            .map_err(|errno| Error::os(format_args!("write {FILE} in the image folder"), errno))
    }

    /// Reads what [`Self::write`] wrote.
    pub(crate) fn read(images: &OwnedFd) -> Result<Self> {
        let failed = |errno| Error::os(format_args!("read {FILE} in the image folder"), errno);
        // A pipe without a writer would be waited for, and a link may lead to anything.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(images, FILE, flags, Mode::empty()).map_err(failed)?;
        if FileType::from_raw_mode(fstat(&file).map_err(failed)?.st_mode) != FileType::RegularFile {
            let message = format!("{FILE} in the image folder is not a regular file");
            return Err(Error::new(ErrorKind::Criu, message));
        }
        let json = read_bounded(file, LIMIT).map_err(failed)?;
        let names: Option<Vec<String>> = serde_json::from_slice(&json).map_err(|error| {
            Error::new(ErrorKind::Criu, format!("{FILE} in the image folder: {error}")).with_source(error)
        })?;
        Ok(Self(names.unwrap_or_default()))
    }

    /// The names of pipes, with the numbers of the streams that take their place.
    pub(crate) fn pipes(&self) -> Vec<(String, i32)> {
        let pipes = self.0.iter().zip(0..STREAMS).filter(|(name, _)| name.starts_with(PIPE));
        pipes.map(|(name, fd)| (name.clone(), fd)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder() -> (tempfile::TempDir, OwnedFd) {
        let folder = tempfile::tempdir().unwrap();
        let fd = fs::File::open(folder.path()).unwrap().into();
        (folder, fd)
    }

    #[test]
    fn they_are_kept_as_runc_keeps_them() {
        let (folder, fd) = folder();
        let names = Descriptors(vec!["/dev/null".into(), "pipe:[7]".into(), String::new()]);
        names.write(&fd).unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(text, r#"["/dev/null","pipe:[7]",""]"#);
        assert_eq!(Descriptors::read(&fd).unwrap(), names);
        assert_eq!(names.pipes(), [("pipe:[7]".to_owned(), 1)]);
    }

    #[test]
    fn more_than_three_are_not_inherited_and_other_files_are_an_error() {
        let (folder, fd) = folder();
        assert!(Descriptors::read(&fd).unwrap_err().to_string().contains("ENOENT"));
        fs::write(folder.path().join(FILE), "{}").unwrap();
        assert_eq!(Descriptors::read(&fd).unwrap_err().kind(), &ErrorKind::Criu);
        fs::write(folder.path().join(FILE), "null").unwrap();
        assert_eq!(Descriptors::read(&fd).unwrap(), Descriptors::default());
        let many = Descriptors(vec!["pipe:[1]".into(); 5]);
        assert_eq!(many.pipes().len(), 3);
        assert_eq!(Descriptors(vec!["/tmp/pipe:[1]".into()]).pipes(), []);
    }

    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_followed() {
        let (folder, fd) = folder();
        let path = folder.path().join(FILE);
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let error = Descriptors::read(&fd).unwrap_err();
        assert_eq!(error.to_string(), "descriptors.json in the image folder is not a regular file");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert!(Descriptors::read(&fd).unwrap_err().to_string().contains("ELOOP"));
        fs::remove_file(&path).unwrap();
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(Descriptors::read(&fd).unwrap_err().to_string().contains("EFBIG"));
        for json in ["", "[", "[1]", "{\"a\": []}", "[null]", "\"pipe:[1]\""] {
            fs::write(&path, json).unwrap();
            assert_eq!(Descriptors::read(&fd).unwrap_err().kind(), &ErrorKind::Criu, "{json}");
        }
        fs::write(&path, "[".repeat(100_000)).unwrap();
        assert_eq!(Descriptors::read(&fd).unwrap_err().kind(), &ErrorKind::Criu);
    }

    #[test]
    fn those_of_a_process_are_the_kernels_names() {
        let own = Descriptors::of(rustix::process::getpid()).unwrap();
        assert_eq!(own.0.len(), 3);
    }
}
