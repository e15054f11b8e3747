//! `cargo xtask install`: the binary, completions for three shells, and a manual page for every command.

mod interface;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use lexopt::prelude::*;

use super::process::capture;
use super::{Error, Result, build};

/// The name that the binary is built and installed under.
const NAME: &str = "runc-shim";

/// What to install, and where to.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that holds `bin` and `share`.
    pub prefix: PathBuf,
    /// Whether the program can also be called `runc`.
    pub runc: bool,
}

impl Options {
    /// Reads `[--prefix DIR] [--runc]`.
    pub fn parse(mut args: lexopt::Parser) -> std::result::Result<Self, lexopt::Error> {
        let mut options = Self { prefix: "/usr/local".into(), runc: false };
        while let Some(arg) = args.next()? {
            match arg {
                Long("prefix") => options.prefix = args.value()?.into(),
                Long("runc") => options.runc = true,
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

/// Builds the static release binary and installs it.
pub fn run(options: &Options) -> Result<()> {
    install(&build::shim()?, options)
}

/// Installs `binary` and what describes it.
pub fn install(binary: &Path, options: &Options) -> Result<()> {
    let interface = interface::of(binary)?;
    let bin = folder(&options.prefix, "bin")?;
    put_program(binary, &bin.join(NAME))?;
    put_manuals(&interface, &folder(&options.prefix, "share/man/man8")?)?;
    put_completions(&interface, NAME, &options.prefix)?;
    if options.runc {
        put_link(NAME, &bin.join("runc"))?;
        put_completions(&interface, "runc", &options.prefix)?;
    }
    println!("{} is installed below {}", NAME, options.prefix.display());
    Ok(())
}

/// A new file under another name that takes the place of the old one: the program may be running. Another process
/// copies it, for a child that is started meanwhile would inherit a descriptor for writing and keep the new file busy.
fn put_program(binary: &Path, place: &Path) -> Result<()> {
    let new = place.with_extension("new");
    capture(Process::new("cp").arg(binary).arg(&new))?;
    fs::set_permissions(&new, Permissions::from_mode(0o755))
        .map_err(Error::io(format!("cannot change the mode of {}", new.display())))?;
    fs::rename(&new, place).map_err(Error::io(format!("cannot make {}", place.display())))
}

/// A link to `target`. A real `runc` is not ours to replace.
fn put_link(target: &str, place: &Path) -> Result<()> {
    if fs::read_link(place).is_ok_and(|found| found == Path::new(target)) {
        return Ok(());
    }
    symlink(target, place).map_err(Error::io(format!("cannot link {}", place.display())))
}

fn put_completions(interface: &Command, name: &str, prefix: &Path) -> Result<()> {
    let places = [
        (Shell::Bash, "share/bash-completion/completions", name.to_owned()),
        (Shell::Zsh, "share/zsh/site-functions", format!("_{name}")),
        (Shell::Fish, "share/fish/vendor_completions.d", format!("{name}.fish")),
    ];
    for (shell, below, file) in places {
        let mut text = Vec::new();
        generate(shell, &mut interface.clone(), name, &mut text);
        put_text(&folder(prefix, below)?.join(file), &text)?;
    }
    Ok(())
}

fn put_manuals(interface: &Command, folder: &Path) -> Result<()> {
    let pages = std::iter::once(interface.clone()).chain(interface.get_subcommands().map(page_of));
    for page in pages {
        let name = page.get_name().to_owned();
        let text = manual(page).map_err(Error::io(format!("cannot write the manual page of {name}")))?;
        put_text(&folder.join(format!("{name}.8")), &text)?;
    }
    Ok(())
}

/// The command as the subject of a page of its own.
fn page_of(command: &Command) -> Command {
    let name = format!("{NAME}-{}", command.get_name());
    command.clone().name(name).bin_name(format!("{NAME} {}", command.get_name()))
}

/// The synopsis is the program's own usage line; all else is made of the definitions.
fn manual(command: Command) -> io::Result<Vec<u8>> {
    let usage = interface::usage(&command);
    let has_commands = command.get_subcommands().next().is_some();
    let man = Man::new(command).section("8").manual("System administration");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    let mut synopsis = clap_mangen::roff::Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]).text([clap_mangen::roff::roman(usage)]);
    synopsis.to_writer(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if has_commands {
        man.render_subcommands_section(&mut text)?;
    }
    Ok(text)
}

fn put_text(place: &Path, text: &[u8]) -> Result<()> {
    fs::write(place, text).map_err(Error::io(format!("cannot write {}", place.display())))
}

fn folder(prefix: &Path, below: &str) -> Result<PathBuf> {
    let folder = prefix.join(below);
    fs::create_dir_all(&folder).map_err(Error::io(format!("cannot make {}", folder.display())))?;
    Ok(folder)
}
