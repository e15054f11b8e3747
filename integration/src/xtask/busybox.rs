//! A static busybox, to make root file systems of.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};

use super::process::capture;
use super::{Error, Result, find_in_path};

/// The host's static busybox, or that of Debian's package, unpacked in `dir` without being installed.
pub fn find(dir: &Path) -> Result<PathBuf> {
    if let Some(program) = find_in_path("busybox").filter(|program| is_static(program)) {
        return Ok(program);
    }
    if find_in_path("apt-get").is_none() || find_in_path("dpkg-deb").is_none() {
        return Err(Error::Missing("the host has none, and no apt-get to fetch one with".to_owned()));
    }
    fs::create_dir_all(dir).map_err(Error::io(format!("cannot make {}", dir.display())))?;
    let download = || {
        let mut apt = Command::new("apt-get");
        // apt's unprivileged download user could not write to our folder.
        apt.args(["-q", "-o", "APT::Sandbox::User=root", "download", "busybox-static"]).current_dir(dir);
        capture(&mut apt)
    };
    if download().is_err() {
        // A fresh machine often has no package lists yet.
        capture(Command::new("apt-get").args(["-q", "update"]))?;
        download()?;
    }
    let package = fs::read_dir(dir)
        .map_err(Error::io(format!("cannot read {}", dir.display())))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or_else(|| Error::Missing("apt-get downloaded no package".to_owned()))?;
    capture(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(dir))?;
    // Older packages hold /bin/busybox, newer ones /usr/bin/busybox.
    ["bin/busybox", "usr/bin/busybox"]
        .into_iter()
        .map(|path| dir.join(path))
        .find(|program| is_static(program))
        .ok_or_else(|| Error::Missing("the package holds no busybox".to_owned()))
}

/// Whether the program needs no dynamic loader.
fn is_static(program: &Path) -> bool {
    let Ok(data) = fs::read(program) else { return false };
    let Ok(elf) = ElfFile64::<object::Endianness>::parse(data.as_slice()) else { return false };
    let endian = elf.endian();
    let header = elf.elf_header();
    let segments = header.program_headers(endian, data.as_slice()).unwrap_or_default();
    segments.iter().all(|segment| segment.p_type(endian) != object::elf::PT_INTERP)
}

/// Copies the program, with a link for each thing that it can be called as.
pub fn install(program: &Path, bin: &Path) -> Result<()> {
    fs::copy(program, bin.join("busybox")).map_err(Error::io("cannot copy busybox"))?;
    let list = capture(Command::new(program).arg("--list"))?;
    for applet in String::from_utf8_lossy(&list.stdout).lines().filter(|name| *name != "busybox") {
        symlink("busybox", bin.join(applet)).map_err(Error::io(format!("cannot link {applet}")))?;
    }
    Ok(())
}
