//! Static release builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{capture, cargo, run};
use super::{Error, Result, workspace};

/// Fully static, at a fixed address: no dynamic loader and no relocation at start-up.
const STATIC: &str = "-C target-feature=+crt-static -C relocation-model=static";

/// Builds `runc-shim` and returns its path.
pub fn shim() -> Result<PathBuf> {
    built("runc-shim", "runc-shim", &quick_triple()?)
}

/// Builds the reporter that tests run inside containers, and returns its path.
pub fn probe() -> Result<PathBuf> {
    built("probe", "probe", &quick_triple()?)
}

/// Builds one binary of a package with the host's usual C library, as a static release binary, and returns its path.
pub fn static_binary(package: &str, name: &str) -> Result<PathBuf> {
    built(package, name, &host_triple()?)
}

fn built(package: &str, name: &str, triple: &str) -> Result<PathBuf> {
    let target = workspace().join("target/static");
    let mut build = cargo();
    build.args(["build", "--release", "--package", package, "--bin", name, "--target", triple]);
    build.arg("--target-dir").arg(&target).env("RUSTFLAGS", STATIC);
    if let Some(commit) = commit() {
        build.env("RUNC_SHIM_COMMIT", commit);
    }
    run(&mut build).inspect_err(|_| {
        eprintln!("A static build needs a C linker and the static C library: gcc and libc6-dev on Debian, gcc and glibc-static on Fedora.");
    })?;
    let path = target.join(triple).join("release").join(name);
    println!("{}: {} KiB", path.display(), size(&path)? / 1024);
    Ok(path)
}

/// The size of a file in bytes.
pub fn size(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io(format!("cannot stat {}", path.display())))?.len())
}

/// Where programs start quickest: musl's does little, while the start of glibc asks the processor for its features, which
/// takes a virtual machine a tenth of what a whole container takes. Where Rust's part of that target is not to be had,
/// glibc does as well.
fn quick_triple() -> Result<String> {
    let host = host_triple()?;
    let Some(musl) = host.strip_suffix("-gnu").map(|rest| format!("{rest}-musl")) else { return Ok(host) };
    if has_target(&musl)? || add_target(&musl) {
        return Ok(musl);
    }
    eprintln!(
        "The target {musl} is not installed (`rustup target add {musl}`): built for {host}, which starts slower."
    );
    Ok(host)
}

fn has_target(triple: &str) -> Result<bool> {
    let output = capture(rustc().args(["--print", "target-libdir", "--target", triple]))?;
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

fn add_target(triple: &str) -> bool {
    capture(Command::new("rustup").args(["target", "add", triple])).is_ok()
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// `--target` must be given even for the host's own triple: without it the flags would reach build scripts and
/// procedural macros, which cannot be static.
pub fn host_triple() -> Result<String> {
    let output = capture(rustc().arg("-vV"))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .ok_or_else(|| Error::Missing("`rustc -vV` names no host".to_owned()))
}

/// The commit of the source, where it is a git checkout and git is there.
fn commit() -> Option<String> {
    let output =
        capture(Command::new("git").arg("-C").arg(workspace()).args(["rev-parse", "--short", "HEAD"]))
            .ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!commit.is_empty()).then_some(commit)
}
