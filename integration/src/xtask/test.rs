//! Every check and test of the project, and one summary.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::process::{capture, cargo, line, run as run_command};
use super::tally::{Skip, Tally};
use super::{Error, Result, build, is_root, vm};
use crate::{clients, conformance};

/// The run as a whole: goes on after a failure, to show everything that is wrong at once.
#[derive(Default)]
struct Session {
    tally: Tally,
    /// What the emulated machine reported, where there was one.
    machine: Option<Tally>,
    failures: Vec<String>,
    notes: Vec<String>,
}

impl Session {
    fn step(&mut self, title: &str, work: impl FnOnce(&mut Self) -> Result<()>) {
        println!("\n== {title}");
        let begin = Instant::now();
        let outcome = match work(self) {
            Ok(()) => "ok".to_owned(),
            Err(error) => {
                eprintln!("{error}");
                self.failures.push(title.to_owned());
                "FAILED".to_owned()
            }
        };
        println!("== {title}: {outcome} ({:.0} s)", begin.elapsed().as_secs_f64());
    }

    /// A check by an optional part of the toolchain.
    fn lint(&mut self, title: &str, component: &str, command: &mut Command) {
        if capture(cargo().args([component, "--version"])).is_err() {
            self.notes.push(format!("{title}: skipped, `rustup component add {component}` would install it"));
            return;
        }
        self.step(title, |_| run_command(command));
    }

    fn tests(&mut self, title: &str, command: &mut Command) {
        self.step(title, |session| {
            let line = line(command);
            println!("$ {line}");
            let what = || format!("cannot run `{line}`");
            // Tests report on stdout, and why they are skipped on stderr.
            let (output, input) = std::io::pipe().map_err(Error::io(what()))?;
            command.stdout(input.try_clone().map_err(Error::io(what()))?).stderr(input);
            let mut child = command.spawn().map_err(Error::io(what()))?;
            // The command keeps our ends of the pipe, which would never end while they are open.
            command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
            for text in BufReader::new(output).lines() {
                let text = text.map_err(Error::io(what()))?;
                println!("{text}");
                session.tally.read(&text);
            }
            let status = child.wait().map_err(Error::io(what()))?;
            if status.success() {
                return Ok(());
            }
            Err(Error::Failed { command: line, status: status.to_string(), stderr: String::new() })
        });
    }

    /// Programs of others that drive the runtime, unless something is in the way.
    fn foreign(&mut self, title: &str, obstacle: Option<String>, work: impl FnOnce() -> Result<()>) {
        match obstacle {
            Some(reason) => self.notes.push(format!("{title}: skipped, {reason}")),
            None => self.step(title, |session| match work() {
                Err(Error::Missing(reason)) => {
                    session.notes.push(format!("{title}: {reason}"));
                    Ok(())
                }
                outcome => outcome,
            }),
        }
    }

    /// What this host skips, in a machine that has more.
    fn machine(&mut self, shim: &Path, probe: &Path) {
        self.step("container tests in the emulated machine", |session| {
            let mut tally = Tally::default();
            match vm::run_skipped(&session.tally, shim, probe, &mut tally) {
                Err(Error::Missing(reason)) => {
                    session.notes.push(format!("the emulated machine: {reason}"));
                    Ok(())
                }
                outcome => {
                    session.machine = Some(tally);
                    outcome
                }
            }
        });
    }

    fn finish(self) -> Result<()> {
        println!("\n== Summary");
        for note in &self.notes {
            println!("not run: {note}");
        }
        // What was skipped here may have been run there.
        let there = |skip: &&Skip| self.machine.iter().any(|machine| machine.tests.contains(&skip.name()));
        let here = self.tally.skips.iter().filter(|skip| !there(skip));
        for skip in here.chain(self.machine.iter().flat_map(|machine| &machine.skips)) {
            println!("not run: {}: {}", skip.name(), skip.reason);
        }
        println!("{}", self.tally.summary());
        if let Some(machine) = &self.machine {
            println!("in the emulated machine: {}", machine.summary());
        }
        if self.failures.is_empty() {
            return Ok(());
        }
        Err(Error::NotMet(format!("failed: {}", self.failures.join(", "))))
    }
}

/// Runs everything and prints the summary.
pub fn run() -> Result<()> {
    let mut session = Session::default();
    if !is_root() {
        session
            .notes
            .push("not root: tests that make containers skip themselves; run as root for all".to_owned());
    }
    session.lint("formatting", "fmt", cargo().args(["fmt", "--all", "--check"]));
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    session.lint("lints", "clippy", &mut clippy);
    session.step("documentation", |_| {
        run_command(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    });
    let mut unit = cargo();
    unit.args(["test", "--no-fail-fast", "--workspace", "--exclude", "integration"]);
    session.tests("unit and documentation tests", &mut unit);
    let mut binaries = None;
    session.step("static binaries", |_| {
        binaries = Some((build::shim()?, build::probe()?));
        Ok(())
    });
    if let Some((shim, probe)) = binaries {
        let mut integration = cargo();
        integration.args(["test", "--no-fail-fast", "--package", "integration"]);
        session.tests("container tests", integration.env("RUNC_SHIM", &shim).env("PROBE", &probe));
        let hosts = conformance::Options::on(&[conformance::Host::Plain, conformance::Host::V2], &shim);
        session.foreign("validation suite", conformance::obstacle(), || conformance::run(&hosts));
        for release in clients::Release::ALL {
            let managers = clients::Options::all(release, &shim);
            let title = format!("container managers ({})", release.name());
            session.foreign(&title, clients::obstacle(release), || clients::run(&managers));
        }
        session.machine(&shim, &probe);
    }
    session.finish()
}
