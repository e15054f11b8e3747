//! Every check and test of the project, and one summary.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::process::{capture, cargo, line, run as run_command};
use super::{Error, Result, build, is_root};
use crate::{clients, conformance};

/// What the test programs reported, over all of them.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: usize,
    failed: usize,
    /// Tests that did not run on this host, each with its reason.
    skipped: Vec<String>,
    /// Tests that are marked `#[ignore]`.
    ignored: usize,
}

impl Tally {
    /// Reads one line of `cargo test` or of a test that says why it skips itself.
    fn read(&mut self, line: &str) {
        // With a single test thread, the line about the test has begun when the test writes its own.
        if let Some((before, reason)) = line.split_once("skipped: ")
            && (before.is_empty() || before.starts_with("test "))
        {
            self.skipped.push(reason.to_owned());
        } else if let Some(result) = line.strip_prefix("test result: ") {
            let count = |what: &str| {
                let part = result.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
                part.and_then(|number| number.trim().parse::<usize>().ok()).unwrap_or(0)
            };
            self.passed += count("passed");
            self.failed += count("failed");
            self.ignored += count("ignored");
        }
    }

    /// A test that skips itself counts as passed for the test program, but not for us.
    fn summary(&self) -> String {
        let skipped = self.skipped.len();
        let passed = self.passed.saturating_sub(skipped);
        format!("{passed} passed, {} failed, {} skipped", self.failed, skipped + self.ignored)
    }
}

/// The run as a whole: goes on after a failure, to show everything that is wrong at once.
#[derive(Default)]
struct Session {
    tally: Tally,
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
            None => self.step(title, |_| work()),
        }
    }

    fn finish(self) -> Result<()> {
        println!("\n== Summary");
        for note in self.notes.iter().chain(&self.tally.skipped) {
            println!("not run: {note}");
        }
        println!("{}", self.tally.summary());
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
        session.tests("container tests", integration.env("RUNC_SHIM", &shim).env("PROBE", probe));
        let hosts = conformance::Options::on(&[conformance::Host::Plain, conformance::Host::V2], &shim);
        session.foreign("validation suite", conformance::obstacle(), || conformance::run(&hosts));
        let managers = clients::Options::all(&shim);
        session.foreign("container managers", clients::obstacle(), || clients::run(&managers));
    }
    session.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test a ... ok
skipped: mounts::on_v1: no cgroup v1 on this host
test mounts::on_v1 ... ok
test hooks::slow ... skipped: hooks::slow: not root
ok
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn a_skipped_test_is_not_counted_as_passed() {
        let mut tally = Tally::default();
        OUTPUT.lines().for_each(|line| tally.read(line));
        assert_eq!(tally.summary(), "1 passed, 2 failed, 3 skipped");
        assert!(tally.skipped.iter().any(|line| line == "mounts::on_v1: no cgroup v1 on this host"));
    }
}
