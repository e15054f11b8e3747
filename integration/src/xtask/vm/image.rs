//! The machine's disk and kernel: built once for each recipe, and kept in the user's cache folder.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use super::super::process::capture;
use super::super::{Error, Result};

const RELEASE: &str = "trixie";
const MIRROR: &str = "http://deb.debian.org/debian";

/// The kernel has its disk driver and file system built in, so the machine needs no initial RAM disk.
const PACKAGES: &[&str] = &[
    "linux-image-cloud-amd64",
    "systemd",
    "systemd-sysv",
    "udev",
    "dbus",
    "dbus-user-session",
    "libpam-systemd",
    "apparmor",
    "crun",
    "iproute2",
    "kmod",
    "numactl",
    "passwd",
    "procps",
    "runc",
    "uidmap",
];

const CUSTOMIZE: &str = include_str!("customize.sh");

/// A disk and a kernel that nobody removes while this lives.
#[derive(Debug)]
pub(super) struct Image {
    folder: PathBuf,
    _lock: File,
}

impl Image {
    /// The image of the recipe as it is now, built if it is not in the cache.
    pub(super) fn get() -> Result<Self> {
        let cache = cache_folder();
        let folder = cache.join(key());
        fs::create_dir_all(&cache).map_err(Error::io(format!("cannot make {}", cache.display())))?;
        let path = lock_path(&folder);
        let lock = File::create(&path).map_err(Error::io(format!("cannot make {}", path.display())))?;
        let acquire =
            |operation| flock(&lock, operation).map_err(Error::io(format!("cannot lock {}", path.display())));
        loop {
            acquire(FlockOperation::LockShared)?;
            if folder.is_dir() {
                return Ok(Self { folder, _lock: lock });
            }
            acquire(FlockOperation::LockExclusive)?;
            if !folder.is_dir() {
                build(&folder)?;
                remove_others(&cache, &folder)?;
            }
        }
    }

    /// The disk of the root file system.
    #[must_use]
    pub(super) fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// The kernel.
    #[must_use]
    pub(super) fn kernel(&self) -> PathBuf {
        self.folder.join("kernel")
    }
}

fn cache_folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    cache.unwrap_or_else(|| PathBuf::from("/var/cache")).join("runc-shim-vm")
}

/// Names the recipe: with another one, another image is built.
fn key() -> String {
    let mut hasher = DefaultHasher::new();
    (RELEASE, MIRROR, PACKAGES, CUSTOMIZE).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

/// Builds beside `folder` and renames, so that what has the name is complete.
fn build(folder: &Path) -> Result<()> {
    println!("Building the machine's image, once for all runs: {}", folder.display());
    let work = folder.with_extension("building");
    remove(&work)?;
    if let Err(error) = build_in(&work) {
        remove(&work)?;
        return Err(error);
    }
    fs::rename(&work, folder).map_err(Error::io(format!("cannot make {}", folder.display())))
}

fn build_in(work: &Path) -> Result<()> {
    fs::create_dir(work).map_err(Error::io(format!("cannot make {}", work.display())))?;
    let root = work.join("root");
    let customize = work.join("customize.sh");
    fs::write(&customize, CUSTOMIZE).map_err(Error::io(format!("cannot write {}", customize.display())))?;
    bootstrap(&root, &customize)?;
    let kernel = kernel_of(&root)?;
    fs::copy(&kernel, work.join("kernel")).map_err(Error::io(format!("cannot copy {}", kernel.display())))?;
    make_disk(&root, &work.join("disk"))?;
    remove(&root)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("cannot remove {}", folder.display()))(error))
        }
        _ => Ok(()),
    }
}

fn bootstrap(root: &Path, customize: &Path) -> Result<()> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "mmdebstrap", "--variant=apt", "--format=directory"]);
    command.arg(format!("--include={}", PACKAGES.join(",")));
    for documents in ["doc", "man", "locale", "info"] {
        command.arg(format!("--dpkgopt=path-exclude=/usr/share/{documents}/*"));
    }
    command.arg(format!("--customize-hook=sh '{}' \"$1\"", customize.display()));
    // Read by the kernel package's script.
    command.env("INITRD", "No");
    capture(command.arg(RELEASE).arg(root).arg(MIRROR)).map(drop)
}

fn kernel_of(root: &Path) -> Result<PathBuf> {
    let boot = root.join("boot");
    let files = fs::read_dir(&boot).map_err(Error::io(format!("cannot read {}", boot.display())))?;
    files
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz")))
        .ok_or_else(|| Error::NotMet("mmdebstrap installed no kernel".to_owned()))
}

/// Makes an ext4 disk of 2 GiB (mostly holes) with what is in `root`.
pub(super) fn make_disk(root: &Path, disk: &Path) -> Result<()> {
    // The mode of the file system's root.
    fs::set_permissions(root, fs::Permissions::from_mode(0o755))
        .map_err(Error::io(format!("cannot change the mode of {}", root.display())))?;
    let mut command = Command::new("mke2fs");
    command.args(["-q", "-t", "ext4", "-m", "0", "-O", "^has_journal", "-d"]).arg(root).arg(disk).arg("2G");
    capture(&mut command).map(drop)
}

/// Images of former recipes that nobody is using.
fn remove_others(cache: &Path, keep: &Path) -> Result<()> {
    let entries = fs::read_dir(cache).map_err(Error::io(format!("cannot read {}", cache.display())))?;
    let locks = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    for path in locks.filter(|path| path.extension().is_some_and(|extension| extension == "lock")) {
        let folder = path.with_extension("");
        if folder == keep {
            continue;
        }
        let lock = File::open(&path).map_err(Error::io(format!("cannot open {}", path.display())))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => remove(&folder)?,
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            Err(error) => return Err(Error::io(format!("cannot lock {}", path.display()))(error)),
        }
    }
    Ok(())
}
