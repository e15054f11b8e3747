//! The benchmark: the same container by every runtime on this host, in one run and alternating.
//!
//! `docs/benchmark.md` says how to read its tables.

mod arena;
mod binds;
mod contender;
mod footprint;
mod limits;
mod numbers;
mod report;
mod rounds;
mod running;
mod sealing;
pub mod seccomp;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use arena::{Arena, Programs};
use contender::{Contender, FLOOR, US};
use lexopt::prelude::*;
use numbers::Stats;
use report::{Report, Row, TARGETS};

use crate::xtask::{Error, Result, build, is_root};

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    /// How often each contender is measured.
    runs: usize,
    /// The contenders to measure beside the floor; all where empty.
    only: Vec<String>,
    /// Where the result goes as JSON.
    json: Option<PathBuf>,
    /// Whether a missed target is a failure.
    check: bool,
}

impl Options {
    /// Reads the rest of the command line.
    pub fn parse(mut args: lexopt::Parser) -> std::result::Result<Self, lexopt::Error> {
        let mut options = Self { runs: 60, only: Vec::new(), json: None, check: false };
        while let Some(arg) = args.next()? {
            match arg {
                Long("runs") => options.runs = args.value()?.parse::<usize>()?.max(1),
                Long("only") => {
                    options.only = args.value()?.string()?.split(',').map(str::to_owned).collect()
                }
                Long("json") => options.json = Some(args.value()?.into()),
                Long("check") => options.check = true,
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(options)
    }

    fn wants(&self, contender: &Contender) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == contender.name)
    }
}

/// Builds what is needed, measures, prints the tables, and judges them if asked to.
pub fn run(options: &Options) -> Result<()> {
    if !is_root() {
        return Err(Error::Missing(
            "the benchmark mounts file systems and makes containers: run it as root".to_owned(),
        ));
    }
    let programs = Programs::build()?;
    let contenders = contenders(options, &programs)?;
    // Resolved before the mount namespace changes, so that a relative path means what the caller meant.
    let json = options.json.as_deref().map(std::path::absolute).transpose();
    let json = json.map_err(Error::io("cannot resolve the path of --json"))?;
    let arena = Arena::new(&programs)?;
    let contenders = able(&arena, contenders)?;
    let report = measure(&arena, &programs, &contenders, options.runs)?;
    println!("{report}");
    if let Some(path) = json {
        let text =
            serde_json::to_string_pretty(&report).map_err(Error::io("cannot write the result as JSON"))?;
        fs::write(&path, text).map_err(Error::io(format!("cannot write {}", path.display())))?;
    }
    judge(&report, options.check)
}

fn contenders(options: &Options, programs: &Programs) -> Result<Vec<Contender>> {
    let mut contenders = vec![Contender { name: FLOOR, program: programs.floor.clone() }];
    let us = Contender { name: US, program: build::shim()? };
    contenders
        .extend([us].into_iter().chain(contender::peers()).filter(|contender| options.wants(contender)));
    Ok(contenders)
}

/// Leaves out peers that cannot run on this host, and says why. That we ourselves cannot is an error.
fn able(arena: &Arena, contenders: Vec<Contender>) -> Result<Vec<Contender>> {
    let mut able = Vec::new();
    for contender in contenders {
        match rounds::rehearse(arena, &contender) {
            Ok(()) => able.push(contender),
            Err(error) if contender.is_peer() => eprintln!("{} is left out: {error}", contender.name),
            Err(error) => return Err(error),
        }
    }
    Ok(able)
}

fn measure(arena: &Arena, programs: &Programs, contenders: &[Contender], runs: usize) -> Result<Report> {
    let run =
        rounds::measure(arena, contenders, runs, |contender, id| rounds::run_once(arena, contender, id))?;
    let runtimes: Vec<_> = contenders.iter().filter(|contender| !contender.is_floor()).cloned().collect();
    let lives =
        rounds::measure(arena, &runtimes, runs, |contender, id| rounds::live_once(arena, contender, id))?;
    let mut rows = Vec::new();
    for (contender, samples) in contenders.iter().zip(&run) {
        let Some(run) = Stats::of(samples) else { continue };
        let lives =
            runtimes.iter().position(|other| other.name == contender.name).and_then(|at| lives.get(at));
        rows.push(Row {
            name: contender.name,
            version: contender.version(),
            run,
            life: lives.and_then(|lives| Stats::of(&totals(lives))),
            parts: lives.map(|lives| part_medians(lives)).unwrap_or_default(),
            peak_kib: footprint::peak_kib(arena, programs, contender)?,
            size_kib: contender.size_kib(),
            system_calls: footprint::system_calls(arena, contender)?,
        });
    }
    let binds = binds::measure(arena, programs, contenders, runs)?;
    let running = running::measure(arena, programs, &runtimes, runs)?;
    let sealing = sealing::cost(contenders, runs)?;
    // Last, for it changes the host.
    let limits = limits::measure(arena, programs, &runtimes, runs)?;
    Ok(Report { runs, rows, binds, running, limits, sealing })
}

fn totals(lives: &[rounds::Life]) -> Vec<Duration> {
    lives.iter().map(|life| life.iter().sum()).collect()
}

fn part_medians(lives: &[rounds::Life]) -> Vec<(&'static str, f64)> {
    let median = |part: usize| {
        let samples: Vec<_> = lives.iter().filter_map(|life| life.get(part).copied()).collect();
        Stats::of(&samples).map(|stats| stats.median)
    };
    let parts = rounds::PARTS.into_iter().enumerate();
    parts.filter_map(|(index, name)| median(index).map(|median| (name, median))).collect()
}

fn judge(report: &Report, check: bool) -> Result<()> {
    let misses = report.misses(&TARGETS);
    if misses.is_empty() {
        println!("All targets are met.");
        return Ok(());
    }
    let text = format!("targets missed:\n  {}", misses.join("\n  "));
    if check {
        return Err(Error::NotMet(text));
    }
    println!("{text}");
    Ok(())
}
