//! What test programs report, read from the lines that they print.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::capture;
use super::{Result, workspace};

/// A program of tests that cargo built.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program(PathBuf);

impl Program {
    /// Reads cargo's `Running tests/a.rs (target/debug/deps/a-0123)`, or the same with `Executable`.
    fn announced(line: &str) -> Option<Self> {
        let line = line.trim_start();
        let rest = line.strip_prefix("Running ").or_else(|| line.strip_prefix("Executable "))?;
        let (_, path) = rest.strip_suffix(')')?.split_once(" (")?;
        Some(Self(workspace().join(path)))
    }

    /// The executable file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The name of the file, which is unique.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What it is called in the source: `a` for `target/debug/deps/a-0123`.
    #[must_use]
    pub fn name(&self) -> String {
        let file = self.file_name();
        file.rsplit_once('-').map_or(file.as_str(), |(name, _)| name).to_owned()
    }

    /// The tests in it.
    pub fn tests(&self) -> Result<Vec<String>> {
        let output = capture(Command::new(&self.0).args(["--list", "--format", "terse"]))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }
}

/// A test that said why it does not run here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skip {
    /// Where the test is, as far as cargo said so.
    pub program: Option<Program>,
    /// The test's path in its program.
    pub test: String,
    /// What it needs and does not find.
    pub reason: String,
}

impl Skip {
    /// `program::test`, as the tasks name a test.
    #[must_use]
    pub fn name(&self) -> String {
        self.program
            .as_ref()
            .map_or_else(|| self.test.clone(), |program| format!("{}::{}", program.name(), self.test))
    }
}

/// What test programs reported, over all of them.
#[derive(Debug, Default)]
pub struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
    /// Tests that did not run, in the order in which they said so.
    pub skips: Vec<Skip>,
    /// The programs that were run.
    pub programs: Vec<Program>,
    /// The tests that ended, as `program::test`.
    pub tests: BTreeSet<String>,
}

impl Tally {
    /// Reads one line of `cargo test`, or of a test that says why it skips itself.
    pub fn read(&mut self, line: &str) {
        if let Some(program) = Program::announced(line) {
            self.programs.push(program);
        } else if let Some((before, said)) = line.split_once("skipped: ")
            // With a single test thread, the line about the test has begun when the test writes its own.
            && (before.is_empty() || before.starts_with("test "))
        {
            let (test, reason) = said.split_once(": ").unwrap_or((said, ""));
            let program = self.programs.last().cloned();
            self.skips.push(Skip { program, test: test.to_owned(), reason: reason.to_owned() });
        } else if let Some(result) = line.strip_prefix("test result: ") {
            let count = |what: &str| {
                let part = result.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
                part.and_then(|number| number.trim().parse::<usize>().ok()).unwrap_or(0)
            };
            self.passed += count("passed");
            self.failed += count("failed");
            self.ignored += count("ignored");
        } else if let Some(test) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) {
            let program = self.programs.last().map(Program::name).unwrap_or_default();
            self.tests.insert(format!("{program}::{}", test.0));
        }
    }

    /// A test that skips itself counts as passed for the test program, but not for us.
    #[must_use]
    pub fn summary(&self) -> String {
        let skipped: BTreeSet<_> = self.skips.iter().map(|skip| (&skip.program, &skip.test)).collect();
        let passed = self.passed.saturating_sub(skipped.len());
        format!("{passed} passed, {} failed, {} skipped", self.failed, skipped.len() + self.ignored)
    }
}

/// What was not run in the last of the places in which it was tried.
pub fn not_run<'a>(places: &[&'a Tally]) -> Vec<&'a Skip> {
    let mut skips = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let later = places.get(number + 1..).unwrap_or_default();
        let is_last = |skip: &&Skip| later.iter().all(|place| !place.tests.contains(&skip.name()));
        skips.extend(place.skips.iter().filter(is_last));
    }
    skips
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
     Running tests/a.rs (target/debug/deps/a_b-0123)
running 3 tests
test a ... ok
skipped: mounts::on_v1: no cgroup v1 on this host: none
skipped: mounts::on_v1: nor another
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
        assert_eq!(tally.skips[0].name(), "a_b::mounts::on_v1");
        assert_eq!(tally.skips[0].reason, "no cgroup v1 on this host: none");
        assert!(tally.tests.contains("a_b::mounts::on_v1") && !tally.tests.contains("a_b::mounts::on_v2"));
    }

    #[test]
    fn a_test_was_not_run_if_the_last_place_that_tried_it_skipped_it() {
        let tally = |output: &str| {
            let mut tally = Tally::default();
            let program = "Running tests/t.rs (target/debug/deps/t-0123)";
            std::iter::once(program).chain(output.lines()).for_each(|line| tally.read(line));
            tally
        };
        let here = tally(
            "skipped: a: 1\ntest a ... ok\nskipped: b: 2\ntest b ... ok\nskipped: c: 3\ntest c ... ok\n",
        );
        let there = tally("skipped: a: 4\ntest a ... ok\ntest b ... ok\n");
        let reasons: Vec<_> = not_run(&[&here, &there]).iter().map(|skip| skip.reason.as_str()).collect();
        assert_eq!(reasons, ["3", "4"]);
    }

    #[test]
    fn a_program_is_where_cargo_put_it() {
        let built =
            Program::announced("  Executable unittests src/lib.rs (/t/debug/deps/libcontainer-0)").unwrap();
        assert_eq!(
            (built.path(), built.name().as_str()),
            (Path::new("/t/debug/deps/libcontainer-0"), "libcontainer")
        );
        assert_eq!(Program::announced("test Running (x) ... ok"), None);
    }
}
