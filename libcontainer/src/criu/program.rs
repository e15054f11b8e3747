//! The program.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::{Error, ErrorKind, Result};

const NAME: &str = "criu";

/// criu's executable, and the `PATH` by which it finds programs itself.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(super) file: PathBuf,
    pub(super) path: OsString,
}

impl Program {
    /// Looks for it in `PATH`.
    pub(crate) fn find() -> Result<Self> {
        Self::find_in(env::var_os("PATH").unwrap_or_default())
    }

    fn find_in(path: OsString) -> Result<Self> {
        // An empty entry is the current folder, which is nobody's place for a program of root.
        let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
        match folders.map(|folder| folder.join(NAME)).find(|file| is_executable(file)) {
            Some(file) => Ok(Self { file, path }),
            None => {
                let message = format!(
                    "{NAME}: executable file not found in $PATH (hint: checkpoint and restore need CRIU, which most \
                     distributions have as package criu)"
                );
                Err(Error::new(ErrorKind::Criu, message))
            }
        }
    }
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && accessat(CWD, file, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_executable_of_that_name_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        let path = env::join_paths([Path::new(""), Path::new("relative"), &one, &two]).unwrap();
        let missing = Program::find_in(path.clone()).unwrap_err();
        assert_eq!(missing.kind(), &ErrorKind::Criu);
        assert!(missing.to_string().contains("hint: "), "{missing}");
        fs::create_dir_all(one.join(NAME)).unwrap();
        fs::create_dir(&two).unwrap();
        fs::write(two.join(NAME), "").unwrap();
        fs::set_permissions(two.join(NAME), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(Program::find_in(path).unwrap().file, two.join(NAME));
    }
}
