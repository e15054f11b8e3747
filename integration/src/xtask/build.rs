//! Static release builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{capture, cargo, run};
use super::{Error, Result, workspace};

/// Fully static, at a fixed address: no dynamic loader and no relocation at start-up.
const STATIC: &str = "-C target-feature=+crt-static -C relocation-model=static";

/// Builds `runc-shim` and returns its path.
pub fn shim() -> Result<PathBuf> {
    static_binary("runc-shim", "runc-shim")
}

/// Builds the reporter that tests run inside containers, and returns its path.
pub fn probe() -> Result<PathBuf> {
    static_binary("probe", "probe")
}

/// Builds one binary of a package as a static release binary and returns its path.
pub fn static_binary(package: &str, name: &str) -> Result<PathBuf> {
    let triple = host_triple()?;
    let target = workspace().join("target/static");
    let mut build = cargo();
    build.args(["build", "--release", "--package", package, "--bin", name, "--target", &triple]);
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

/// `--target` must be given even for the host's own triple: without it the flags would reach build scripts and
/// procedural macros, which cannot be static.
pub fn host_triple() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = capture(Command::new(rustc).arg("-vV"))?;
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
