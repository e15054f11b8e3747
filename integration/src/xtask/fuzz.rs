//! `cargo xtask fuzz`: looks for a `config.json` that breaks the parser or the planner, or for a seccomp profile that
//! breaks the compiler.

use std::fs;
use std::path::PathBuf;

use lexopt::prelude::*;

use super::process::{capture, cargo_of, run as run_command};
use super::{Error, Result, workspace};

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    /// How long to look.
    seconds: u32,
    /// What is looked for.
    target: Target,
}

/// A fuzz target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Config,
    Seccomp,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Seccomp => "seccomp",
        }
    }

    /// Folders below `fixtures` to start from; that other files lie in them does no harm.
    fn seeds(self) -> &'static [&'static str] {
        match self {
            Self::Config => &["configs", "plans", "schema/examples"],
            Self::Seccomp => &["seccomp"],
        }
    }
}

impl std::str::FromStr for Target {
    type Err = &'static str;

    fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
        let all = [Self::Config, Self::Seccomp];
        all.into_iter().find(|target| target.name() == name).ok_or("the targets are config and seccomp")
    }
}

impl Options {
    /// Reads the rest of the command line.
    pub fn parse(mut args: lexopt::Parser) -> std::result::Result<Self, lexopt::Error> {
        let mut options = Self { seconds: 60, target: Target::Config };
        while let Some(arg) = args.next()? {
            match arg {
                Long("seconds") => options.seconds = args.value()?.parse()?,
                Long("target") => options.target = args.value()?.parse()?,
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(options)
    }
}

/// Builds the fuzz target and runs it on one processor. What it finds is kept under `target/fuzz`.
pub fn run(options: &Options) -> Result<()> {
    installed()?;
    let name = options.target.name();
    let target = workspace().join("target/fuzz");
    let corpus = target.join("corpus").join(name);
    let findings = target.join("findings");
    for folder in [&corpus, &findings] {
        fs::create_dir_all(folder).map_err(Error::io(format!("cannot make {}", folder.display())))?;
    }
    let mut command = cargo_of("nightly");
    command.args(["fuzz", "run", "--fuzz-dir"]).arg(crate_folder()).arg(name).arg(&corpus);
    command
        .args(seeds(options.target))
        .args(["--", "-max_len=65536"])
        .arg(format!("-max_total_time={}", options.seconds));
    command.arg(format!("-artifact_prefix={}/", findings.display())).env("CARGO_TARGET_DIR", target);
    run_command(&mut command)
}

fn crate_folder() -> PathBuf {
    workspace().join("libcontainer/fuzz")
}

fn seeds(target: Target) -> impl Iterator<Item = PathBuf> {
    target.seeds().iter().map(|folder| workspace().join("fixtures").join(folder))
}

fn installed() -> Result<()> {
    let has = |args: &[&str]| capture(cargo_of("nightly").args(args)).is_ok();
    let missing =
        |what: &str, how: &str| Error::Missing(format!("fuzzing needs {what}; `{how}` installs it"));
    if !has(&["--version"]) {
        return Err(missing("a nightly toolchain", "rustup toolchain install nightly"));
    }
    if !has(&["fuzz", "--version"]) {
        return Err(missing("cargo-fuzz", "cargo install cargo-fuzz"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_there() {
        for target in [Target::Config, Target::Seccomp] {
            assert!(seeds(target).all(|folder| folder.is_dir()));
        }
        assert!(crate_folder().join("Cargo.toml").is_file());
    }
}
