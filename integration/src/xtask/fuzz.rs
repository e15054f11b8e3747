//! `cargo xtask fuzz`: looks for a `config.json` that breaks the parser or the planner.

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
}

impl Options {
    /// Reads the rest of the command line.
    pub fn parse(mut args: lexopt::Parser) -> std::result::Result<Self, lexopt::Error> {
        let mut options = Self { seconds: 60 };
        while let Some(arg) = args.next()? {
            match arg {
                Long("seconds") => options.seconds = args.value()?.parse()?,
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(options)
    }
}

/// Builds the fuzz target and runs it on one processor. What it finds is kept under `target/fuzz`.
pub fn run(options: &Options) -> Result<()> {
    installed()?;
    let target = workspace().join("target/fuzz");
    let corpus = target.join("corpus");
    let findings = target.join("findings");
    for folder in [&corpus, &findings] {
        fs::create_dir_all(folder).map_err(Error::io(format!("cannot make {}", folder.display())))?;
    }
    let mut command = cargo_of("nightly");
    command.args(["fuzz", "run", "--fuzz-dir"]).arg(crate_folder()).arg("config").arg(&corpus);
    command.args(seeds()).args(["--", "-max_len=65536"]).arg(format!("-max_total_time={}", options.seconds));
    command.arg(format!("-artifact_prefix={}/", findings.display())).env("CARGO_TARGET_DIR", target);
    run_command(&mut command)
}

fn crate_folder() -> PathBuf {
    workspace().join("libcontainer/fuzz")
}

/// Folders of configs; that other files lie in them does no harm.
fn seeds() -> [PathBuf; 3] {
    ["configs", "plans", "schema/examples"].map(|folder| workspace().join("fixtures").join(folder))
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
        assert!(seeds().iter().all(|folder| folder.is_dir()));
        assert!(crate_folder().join("Cargo.toml").is_file());
    }
}
