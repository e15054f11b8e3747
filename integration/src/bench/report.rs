//! The results as tables, as JSON, and against the targets.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::binds::{Binds, COUNTS};
use super::contender::{FLOOR, US};
use super::limits::Limits;
use super::numbers::Stats;
use super::rounds::PARTS;
use super::running::{self, Running};

/// What was measured for one contender.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    /// The contender's name.
    pub(super) name: &'static str,
    /// The first line of its `--version`.
    pub(super) version: Option<String>,
    /// `run` of a container that ends at once, in milliseconds.
    pub(super) run: Stats,
    /// Create, start, state, kill, exit and delete together, in milliseconds; not for the floor.
    pub(super) life: Option<Stats>,
    /// The medians of the parts of a life, by name, in milliseconds.
    pub(super) parts: Vec<(&'static str, f64)>,
    /// Peak resident memory of `run` in KiB.
    pub(super) peak_kib: u64,
    /// The size of the program in KiB.
    pub(super) size_kib: u64,
    /// System calls of one `run`; `None` where strace is missing.
    pub(super) system_calls: Option<u64>,
}

/// The whole result.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    /// How often each was measured.
    pub(super) runs: usize,
    /// One row for each contender.
    pub(super) rows: Vec<Row>,
    /// The cost of binds, one row for each contender that can have them.
    pub(super) binds: Vec<Binds>,
    /// What is done to containers that run, one row for each runtime.
    pub(super) running: Vec<Running>,
    /// The cost of limits, one row for each runtime and kind of host.
    pub(super) limits: Vec<Limits>,
    /// What executable sealing adds to one start of our program, in milliseconds; `None` where it was not measured.
    pub(super) sealing: Option<f64>,
}

/// What this project promises.
pub(super) struct Targets {
    /// `run` over the floor.
    pub(super) over_floor: f64,
    /// `run` over crun.
    pub(super) over_crun: f64,
    /// `run` with the most binds, over crun.
    pub(super) binds_over_crun: f64,
    /// `run` with limits, over each peer.
    pub(super) limits_over_peers: f64,
    /// Peak resident memory and size of the program, in KiB.
    pub(super) kib: u64,
}

/// The promises as they stand.
pub(super) const TARGETS: Targets = Targets {
    over_floor: 1.6,
    over_crun: 0.5,
    binds_over_crun: 1.0 / 3.0,
    limits_over_peers: 1.0,
    kib: 3 * 1024,
};

impl Report {
    fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    fn run_ratio(&self, row: &Row, other: &str) -> Option<f64> {
        self.row(other).map(|other| row.run.median / other.run.median)
    }

    /// One sentence for each target that is missed, or cannot be judged.
    #[must_use]
    pub(super) fn misses(&self, targets: &Targets) -> Vec<String> {
        let Some(us) = self.row(US) else { return vec![format!("{US} was not measured")] };
        let mut misses = Vec::new();
        for (other, limit) in [(FLOOR, targets.over_floor), ("crun", targets.over_crun)] {
            match self.run_ratio(us, other) {
                None => {
                    misses.push(format!("run against {other} cannot be judged: {other} was not measured"))
                }
                Some(ratio) if ratio > limit => {
                    misses.push(format!(
                        "run takes {ratio:.2} times as long as {other}; the target is {limit}"
                    ));
                }
                Some(_) => {}
            }
        }
        misses.extend(self.misses_of_binds(targets));
        misses.extend(running::misses(&self.running));
        misses.extend(self.misses_of_limits(targets));
        for (what, value) in [("peak memory", us.peak_kib), ("the binary", us.size_kib)] {
            if value >= targets.kib {
                misses.push(format!("{what} is {value} KiB; the target is under {} KiB", targets.kib));
            }
        }
        misses
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nOne container that ends at once (run), medians of {} alternating runs, times in ms\n",
            self.runs
        )?;
        writeln!(
            f,
            "{:<10}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}{:>12}{:>10}",
            "", "median", "p95", "min", "x floor", "x crun", "peak KiB", "binary KiB", "syscalls"
        )?;
        for row in &self.rows {
            write!(f, "{:<10}{}", row.name, times(row.run))?;
            write!(f, "{}{}", ratio(self.run_ratio(row, FLOOR)), ratio(self.run_ratio(row, "crun")))?;
            let calls = row.system_calls.map_or_else(|| "-".to_owned(), |calls| calls.to_string());
            writeln!(f, "{:>10}{:>12}{calls:>10}", row.peak_kib, row.size_kib)?;
        }
        self.write_lives(f)?;
        self.write_binds(f)?;
        running::write(&self.running, f)?;
        self.write_limits(f)?;
        match self.sealing {
            Some(cost) => writeln!(f, "\nSealing the executable adds {:.0} µs to a start.", cost * 1000.0),
            None => writeln!(f, "\nSealing the executable: not measured."),
        }
    }
}

impl Report {
    /// `run` with the most binds, over crun.
    fn binds_ratio(&self, row: &Binds) -> Option<f64> {
        let crun = self.binds.iter().find(|binds| binds.name == "crun")?;
        let [_, many] = row.run;
        let [_, peer] = crun.run;
        Some(many.median / peer.median)
    }

    fn misses_of_binds(&self, targets: &Targets) -> Option<String> {
        let us = self.binds.iter().find(|binds| binds.name == US)?;
        let ratio = self.binds_ratio(us).filter(|ratio| *ratio > targets.binds_over_crun)?;
        let [_, many] = COUNTS;
        let target = targets.binds_over_crun;
        let floor = self.binds.iter().find(|binds| binds.name == FLOOR).and_then(|row| self.binds_ratio(row));
        let floor = floor.map_or_else(String::new, |floor| format!(", the floor {floor:.2}"));
        Some(format!(
            "run with {many} binds takes {ratio:.2} times as long as crun{floor}; the target is {target:.2}"
        ))
    }

    fn write_binds(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [few, many] = COUNTS;
        writeln!(
            f,
            "\nOne run with {few} and with {many} binds, times in ms, the cost of each bind in µs\n"
        )?;
        let (first, rest) = (format!("first {few}"), format!("next {}", many - few));
        writeln!(f, "{:<10}{few:>9}{many:>9}{:>9}  |{first:>11}{rest:>11}", "", "x crun")?;
        for row in &self.binds {
            let [at_few, at_many] = row.run.map(|stats| stats.median);
            let without = self.row(row.name).map_or(0.0, |row| row.run.median);
            let [first, rest] = row.each(without);
            write!(f, "{:<10}{at_few:>9.2}{at_many:>9.2}{}", row.name, ratio(self.binds_ratio(row)))?;
            writeln!(f, "  |{first:>11.1}{rest:>11.1}")?;
        }
        Ok(())
    }

    fn misses_of_limits(&self, targets: &Targets) -> Vec<String> {
        let ours = self.limits.iter().filter(|row| row.name == US);
        let pairs = ours.flat_map(|us| self.limits.iter().map(move |peer| (us, peer)));
        let behind = pairs.filter(|(us, peer)| {
            peer.host == us.host
                && peer.name != US
                && us.run.median > peer.run.median * targets.limits_over_peers
        });
        let sentence = |(us, peer): (&Limits, &Limits)| {
            let ratio = us.run.median / peer.run.median;
            format!("run with limits on {} takes {ratio:.2} times as long as {}", us.host, peer.name)
        };
        behind.map(sentence).collect()
    }

    fn write_limits(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nOne run with limits, times in ms\n")?;
        writeln!(f, "{:<16}{:>9}{:>9}{:>9}{:>9}", "", "median", "p95", "min", "x crun")?;
        for row in &self.limits {
            let crun = self.limits.iter().find(|other| other.host == row.host && other.name == "crun");
            let over = ratio(crun.map(|crun| row.run.median / crun.run.median));
            writeln!(f, "{:<4}{:<12}{}{over}", row.host, row.name, times(row.run))?;
        }
        Ok(())
    }

    fn write_lives(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nOne whole life, medians of {} alternating runs, times in ms\n", self.runs)?;
        write!(f, "{:<10}{:>9}{:>9}{:>9}{:>9}  |", "", "median", "p95", "min", "x crun")?;
        PARTS.iter().try_for_each(|part| write!(f, "{part:>9}"))?;
        writeln!(f)?;
        let crun = self.row("crun").and_then(|row| row.life);
        for row in &self.rows {
            let Some(life) = row.life else { continue };
            write!(f, "{:<10}{}", row.name, times(life))?;
            write!(f, "{}  |", ratio(crun.map(|crun| life.median / crun.median)))?;
            row.parts.iter().try_for_each(|(_, median)| write!(f, "{median:>9.2}"))?;
            writeln!(f)?;
        }
        Ok(())
    }
}

pub(super) fn times(stats: Stats) -> String {
    format!("{:>9.2}{:>9.2}{:>9.2}", stats.median, stats.p95, stats.min)
}

pub(super) fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| format!("{:>9}", "-"), |value| format!("{value:>9.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, median: f64, kib: u64) -> Row {
        let run = Stats { median, p95: median, min: median };
        let (parts, life, version) = (Vec::new(), None, None);
        Row { name, version, run, life, parts, peak_kib: kib, size_kib: kib, system_calls: None }
    }

    fn report(ours: f64, kib: u64) -> Report {
        let rows = vec![row(FLOOR, 2.0, 500), row(US, ours, kib), row("crun", 7.0, 2000)];
        let at = |median: f64| Stats { median, p95: median, min: median };
        let binds = |name, ms: f64| Binds { name, run: [at(ms / 4.0), at(ms)] };
        let binds = vec![binds(US, ours * 2.0), binds("crun", 20.0)];
        let limits = |name, ms: f64| Limits { host: "v1", name, run: at(ms) };
        let limits = vec![limits(US, ours), limits("crun", 3.5)];
        Report { runs: 1, rows, binds, running: Vec::new(), limits, sealing: None }
    }

    #[test]
    fn a_fast_and_small_runtime_misses_nothing() {
        assert!(report(3.2, 3071).misses(&TARGETS).is_empty());
    }

    #[test]
    fn every_miss_is_named() {
        let misses = report(4.0, 3072).misses(&TARGETS).join("\n");
        for words in [
            "2.00 times as long as floor",
            "0.57 times as long as crun",
            "with 500 binds takes 0.40 times",
            "with limits on v1 takes 1.14 times as long as crun",
            "peak memory is 3072",
            "binary is 3072",
        ] {
            assert!(misses.contains(words), "{words:?} is not in:\n{misses}");
        }
    }

    #[test]
    fn a_target_without_its_peer_is_not_met() {
        let mut report = report(3.0, 1000);
        report.rows.retain(|row| row.name != "crun");
        assert!(report.misses(&TARGETS).join("\n").contains("crun was not measured"));
    }
}
