//! What a check is, and how it is judged: by what it gives with runc.

use std::time::Instant;

use super::Options;
use super::stage::Stage;
use crate::xtask::{Error, Result};

/// A check by a name that says what it shows.
pub(super) struct Check<C> {
    pub(super) name: &'static str,
    pub(super) run: fn(&C) -> Result<()>,
}

/// What runs checks needs to know of a client that uses one runtime.
pub(super) trait Driver {
    /// Removes all containers, whatever state they are in.
    fn clean(&self) -> Result<()>;
    /// Fails if something is left behind.
    fn leaks(&self) -> Result<()>;
    /// What is known to be wrong with the daemon.
    fn log(&self) -> String;
}

/// Runs each check with the control and with ours, and prints a line for each.
pub(super) fn judge<C: Driver>(
    stage: &Stage,
    drivers: &[C; 2],
    checks: &[Check<C>],
    options: &Options,
) -> Result<Report> {
    let mut report = Report::default();
    for check in checks.iter().filter(|check| options.wants(check.name)) {
        let begin = Instant::now();
        let title = format!("{}: {}", stage.name(), check.name);
        let [runc, driver] = drivers;
        let early = options.control_first().then(|| attempt(stage, runc, check));
        let mut ours = attempt(stage, driver, check);
        let control = early.or_else(|| ours.is_err().then(|| attempt(stage, runc, check)));
        // Managers lose output and answers of their own, the more the busier the machine is.
        if let (Some(Ok(())), Err(error)) = (&control, &ours) {
            println!("once more: {title}, which gave: {error}");
            ours = attempt(stage, driver, check);
        }
        let seconds = begin.elapsed().as_secs_f64();
        let word = |result: &Result<()>| if result.is_ok() { "ok" } else { "FAILED" };
        let (control_word, our_word) = (control.as_ref().map_or("-", word), word(&ours));
        let mut line = format!("{title:60} runc {control_word:6}  ours {our_word:6} {seconds:5.1} s");
        match (&control, &ours) {
            (Some(Err(error)), _) => {
                line.push_str(&format!("\nnot judged, for with runc: {error}"));
                report.unjudged.push(title);
            }
            (_, Err(error)) => {
                line.push_str(&format!("\n{error}"));
                report.failed.push(title);
            }
            (_, Ok(())) => report.passed += 1,
        }
        println!("{line}");
    }
    Ok(report)
}

/// One check with one runtime, and whether it left something behind. Cleans up after a failure.
fn attempt<C: Driver>(stage: &Stage, driver: &C, check: &Check<C>) -> Result<()> {
    let result = (check.run)(driver).and_then(|()| driver.leaks());
    result.map_err(|error| {
        let log = driver.log();
        let cleaned = driver.clean();
        stage.sweep();
        let cleaning = match cleaned.and_then(|()| driver.leaks()) {
            Ok(()) => String::new(),
            Err(error) => format!("\nafter cleaning up: {error}"),
        };
        Error::NotMet(format!("{error}\n{log}{cleaning}"))
    })
}

/// How many checks passed with ours, and the names of those that had to and did not.
#[derive(Default)]
pub(super) struct Report {
    passed: usize,
    pub(super) failed: Vec<String>,
    /// Not judged, as runc does not pass it here either.
    unjudged: Vec<String>,
}

impl Report {
    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.unjudged.extend(other.unjudged);
    }

    pub(super) fn summarise(self) -> Result<()> {
        let Self { passed, failed, unjudged } = self;
        println!("\n{passed} checks passed, {} failed, {} not judged.", failed.len(), unjudged.len());
        if !unjudged.is_empty() {
            println!("runc does not pass: {}", unjudged.join("; "));
        }
        if passed == 0 && failed.is_empty() {
            return Err(Error::NotMet("nothing was checked".to_owned()));
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(Error::NotMet(format!("failed: {}", failed.join("; "))))
    }
}
