//! `cargo xtask vm`: tests in an emulated machine that has what hosts of developers often lack.
//!
//! The machine is a Debian with systemd, all controllers on cgroup v2, AppArmor or SELinux, every capability, and a user
//! with ranges of subordinate ids. It is emulated, so it needs nothing of the host but programs, and it is slow: 20 seconds
//! to boot, and ten times as long as here for most tests.

mod image;
mod machine;
mod payload;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use lexopt::prelude::*;

use super::process::{capture, cargo};
use super::tally::{Program, Tally, not_run};
use super::{Error, Result, build, find_in_path, is_root, workspace};
pub use image::Image;
pub use machine::Lsm;
use machine::{Event, Machine};
pub use payload::Binaries;
use payload::{DONE, ENDED, Selection, Work};

/// How long the machine may take until the first program runs.
const BOOT: Duration = Duration::from_secs(10 * 60);

/// How long all programs may take.
const WORK: Duration = Duration::from_secs(25 * 60);

/// What runs in the machine with either security module: the life of a container.
const ALWAYS: &[&str] = &["lifecycle::"];

/// What the machine cannot do without, and the Debian packages that have it.
const TOOLS: &[(&str, &str)] = &[
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mmdebstrap", "mmdebstrap"),
    ("mke2fs", "e2fsprogs"),
    ("setpriv", "util-linux"),
    ("strip", "binutils"),
];

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    /// Parts of names of tests; none means what the last `cargo xtask test` skipped.
    words: Vec<String>,
    /// A line of shell to run in the machine instead.
    command: Option<String>,
    /// The security module for the tests and the line that are named here.
    lsm: Lsm,
}

impl Options {
    /// Reads the rest of the command line.
    pub fn parse(mut args: lexopt::Parser) -> std::result::Result<Self, lexopt::Error> {
        let mut options = Self { words: Vec::new(), command: None, lsm: Lsm::AppArmor };
        while let Some(arg) = args.next()? {
            match arg {
                Long("selinux") => options.lsm = Lsm::SeLinux,
                Long("sh") => options.command = Some(args.value()?.string()?),
                Value(word) => options.words.push(word.string()?),
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(options)
    }
}

/// Runs what the command line asks for.
pub fn run(options: &Options) -> Result<()> {
    let image = ready()?;
    let binaries = Binaries { shim: &build::shim()?, probe: &build::probe()? };
    if options.command.is_none() && options.words.is_empty() {
        return run_recorded(&image, &binaries);
    }
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let tests =
        if words.is_empty() { Selection::new() } else { select(&programs()?, &BTreeSet::new(), &words)? };
    if tests.is_empty() && options.command.is_none() {
        return Err(Error::Missing(format!("no test's name contains {}", words.join(" or "))));
    }
    let work = Work { binaries: &binaries, tests: &tests, command: options.command.as_deref() };
    let mut tally = Tally::default();
    let outcome = perform(&image, options.lsm, &work, &mut tally);
    summarize(&[&tally]);
    outcome
}

/// What the last `cargo xtask test` skipped, with either security module.
fn run_recorded(image: &Image, binaries: &Binaries<'_>) -> Result<()> {
    let (mut skipped, programs) = (recorded()?, programs()?);
    let mut tallies = Vec::new();
    let mut outcome = Ok(());
    for lsm in Lsm::BOTH {
        let mut tally = Tally::default();
        outcome = outcome.and(run_skipped(image, lsm, (&programs, &skipped), binaries, &mut tally));
        skipped.retain(|name| tally.skips.iter().any(|skip| skip.name() == *name));
        tallies.push(tally);
    }
    summarize(&tallies.iter().collect::<Vec<_>>());
    outcome
}

fn summarize(places: &[&Tally]) {
    for skip in not_run(places) {
        println!("not run: {}: {}", skip.name(), skip.reason);
    }
    places.iter().for_each(|tally| println!("{}", tally.summary()));
}

/// Runs in the machine the tests of `programs` that were skipped so far, and the life of a container. What they report is
/// added to `tally`.
pub fn run_skipped(
    image: &Image,
    lsm: Lsm,
    (programs, skipped): (&[Program], &BTreeSet<String>),
    binaries: &Binaries<'_>,
    tally: &mut Tally,
) -> Result<()> {
    let tests = select(programs, skipped, ALWAYS)?;
    perform(image, lsm, &Work { binaries, tests: &tests, command: None }, tally)
}

/// The image, or why there can be no machine here ([`Error::Missing`]).
pub fn ready() -> Result<Image> {
    if std::env::consts::ARCH != "x86_64" {
        return Err(Error::Missing("the machine is made for hosts with x86_64 only".to_owned()));
    }
    if !is_root() {
        return Err(Error::Missing("not root: the machine's image cannot be built".to_owned()));
    }
    let missing = TOOLS.iter().find(|(program, _)| find_in_path(program).is_none());
    if let Some((program, package)) = missing {
        return Err(Error::Missing(format!("no {program}: Debian's package {package} has it")));
    }
    Image::get().map_err(|error| Error::Missing(format!("the machine's image could not be built: {error}")))
}

/// All test programs, built.
fn programs() -> Result<Vec<Program>> {
    let mut tally = Tally::default();
    // As `cargo xtask test` does it, so that nothing is built twice.
    for packages in [["--workspace", "--exclude", "integration"].as_slice(), &["--package", "integration"]] {
        let mut build = cargo();
        build.args(["test", "--no-run"]).args(packages).stderr(Stdio::piped());
        let output = capture(&mut build)?;
        String::from_utf8_lossy(&output.stderr).lines().for_each(|line| tally.read(line));
    }
    Ok(tally.programs)
}

/// The tests whose name (`program::test`) is in `names` or contains one of `words`.
fn select(programs: &[Program], names: &BTreeSet<String>, words: &[&str]) -> Result<Selection> {
    let mut selection = Selection::new();
    for program in programs {
        let wanted = |test: &String| {
            let name = format!("{}::{test}", program.name());
            names.contains(&name) || words.iter().any(|word| name.contains(word))
        };
        let tests: BTreeSet<_> = program.tests()?.into_iter().filter(wanted).collect();
        if !tests.is_empty() {
            selection.insert(program.clone(), tests);
        }
    }
    Ok(selection)
}

fn folder() -> Result<PathBuf> {
    let folder = workspace().join("target/vm");
    fs::create_dir_all(&folder).map_err(Error::io(format!("cannot make {}", folder.display())))?;
    Ok(folder)
}

/// Keeps what was skipped on the host for `cargo xtask vm` without names.
pub fn record(skipped: &BTreeSet<String>) -> Result<()> {
    let path = folder()?.join("skipped");
    let lines: String = skipped.iter().map(|name| format!("{name}\n")).collect();
    fs::write(&path, lines).map_err(Error::io(format!("cannot write {}", path.display())))
}

fn recorded() -> Result<BTreeSet<String>> {
    let path = folder()?.join("skipped");
    let text = fs::read_to_string(&path).map_err(|_| {
        Error::Missing(
            "name tests, or run `cargo xtask test` first: it finds out what this host lacks".to_owned(),
        )
    })?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Boots the machine, prints what it says, and ends it.
fn perform(image: &Image, lsm: Lsm, work: &Work<'_>, tally: &mut Tally) -> Result<()> {
    let folder = folder()?;
    let temporary = tempfile::tempdir_in(&folder).map_err(Error::io("cannot make a temporary folder"))?;
    let disk = work.disk(temporary.path())?;
    let begin = Instant::now();
    let machine = Machine::boot(image, lsm, &disk, &folder.join("console.log"))?;
    let mut progress = Progress::new(work.tests);
    let mut deadline = begin + BOOT;
    loop {
        let line = match machine.next(deadline)? {
            Event::Line(line) => line,
            Event::Silence => return Err(progress.broken("the machine hangs", &machine)),
            Event::End => return Err(progress.broken("the machine ended by itself", &machine)),
        };
        if progress.last.is_none() {
            println!("The machine with {lsm} booted in {:.0} s.", begin.elapsed().as_secs_f64());
            deadline = Instant::now() + WORK;
        }
        if line == DONE {
            return progress.outcome();
        }
        println!("{line}");
        tally.read(&line);
        progress.read(line, tally);
    }
}

/// Where the machine is in its work.
struct Progress<'a> {
    tests: &'a Selection,
    /// The last line, if there was any.
    last: Option<String>,
    /// Tests of the program that runs now that have not ended.
    pending: BTreeSet<&'a str>,
    /// Programs that did not end well, with their exit codes.
    failures: Vec<String>,
}

impl<'a> Progress<'a> {
    fn new(tests: &'a Selection) -> Self {
        Self { tests, last: None, pending: BTreeSet::new(), failures: Vec::new() }
    }

    fn read(&mut self, line: String, tally: &Tally) {
        if line.starts_with("running ") {
            let tests = tally.programs.last().and_then(|program| self.tests.get(program));
            self.pending = tests.into_iter().flatten().map(String::as_str).collect();
        } else if let Some(test) = line.strip_prefix("test ").and_then(|rest| rest.split(' ').next()) {
            self.pending.remove(test);
        } else if let Some(ended) = line.strip_prefix(ENDED)
            && !ended.ends_with(" 0")
        {
            self.failures.push(ended.to_owned());
        }
        self.last = Some(line);
    }

    fn broken(&self, what: &str, machine: &Machine) -> Error {
        let pending: Vec<_> = self.pending.iter().copied().collect();
        let last = self.last.as_deref().unwrap_or("none");
        let pending = pending.join(" ");
        let console = machine.last_words();
        Error::NotMet(format!(
            "{what}; its last line: {last}\ntests that have not ended: {pending}\n{console}"
        ))
    }

    fn outcome(self) -> Result<()> {
        if self.failures.is_empty() {
            return Ok(());
        }
        let failures = self.failures.join(", ");
        Err(Error::NotMet(format!("failed in the machine (program and exit code): {failures}")))
    }
}
