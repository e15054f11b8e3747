//! A container from a real bundle, made and run on this host.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use serde_json::{Value, json};

use super::process::{capture, line};
use super::{Error, Result, build, find_in_path, is_root};

/// What runs inside.
const SCRIPT: &str = include_str!("demo.sh");

/// What the container runs, and the code that it must end with.
struct Payload {
    args: Vec<&'static str>,
    code: i32,
}

/// Builds the runtime and the bundle, runs the container, and removes everything but the build.
pub fn run() -> Result<()> {
    if !is_root() {
        let hint = "the demo makes a container with root's namespaces: run it as root, for example with `sudo -E env PATH=\"$PATH\" cargo xtask demo`";
        return Err(Error::Missing(hint.to_owned()));
    }
    let shim = build::shim()?;
    let bundle = tempfile::tempdir().map_err(Error::io("cannot make a temporary folder"))?;
    let payload = make_rootfs(&bundle.path().join("rootfs"))?;
    write_config(&shim, bundle.path(), &payload)?;
    println!(
        "\nThe bundle is {}; its config.json is that of `runc-shim spec` with other args.",
        bundle.path().display()
    );
    let mut container = Command::new(&shim);
    container.arg("run").arg("--bundle").arg(bundle.path()).arg(format!("demo-{}", std::process::id()));
    println!("$ {}\n", line(&container));
    let status = container.status().map_err(Error::io(format!("cannot start {}", shim.display())))?;
    println!();
    match status.code() {
        Some(code) if code == payload.code => {
            println!("The container ended with code {code}, as it was told to. That was a container.");
            Ok(())
        }
        _ => Err(Error::NotMet(format!(
            "the container should end with code {}; it ended with {status}",
            payload.code
        ))),
    }
}

/// Fills the root file system: with busybox where it can be had, else with our own static reporter.
fn make_rootfs(rootfs: &Path) -> Result<Payload> {
    for name in ["bin", "dev", "etc", "proc", "sys", "tmp"] {
        let dir = rootfs.join(name);
        fs::create_dir_all(&dir).map_err(Error::io(format!("cannot make {}", dir.display())))?;
    }
    match busybox(rootfs) {
        Ok(program) => {
            println!("The root file system is made of {}.", program.display());
            install_busybox(&program, &rootfs.join("bin"))?;
            fs::write(rootfs.join("demo.sh"), SCRIPT).map_err(Error::io("cannot write the script"))?;
            Ok(Payload { args: vec!["/bin/sh", "/demo.sh"], code: 7 })
        }
        Err(error) => {
            println!(
                "There is no static busybox ({error}); the container runs this project's own reporter instead."
            );
            let probe = build::probe()?;
            fs::copy(&probe, rootfs.join("bin/probe")).map_err(Error::io("cannot copy the reporter"))?;
            Ok(Payload { args: vec!["/bin/probe"], code: 0 })
        }
    }
}

/// The host's static busybox, or that of Debian's package, fetched without being installed.
fn busybox(rootfs: &Path) -> Result<PathBuf> {
    if let Some(program) = find_in_path("busybox").filter(|program| is_static(program)) {
        return Ok(program);
    }
    if find_in_path("apt-get").is_none() || find_in_path("dpkg-deb").is_none() {
        return Err(Error::Missing("the host has none, and no apt-get to fetch one with".to_owned()));
    }
    let dir = rootfs.with_file_name("busybox-static");
    fs::create_dir_all(&dir).map_err(Error::io(format!("cannot make {}", dir.display())))?;
    let download = || {
        let mut apt = Command::new("apt-get");
        // apt's unprivileged download user could not write to our folder.
        apt.args(["-q", "-o", "APT::Sandbox::User=root", "download", "busybox-static"]).current_dir(&dir);
        capture(&mut apt)
    };
    if download().is_err() {
        // A fresh machine often has no package lists yet.
        capture(Command::new("apt-get").args(["-q", "update"]))?;
        download()?;
    }
    let package = fs::read_dir(&dir)
        .map_err(Error::io(format!("cannot read {}", dir.display())))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or_else(|| Error::Missing("apt-get downloaded no package".to_owned()))?;
    capture(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&dir))?;
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

fn install_busybox(program: &Path, bin: &Path) -> Result<()> {
    fs::copy(program, bin.join("busybox")).map_err(Error::io("cannot copy busybox"))?;
    let list = capture(Command::new(program).arg("--list"))?;
    for applet in String::from_utf8_lossy(&list.stdout).lines().filter(|name| *name != "busybox") {
        symlink("busybox", bin.join(applet)).map_err(Error::io(format!("cannot link {applet}")))?;
    }
    Ok(())
}

fn write_config(shim: &Path, bundle: &Path, payload: &Payload) -> Result<()> {
    capture(Command::new(shim).arg("spec").current_dir(bundle))?;
    let path = bundle.join("config.json");
    let text = fs::read(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
    let mut config: Value =
        serde_json::from_slice(&text).map_err(Error::io(format!("{} is not JSON", path.display())))?;
    let changes = [
        ("/process/terminal", json!(false)),
        ("/process/args", json!(payload.args)),
        ("/hostname", json!("demo")),
    ];
    for (pointer, value) in changes {
        let place = config.pointer_mut(pointer);
        *place.ok_or_else(|| Error::NotMet(format!("`runc-shim spec` wrote no {pointer}")))? = value;
    }
    fs::write(&path, config.to_string()).map_err(Error::io(format!("cannot write {}", path.display())))
}
