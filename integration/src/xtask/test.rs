//! Every check and test of the project, and one summary.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::process::{capture, cargo, line, run as run_command};
use super::tally::{Skip, Tally, not_run};
use super::{Error, Result, build, is_root, vm};
use crate::{clients, conformance};

/// The run as a whole: goes on after a failure, to show everything that is wrong at once.
#[derive(Default)]
struct Session {
    tally: Tally,
    /// What the emulated machine reported each time, where there was one.
    machine: Vec<Tally>,
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
        let mut image = None;
        self.step("the emulated machine's image", |session| {
            vm::record(&session.skipped())?;
            match vm::ready() {
                Ok(ready) => image = Some(ready),
                Err(Error::Missing(reason)) => session.notes.push(format!("the emulated machine: {reason}")),
                Err(error) => return Err(error),
            }
            Ok(())
        });
        let Some(image) = image else { return };
        for lsm in vm::Lsm::BOTH {
            self.step(&format!("container tests in the emulated machine with {lsm}"), |session| {
                let (programs, skipped) = (&session.tally.programs, session.skipped());
                let mut tally = Tally::default();
                let binaries = vm::Binaries { shim, probe };
                let outcome = vm::run_skipped(&image, lsm, (programs, &skipped), &binaries, &mut tally);
                session.machine.push(tally);
                outcome
            });
        }
    }

    /// Where tests were run, in order.
    fn places(&self) -> Vec<&Tally> {
        std::iter::once(&self.tally).chain(&self.machine).collect()
    }

    /// The names of the tests that were not run anywhere yet.
    fn skipped(&self) -> BTreeSet<String> {
        not_run(&self.places()).into_iter().map(Skip::name).collect()
    }

    fn finish(self) -> Result<()> {
        println!("\n== Summary");
        for note in &self.notes {
            println!("not run: {note}");
        }
        for skip in not_run(&self.places()) {
            println!("not run: {}: {}", skip.name(), skip.reason);
        }
        println!("{}", self.tally.summary());
        for (lsm, tally) in vm::Lsm::BOTH.iter().zip(&self.machine) {
            println!("in the emulated machine with {lsm}: {}", tally.summary());
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
