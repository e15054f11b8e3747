//! Shows that the container's first process can neither allocate, nor panic, nor lock.
//!
//! Its code is a crate of its own. Whatever of Rust's or C's run time it would use beyond the few allowed
//! functions would stand in its object as an undefined symbol, so the object is built and read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::archive::ArchiveFile;
use object::{Object, ObjectSymbol, SymbolKind};

use super::process::{capture, cargo};
use super::{Error, Result, workspace};

/// All that the code may call: the raw system call, its error number, and what the compiler itself emits calls to.
pub const ALLOWED: [&str; 7] =
    ["__errno_location", "bcmp", "memcmp", "memcpy", "memmove", "memset", "syscall"];

/// Programs that must be caught, or the check would prove nothing.
const CONTROLS: [(&str, &str); 2] = [
    (
        "allocates",
        "#![no_std]\nextern crate alloc;\n#[inline(never)]\n\
         pub fn f(n: usize) -> alloc::vec::Vec<u8> { alloc::vec::Vec::with_capacity(n) }\n",
    ),
    ("panics", "#![no_std]\n#[inline(never)]\npub fn f(bytes: &[u8], n: usize) -> u8 { bytes[n] }\n"),
];

/// The symbols of all objects in a library.
#[derive(Debug, Default)]
pub struct Symbols {
    /// Functions with code in the library.
    pub functions: BTreeSet<String>,
    /// Names that the library needs and does not define.
    pub undefined: BTreeSet<String>,
}

impl Symbols {
    /// Reads an `.rlib`.
    pub fn of_library(path: &Path) -> Result<Self> {
        let bad = |error: object::Error| Error::NotMet(format!("cannot read {}: {error}", path.display()));
        let data = fs::read(path).map_err(Error::io(format!("cannot read {}", path.display())))?;
        let archive = ArchiveFile::parse(data.as_slice()).map_err(bad)?;
        let (mut symbols, mut defined) = (Self::default(), BTreeSet::new());
        for member in archive.members() {
            let member = member.map_err(bad)?;
            if !member.name().ends_with(b".o") {
                continue;
            }
            let file = object::File::parse(member.data(data.as_slice()).map_err(bad)?).map_err(bad)?;
            for symbol in file.symbols() {
                let name = symbol.name().map_err(bad)?.to_owned();
                if symbol.is_undefined() && !name.is_empty() {
                    symbols.undefined.insert(name);
                } else if symbol.is_definition() {
                    if symbol.kind() == SymbolKind::Text {
                        symbols.functions.insert(name.clone());
                    }
                    defined.insert(name);
                }
            }
        }
        symbols.undefined.retain(|name| !defined.contains(name));
        Ok(symbols)
    }

    /// The undefined symbols beyond [`ALLOWED`].
    #[must_use]
    pub fn forbidden(&self) -> Vec<&str> {
        self.undefined.iter().map(String::as_str).filter(|name| !ALLOWED.contains(name)).collect()
    }
}

/// The task: checks the crate and the controls, and prints what was found.
pub fn run() -> Result<()> {
    let symbols = check()?;
    println!(
        "libcontainer-init: {} functions; undefined symbols: {}",
        symbols.functions.len(),
        symbols.undefined.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    );
    println!(
        "No allocation, no panic, no lock: all undefined symbols are allowed. Both controls were caught."
    );
    Ok(())
}

/// Builds the crate and fails if its object needs anything that is not allowed, or if a control is not caught.
pub fn check() -> Result<Symbols> {
    for (name, source) in CONTROLS {
        if Symbols::of_library(&build_control(name, source)?)?.forbidden().is_empty() {
            return Err(Error::NotMet(format!("the control program that {name} was not caught")));
        }
    }
    let symbols = Symbols::of_library(&build_init()?)?;
    if symbols.functions.is_empty() {
        return Err(Error::NotMet("the object of libcontainer-init holds no function to judge".to_owned()));
    }
    let forbidden = symbols.forbidden();
    if forbidden.is_empty() {
        return Ok(symbols);
    }
    Err(Error::NotMet(format!(
        "libcontainer-init needs symbols that are not allowed:\n  {}",
        forbidden.join("\n  ")
    )))
}

/// The crate as the release build compiles it, but as machine code: with LTO it would be LLVM bitcode.
fn build_init() -> Result<PathBuf> {
    let target = workspace().join("target/symbols");
    let mut build = cargo();
    build.args(["build", "--release", "--package", "libcontainer-init", "--lib"]);
    build.args(["--config", "profile.release.lto=false", "--config", "profile.release.strip=false"]);
    capture(build.arg("--target-dir").arg(&target))?;
    Ok(target.join("release/liblibcontainer_init.rlib"))
}

/// A control program, with the flags of the release profile.
fn build_control(name: &str, source: &str) -> Result<PathBuf> {
    let dir = workspace().join("target/symbols/controls");
    let (input, output) = (dir.join(format!("{name}.rs")), dir.join(format!("lib{name}.rlib")));
    fs::create_dir_all(&dir).map_err(Error::io(format!("cannot make {}", dir.display())))?;
    fs::write(&input, source).map_err(Error::io(format!("cannot write {}", input.display())))?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut build = Command::new(rustc);
    build.args(["--edition", "2024", "--crate-type", "rlib", "-C", "opt-level=3"]);
    build.args(["-C", "codegen-units=1", "-C", "panic=abort", "-o"]);
    capture(build.arg(&output).arg(&input))?;
    Ok(output)
}
