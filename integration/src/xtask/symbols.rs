//! Shows that the container's first process can neither allocate, nor panic, nor lock.
//!
//! Its code is a crate of its own. Whatever of Rust's or C's run time it would use beyond the few allowed
//! functions would stand in its object as an undefined symbol, so the object is built and read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};

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
    /// Names that the library needs and does not define, each with the functions that need it.
    pub undefined: BTreeMap<String, BTreeSet<String>>,
}

impl Symbols {
    /// Reads an `.rlib`.
    pub fn of_library(path: &Path) -> Result<Self> {
        let data = fs::read(path).map_err(Error::io(format!("cannot read {}", path.display())))?;
        Self::of_archive(&data)
            .map_err(|error| Error::NotMet(format!("cannot read {}: {error}", path.display())))
    }

    fn of_archive(data: &[u8]) -> object::Result<Self> {
        let (mut symbols, mut defined) = (Self::default(), BTreeSet::new());
        for member in ArchiveFile::parse(data)?.members() {
            let member = member?;
            // The rest is rustc's metadata.
            if member.name().ends_with(b".o") {
                symbols.add_object(&object::File::parse(member.data(data)?)?, &mut defined)?;
            }
        }
        symbols.undefined.retain(|name, _| !defined.contains(name));
        Ok(symbols)
    }

    fn add_object(&mut self, file: &object::File<'_>, defined: &mut BTreeSet<String>) -> object::Result<()> {
        // rustc gives every function a section of its own, so the section tells whose relocation it is.
        let mut owners = HashMap::new();
        for symbol in file.symbols() {
            let name = symbol.name()?;
            if symbol.is_definition() {
                defined.insert(name.to_owned());
                if symbol.kind() == SymbolKind::Text {
                    self.functions.insert(name.to_owned());
                    owners.extend(symbol.section_index().map(|section| (section, name)));
                }
            } else if symbol.is_undefined() && !name.is_empty() {
                self.undefined.entry(name.to_owned()).or_default();
            }
        }
        for section in file.sections() {
            let Some(owner) = owners.get(&section.index()) else { continue };
            for (_, relocation) in section.relocations() {
                let RelocationTarget::Symbol(index) = relocation.target() else { continue };
                if let Some(users) = self.undefined.get_mut(file.symbol_by_index(index)?.name()?) {
                    users.insert((*owner).to_owned());
                }
            }
        }
        Ok(())
    }

    /// One line for each undefined symbol beyond [`ALLOWED`].
    #[must_use]
    pub fn forbidden(&self) -> Vec<String> {
        let forbidden = self.undefined.iter().filter(|(name, _)| !ALLOWED.contains(&name.as_str()));
        forbidden
            .map(|(name, users)| {
                let users: Vec<_> = users.iter().map(String::as_str).collect();
                format!("{name}, needed by {}", users.join(", "))
            })
            .collect()
    }
}

/// The task: checks the crate and the controls, and prints what was found.
pub fn run() -> Result<()> {
    let symbols = check()?;
    println!(
        "libcontainer-init: {} functions; undefined symbols: {}",
        symbols.functions.len(),
        symbols.undefined.keys().map(String::as_str).collect::<Vec<_>>().join(" ")
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
