//! Every check and test of the project, and one summary.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::process::{capture, cargo, line, run as run_command};
use super::{Error, Result, build, is_root};

/// What the test programs reported, over all of them.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    passed: usize,
    failed: usize,
    /// Tests that did not run on this host, each with its reason.
    skipped: BTreeSet<String>,
    /// Tests that are marked `#[ignore]`.
    ignored: usize,
    /// The test whose output is being shown.
    current: String,
}

impl Tally {
    /// Reads one line of `cargo test -- --show-output`.
    fn read(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            name.clone_into(&mut self.current);
        } else if let Some(reason) = line.strip_prefix("skipped: ") {
            self.skipped.insert(format!("{}: {reason}", self.current));
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
            // `--show-output` also shows what passing tests print: a skipped test says so there.
            command.args(["--", "--show-output"]).stdout(Stdio::piped());
            let line = line(command);
            println!("$ {line}");
            let what = || format!("cannot run `{line}`");
            let mut child = command.spawn().map_err(Error::io(what()))?;
            if let Some(stdout) = child.stdout.take() {
                for text in BufReader::new(stdout).lines() {
                    let text = text.map_err(Error::io(what()))?;
                    println!("{text}");
                    session.tally.read(&text);
                }
            }
            let status = child.wait().map_err(Error::io(what()))?;
            if status.success() {
                return Ok(());
            }
            Err(Error::Failed { command: line, status: status.to_string(), stderr: String::new() })
        });
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
        session.tests("container tests", integration.env("RUNC_SHIM", shim).env("PROBE", probe));
    }
    session.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 3 tests
test a ... ok

successes:

---- mounts::on_v1 stdout ----
skipped: no cgroup v1 on this host

successes:
    a

test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s
test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn a_skipped_test_is_not_counted_as_passed() {
        let mut tally = Tally::default();
        OUTPUT.lines().for_each(|line| tally.read(line));
        assert_eq!(tally.summary(), "2 passed, 2 failed, 2 skipped");
        assert!(tally.skipped.contains("mounts::on_v1: no cgroup v1 on this host"));
    }
}
