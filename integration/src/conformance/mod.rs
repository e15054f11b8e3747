//! `cargo xtask conformance`: the validation suite of the Open Container Initiative's runtime-tools.
//!
//! What is expected of each test is data, and whatever happens otherwise is a failure: a test that passes and should
//! not is one, too, since then the data is wrong.

mod case;
mod expected;
mod outcome;
mod suite;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use lexopt::prelude::*;

use crate::xtask::process::capture;
use crate::xtask::{Error, Result, build, cache, is_root, packages};
use case::{Bench, Outcome};
use expected::Expected;
use outcome::Verdict;
pub use suite::PACKAGES;
use suite::{SHARED, Suite};

/// The tests of labels. They say much only where the kernel has the security module.
const OF_LABELS: [&str; 2] = ["linux_mount_label", "linux_process_apparmor_profile"];

/// How many tests run at a time: they sleep nearly all of the time.
const LANES: usize = 4;

/// How often a test is tried. The suite has time limits of its own, which a busy machine may break.
const TRIES: usize = 3;

/// Which cgroups the tests and the runtime are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// This host's, as they are.
    Plain,
    /// cgroup v1 alone, with the two network controllers, which many hosts do not mount.
    V1Net,
    /// cgroup v2 alone.
    V2,
}

impl Host {
    fn parse(name: &str) -> Option<Self> {
        [Self::Plain, Self::V1Net, Self::V2].into_iter().find(|host| host.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::V1Net => "v1net",
            Self::V2 => "v2",
        }
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    hosts: Vec<Host>,
    /// Only these tests.
    only: Vec<String>,
    /// Another runtime than ours, to see what it does.
    runtime: Option<PathBuf>,
}

impl Options {
    /// The whole suite on these hosts with the binary at `runtime`.
    #[must_use]
    pub fn on(hosts: &[Host], runtime: &Path) -> Self {
        Self { hosts: hosts.to_vec(), only: Vec::new(), runtime: Some(runtime.to_owned()) }
    }

    /// Reads the rest of the command line.
    pub fn parse(mut args: lexopt::Parser) -> std::result::Result<Self, lexopt::Error> {
        let mut options = Self { hosts: Vec::new(), only: Vec::new(), runtime: None };
        while let Some(arg) = args.next()? {
            match arg {
                Long("host") => {
                    let name = args.value()?.string()?;
                    let host = Host::parse(&name)
                        .ok_or_else(|| format!("no host is named `{name}`: plain, v1net or v2"))?;
                    options.hosts.push(host);
                }
                Long("only") => {
                    let names = args.value()?.string()?;
                    options.only.extend(names.split(',').map(str::to_owned));
                }
                Long("runtime") => options.runtime = Some(args.value()?.into()),
                _ => return Err(arg.unexpected()),
            }
        }
        if options.hosts.is_empty() {
            options.hosts.push(Host::Plain);
        }
        Ok(options)
    }
}

/// Why the suite cannot run here as part of all tests, if it cannot.
#[must_use]
pub fn obstacle() -> Option<String> {
    packages::obstacle(&PACKAGES)
}

/// The files that [`check`] needs for tests of labels, if the suite is in the cache.
pub fn of_labels() -> Result<Vec<PathBuf>> {
    let suite = Suite::cached()?;
    Ok(OF_LABELS.iter().chain(&SHARED).map(|name| suite.folder.join(name)).collect())
}

/// Runs one test of the suite in `folder`, and says what it is not content with.
pub fn check(folder: &Path, runtime: &Path, name: &str) -> Result<()> {
    let suite = Suite { folder: folder.to_owned(), tests: Vec::new() };
    let outcome = Bench { suite: &suite, runtime, host: Host::Plain }.run(name)?;
    match outcome.verdict {
        Verdict::All => Ok(()),
        verdict => Err(Error::NotMet(format!("{name}: {verdict}\n{}", outcome.output))),
    }
}

/// Installs what is missing, runs the suite and prints a table.
pub fn run(options: &Options) -> Result<()> {
    if !is_root() {
        return Err(Error::Missing("the suite makes containers: run it as root".to_owned()));
    }
    packages::ensure(&PACKAGES)?;
    let runtime = match &options.runtime {
        Some(path) => std::path::absolute(path).map_err(Error::io("cannot resolve the runtime's path"))?,
        None => build::shim()?,
    };
    let suite = Suite::prepare()?;
    // The tests of cgroups have fixed names, which two runs would share.
    let _one_at_a_time = cache::lock("conformance-run")?;
    let mut surprises = Vec::new();
    for &host in &options.hosts {
        let bench = Bench { suite: &suite, runtime: &runtime, host };
        surprises.extend(run_on(&bench, &options.only)?);
        if host == Host::V1Net {
            capture(&mut case::isolated("forget.sh"))?;
        }
    }
    if surprises.is_empty() {
        return Ok(());
    }
    Err(Error::NotMet(format!("otherwise than expected: {}", surprises.join(", "))))
}

/// Runs the tests on one host, prints their table, and returns the names of those that went otherwise than expected.
fn run_on(bench: &Bench<'_>, only: &[String]) -> Result<Vec<String>> {
    let expected = expected::read(bench.host)?;
    let wanted = |name: &&String| only.is_empty() || only.contains(name);
    let names: Vec<_> = bench.suite.tests.iter().filter(wanted).cloned().collect();
    let mut outcomes = run_in_lanes(bench, &names)?;
    // Alone, once the others are done.
    for _ in 1..TRIES {
        for (name, outcome) in &mut outcomes {
            if !as_expected(&expected, name, outcome.verdict) {
                println!("once more, alone: {name}, which gave {}:\n{}", outcome.verdict, outcome.end());
                *outcome = bench.run(name)?;
            }
        }
    }
    print_table(bench.host, &expected, &outcomes);
    let others = outcomes.iter().filter(|(name, outcome)| !as_expected(&expected, name, outcome.verdict));
    Ok(others.map(|(name, _)| format!("{name} on {}", bench.host.name())).collect())
}

fn as_expected(expected: &BTreeMap<String, Expected>, name: &str, verdict: Verdict) -> bool {
    expected.get(name).is_some_and(|expected| expected.is_met_by(verdict))
}

/// Runs the tests beside each other; those that share names of cgroups, one after another.
fn run_in_lanes(bench: &Bench<'_>, names: &[String]) -> Result<BTreeMap<String, Outcome>> {
    let alone = |name: &&String| name.starts_with("linux_cgroups_") || name.starts_with("delete_");
    let (serial, others): (Vec<_>, Vec<_>) = names.iter().partition(alone);
    let others = Mutex::new(others.into_iter());
    let next = || others.lock().map(|mut others| others.next()).unwrap_or_default();
    let outcomes = Mutex::new(BTreeMap::new());
    let run = |name: &String| -> Result<()> {
        let outcome = bench.run(name)?;
        if let Ok(mut outcomes) = outcomes.lock() {
            outcomes.insert(name.clone(), outcome);
        }
        Ok(())
    };
    let others = || std::iter::from_fn(next).try_for_each(run);
    thread::scope(|scope| {
        let mut lanes: Vec<_> = (1..LANES).map(|_| scope.spawn(others)).collect();
        lanes.push(scope.spawn(|| serial.into_iter().try_for_each(run).and_then(|()| others())));
        lanes.into_iter().try_for_each(|lane| {
            lane.join().unwrap_or_else(|_| Err(Error::NotMet("a thread panicked".to_owned())))
        })
    })?;
    outcomes.into_inner().map_err(|_| Error::NotMet("a thread panicked".to_owned()))
}

fn print_table(host: Host, expected: &BTreeMap<String, Expected>, outcomes: &BTreeMap<String, Outcome>) {
    println!("\nThe validation suite on the {} host:\n", host.name());
    let (mut wholly, mut partly) = (0, 0);
    for (name, outcome) in outcomes {
        match outcome.verdict {
            Verdict::All => wholly += 1,
            Verdict::Part { .. } => partly += 1,
            Verdict::Fails => {}
        }
        let (note, surprise) = match expected.get(name) {
            Some(expected) if expected.is_met_by(outcome.verdict) => {
                (if outcome.verdict == Verdict::All { "" } else { &expected.reason }, false)
            }
            Some(_) => ("OTHERWISE THAN EXPECTED", true),
            None => ("NOT IN THE TABLE", true),
        };
        let (verdict, time) = (outcome.verdict.to_string(), outcome.time.as_secs_f64());
        println!("{}", format!("{name:34} {verdict:8} {time:5.1} s  {note}").trim_end());
        if surprise {
            println!("{}", outcome.output);
        }
    }
    println!("\n{wholly} of {} tests pass wholly, {partly} partly.", outcomes.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_known_by_name() {
        let parse = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        assert_eq!(parse(&[]).unwrap().hosts, [Host::Plain]);
        assert_eq!(parse(&["--host", "v1net", "--host", "v2"]).unwrap().hosts, [Host::V1Net, Host::V2]);
        assert!(parse(&["--host", "v3"]).is_err());
        assert_eq!(parse(&["--only", "create,start"]).unwrap().only, ["create", "start"]);
    }
}
