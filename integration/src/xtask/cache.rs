//! What takes long to get or build, kept between runs and shared by all checkouts of one user.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Error, Result};

/// The folder of this name and recipe, which `make` fills if it is not there yet.
///
/// Another recipe is another folder: nothing in a cache is ever changed.
pub fn folder(name: &str, recipe: impl Hash, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    recipe.hash(&mut hasher);
    let folder = root()?.join(format!("{name}-{:016x}", hasher.finish()));
    let _one_at_a_time = lock(name)?;
    if !folder.is_dir() {
        // What is only half made has another name.
        let parent = folder.parent().unwrap_or(&folder);
        let begun = tempfile::tempdir_in(parent).map_err(Error::io("cannot make a temporary folder"))?;
        make(begun.path())?;
        let begun = begun.keep();
        fs::rename(&begun, &folder).map_err(Error::io(format!("cannot rename {}", begun.display())))?;
    }
    Ok(folder)
}

/// Waits until no other task on this host holds the lock of this name.
pub fn lock(name: &str) -> Result<File> {
    let path = root()?.join(format!("{name}.lock"));
    let what = || format!("cannot lock {}", path.display());
    let file = File::options().create(true).append(true).open(&path).map_err(Error::io(what()))?;
    flock(&file, FlockOperation::LockExclusive).map_err(Error::io(what()))?;
    Ok(file)
}

fn root() -> Result<PathBuf> {
    let given = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(".cache")));
    let root = root.ok_or_else(|| Error::Missing("neither XDG_CACHE_HOME nor HOME is set".to_owned()))?;
    let root = root.join("runc-shim");
    fs::create_dir_all(&root).map_err(Error::io(format!("cannot make {}", root.display())))?;
    Ok(root)
}
