//! What dumps and restores have in common, as their caller chooses it.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use super::folder;
use crate::{Error, Result};

/// What becomes of the cgroups of processes that are dumped or restored (criu(8), `--manage-cgroups`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupsMode {
    /// Those that are missing are made, with their properties.
    Soft,
    /// All are made or changed to have their properties.
    Full,
    /// They must not exist yet.
    Strict,
    /// They are left alone.
    Ignore,
}

/// Options of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) images: PathBuf,
    pub(crate) work: Option<PathBuf>,
    pub(crate) tcp_established: bool,
    pub(crate) ext_unix_sockets: bool,
    pub(crate) shell_job: bool,
    pub(crate) file_locks: bool,
    pub(crate) auto_dedup: bool,
    pub(crate) lazy_pages: bool,
    pub(crate) empty_network: bool,
    /// criu decides if there is none: it does as with [`CgroupsMode::Soft`].
    pub(crate) cgroups_mode: Option<CgroupsMode>,
}

/// The folders that criu works in, opened. It opens them again by their numbers in this process.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) images: OwnedFd,
    pub(crate) work: Option<OwnedFd>,
}

const FOLDER_MODE: u32 = 0o700;

impl Settings {
    /// Opens the folders; `dump` makes that of the images.
    pub(crate) fn open(&self, dump: bool) -> Result<Files> {
        if dump {
            make(&self.images, "image-path")?;
        }
        let images = open_folder(&self.images, "image-path")?;
        let work = match &self.work {
            Some(path) => {
                make(path, "work-path")?;
                Some(open_folder(path, "work-path")?)
            }
            None => None,
        };
        Ok(Files { images, work })
    }
}

impl Files {
    /// Where the log is.
    pub(crate) fn log_folder(&self) -> &OwnedFd {
        self.work.as_ref().unwrap_or(&self.images)
    }
}

fn make(path: &Path, option: &str) -> Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(|error| {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        Error::os(format_args!("make folder {} ({option})", path.display()), errno)
    })
}

fn open_folder(path: &Path, option: &str) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = open(path, flags, Mode::empty())
        .map_err(|errno| Error::os(format_args!("open folder {} ({option})", path.display()), errno))?;
    folder::check(&dir, &format!("folder {} ({option})", path.display()))?;
    Ok(dir)
}

/// The file with more options: what the annotation says, which may be that there is none.
pub(crate) fn configuration(annotations: &BTreeMap<String, String>) -> Option<String> {
    const ANNOTATION: &str = "org.criu.config";
    const DEFAULT: &str = "/etc/criu/runc.conf";
    let file = annotations.get(ANNOTATION).map_or(DEFAULT, String::as_str);
    Some(file.to_owned()).filter(|file| !file.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_names_the_file_with_options_or_none() {
        let annotated = |value: &str| BTreeMap::from([("org.criu.config".to_owned(), value.to_owned())]);
        assert_eq!(configuration(&BTreeMap::new()).as_deref(), Some("/etc/criu/runc.conf"));
        assert_eq!(configuration(&annotated("/x.conf")).as_deref(), Some("/x.conf"));
        assert_eq!(configuration(&annotated("")), None);
    }

    #[test]
    fn a_dump_makes_its_folders_and_a_restore_finds_its_images() {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("a/images");
        let work = Some(folder.path().join("b/work"));
        let settings = Settings { images: images.clone(), work, ..Settings::default() };
        let error = settings.open(false).unwrap_err().to_string();
        assert!(error.contains(&format!("{} (image-path): ENOENT", images.display())), "{error}");
        assert!(settings.open(true).unwrap().work.is_some());
        assert!(settings.open(false).is_ok());
    }
}
