//! What is done to a container that runs: one more program in it, and its end by force.

use std::fmt::{self, Formatter};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{WaitOptions, waitpid};
use serde::Serialize;

use super::arena::{Arena, Programs};
use super::contender::{Contender, US};
use super::numbers::Stats;
use super::report::{ratio, times};
use super::rounds;
use crate::xtask::{Error, Result};

/// What was measured for one contender.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Running {
    /// The contender's name.
    pub(super) name: &'static str,
    /// `exec` of a program that ends at once, in milliseconds.
    pub(super) exec: Stats,
    /// `delete --force`, in milliseconds.
    pub(super) delete: Stats,
}

/// What this project promises: the peer, and the most that our time may be of its.
const TARGETS: [(&str, &str, f64); 3] =
    [("exec", "crun", 0.5), ("exec", "runc", 0.2), ("delete --force", "runc", 0.2)];

impl Running {
    fn of(&self, what: &str) -> Stats {
        if what == "exec" { self.exec } else { self.delete }
    }
}

/// Measures every runtime.
pub(super) fn measure(
    arena: &Arena,
    programs: &Programs,
    runtimes: &[Contender],
    runs: usize,
) -> Result<Vec<Running>> {
    let bundle = make_bundle(arena, programs)?;
    let name = |runtime: &Contender| format!("bench-{}-running", runtime.name);
    for runtime in runtimes {
        start(arena, runtime, &bundle, &name(runtime))?;
    }
    let execs = rounds::measure(arena, runtimes, runs, |runtime, _| {
        rounds::timed(runtime.call(arena, "exec").arg(name(runtime)).arg("/noop"))
    });
    // Whatever became of that, none of the containers stays.
    for runtime in runtimes {
        end(arena, runtime, &name(runtime))?;
    }
    let deletes = rounds::measure(arena, runtimes, runs, |runtime, id| {
        start(arena, runtime, &bundle, id)?;
        end(arena, runtime, id)
    })?;
    let execs = execs?;
    let rows = runtimes.iter().zip(execs.iter().zip(&deletes));
    let row = |(runtime, (execs, deletes)): (&Contender, (&Vec<_>, &Vec<_>))| {
        Some(Running { name: runtime.name, exec: Stats::of(execs)?, delete: Stats::of(deletes)? })
    };
    Ok(rows.filter_map(row).collect())
}

/// The container that stays, with a program that ends at once beside its own.
fn make_bundle(arena: &Arena, programs: &Programs) -> Result<PathBuf> {
    let bundle = arena.path("running");
    arena.make_bundle(&bundle, &programs.pause)?;
    let copy = bundle.join("rootfs/noop");
    fs::copy(&programs.noop, &copy).map_err(Error::io(format!("cannot make {}", copy.display())))?;
    Ok(bundle)
}

fn start(arena: &Arena, runtime: &Contender, bundle: &Path, id: &str) -> Result<()> {
    rounds::timed(runtime.call(arena, "create").arg("--bundle").arg(bundle).arg(id))?;
    rounds::timed(runtime.call(arena, "start").arg(id)).map(drop)
}

/// The time of the end by force. Its process becomes our child when `create` ends, and is gone when we have waited for it.
fn end(arena: &Arena, runtime: &Contender, id: &str) -> Result<Duration> {
    let pid = rounds::pid_of(arena, runtime, id)?;
    let time = rounds::timed(runtime.call(arena, "delete").args(["--force", id]))?;
    waitpid(Some(pid), WaitOptions::empty()).map_err(Error::io("cannot wait for a deleted container"))?;
    Ok(time)
}

/// One sentence for each target that is missed.
pub(super) fn misses(rows: &[Running]) -> Vec<String> {
    let row = |name: &str| rows.iter().find(|row| row.name == name);
    let Some(us) = row(US) else { return Vec::new() };
    let judge = |(what, peer, target): (&str, &str, f64)| {
        let ratio = us.of(what).median / row(peer)?.of(what).median;
        let sentence = format!("{what} takes {ratio:.2} times as long as {peer}; the target is {target}");
        (ratio > target).then_some(sentence)
    };
    TARGETS.into_iter().filter_map(judge).collect()
}

pub(super) fn write(rows: &[Running], f: &mut Formatter<'_>) -> fmt::Result {
    for what in ["exec", "delete --force"] {
        writeln!(f, "\nOne {what}, times in ms\n")?;
        writeln!(f, "{:<10}{:>9}{:>9}{:>9}{:>9}{:>9}", "", "median", "p95", "min", "x crun", "x runc")?;
        for row in rows {
            let over = |peer: &str| {
                let peer = rows.iter().find(|other| other.name == peer);
                ratio(peer.map(|peer| row.of(what).median / peer.of(what).median))
            };
            writeln!(f, "{:<10}{}{}{}", row.name, times(row.of(what)), over("crun"), over("runc"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_miss_is_named() {
        let at = |median: f64| Stats { median, p95: median, min: median };
        let row = |name, exec, delete| Running { name, exec: at(exec), delete: at(delete) };
        let peers = [row("crun", 4.0, 9.0), row("runc", 20.0, 100.0)];
        let with = |us: Running| misses(&[peers.to_vec(), vec![us]].concat());
        assert!(with(row(US, 2.0, 20.0)).is_empty());
        let all = with(row(US, 5.0, 30.0)).join("\n");
        for words in ["exec takes 1.25 times as long as crun", "exec takes 0.25", "delete --force takes 0.30"]
        {
            assert!(all.contains(words), "{words:?} is not in:\n{all}");
        }
    }
}
