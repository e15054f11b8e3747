//! The machine's disk and kernel: built once for each recipe, and kept in the user's cache folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::debian::{MIRROR, bootstrap};
use super::super::process::capture;
use super::super::{Error, Result, cache};

const RELEASE: &str = "trixie";

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
    "bsdutils",
    "busybox-static",
    "containerd",
    "criu",
    "crun",
    "docker-cli",
    "docker.io",
    "iproute2",
    "iptables",
    "kmod",
    "numactl",
    "passwd",
    "podman",
    "policycoreutils",
    "procps",
    "python3-grpcio",
    "python3-protobuf",
    "runc",
    "selinux-policy-default",
    "selinux-utils",
    "tini",
    "uidmap",
];

const CUSTOMIZE: &str = include_str!("customize.sh");

/// A disk and a kernel.
#[derive(Debug)]
pub struct Image(PathBuf);

impl Image {
    /// The image of the recipe as it is now, built if it is not in the cache.
    pub(super) fn get() -> Result<Self> {
        cache::folder("vm", (RELEASE, MIRROR, PACKAGES, CUSTOMIZE), build).map(Self)
    }

    /// The disk of the root file system.
    #[must_use]
    pub(super) fn disk(&self) -> PathBuf {
        self.0.join("disk")
    }

    /// The kernel.
    #[must_use]
    pub(super) fn kernel(&self) -> PathBuf {
        self.0.join("kernel")
    }
}

fn build(folder: &Path) -> Result<()> {
    println!("Building the machine's image, once for all runs.");
    let root = folder.join("root");
    let customize = folder.join("customize.sh");
    fs::write(&customize, CUSTOMIZE).map_err(Error::io(format!("cannot write {}", customize.display())))?;
    let hook = format!("--customize-hook=sh '{}' \"$1\"", customize.display());
    bootstrap(RELEASE, PACKAGES, &[&hook], &root)?;
    label(&root)?;
    let kernel = kernel_of(&root)?;
    fs::copy(&kernel, folder.join("kernel"))
        .map_err(Error::io(format!("cannot copy {}", kernel.display())))?;
    make_disk(&root, &folder.join("disk"))?;
    fs::remove_dir_all(&root).map_err(Error::io(format!("cannot remove {}", root.display())))
}

/// Gives every file the label that SELinux's policy says: without it the machine's own services may do nothing.
fn label(root: &Path) -> Result<()> {
    let mut command = Command::new("chroot");
    // Without a look at which mounts of this host know labels.
    command.arg(root).args(["setfiles", "-m", "-F"]);
    capture(command.args(["/etc/selinux/default/contexts/files/file_contexts", "/"])).map(drop)
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
