//! What a bind mount costs: the container that ends at once, with a hundred and with five hundred of them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::arena::{Arena, Programs};
use super::contender::Contender;
use super::numbers::Stats;
use super::rounds;
use crate::xtask::{Error, Result};

/// How many binds the bundles have.
pub(super) const COUNTS: [usize; 2] = [100, 500];

/// What was measured for one contender.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Binds {
    /// The contender's name.
    pub(super) name: &'static str,
    /// `run` in milliseconds, for each of [`COUNTS`].
    pub(super) run: [Stats; COUNTS.len()],
}

impl Binds {
    /// What each of the first binds costs, and each of those after them, in microseconds. `without` is the time of a
    /// run without binds in milliseconds. The same number twice is a cost that stays flat.
    #[must_use]
    pub(super) fn each(&self, without: f64) -> [f64; COUNTS.len()] {
        let [few, many] = self.run.map(|stats| stats.median);
        let [first, all] = COUNTS.map(|count| count as f64);
        [(few - without) / first * 1000.0, (many - few) / (all - first) * 1000.0]
    }
}

/// What the bind of this number shows.
pub(super) fn source(bundle: &Path, number: usize) -> PathBuf {
    bundle.join(format!("sources/{number}"))
}

/// Where the container sees it.
pub(super) fn destination(number: usize) -> String {
    format!("/binds/{number}")
}

/// Measures every contender; a peer that cannot run such a container is left out, and the reason is printed.
pub(super) fn measure(
    arena: &Arena,
    programs: &Programs,
    runtimes: &[Contender],
    runs: usize,
) -> Result<Vec<Binds>> {
    let mut bundles = Vec::new();
    for count in COUNTS {
        bundles.push((count, make_bundle(arena, programs, count)?));
    }
    let able = rounds::able(runtimes, "the binds", |runtime, id| {
        let mut all = bundles.iter();
        all.try_for_each(|(count, bundle)| {
            rounds::rehearse_command(runtime.run_with_binds(arena, bundle, *count, id))
        })
    })?;
    let mut samples = Vec::new();
    for (count, bundle) in &bundles {
        samples.push(rounds::measure(arena, &able, runs, |runtime, id| {
            rounds::timed(&mut runtime.run_with_binds(arena, bundle, *count, id))
        })?);
    }
    let stats = |lane: usize, place: usize| {
        samples.get(lane).and_then(|lanes| lanes.get(place)).and_then(|samples| Stats::of(samples))
    };
    let row = |(place, runtime): (usize, &Contender)| {
        Some(Binds { name: runtime.name, run: [stats(0, place)?, stats(1, place)?] })
    };
    Ok(able.iter().enumerate().filter_map(row).collect())
}

/// A bundle with `count` binds, as clients write them: recursive, read-only, each of a folder of its own.
fn make_bundle(arena: &Arena, programs: &Programs, count: usize) -> Result<PathBuf> {
    let bundle = arena.path(&format!("binds-{count}"));
    arena.make_bundle(&bundle, &programs.noop)?;
    arena.configure(&bundle, |config| {
        for number in 0..count {
            let (source, destination) = (source(&bundle, number), destination(number));
            for folder in [&source, &bundle.join("rootfs").join(destination.trim_start_matches('/'))] {
                fs::create_dir_all(folder).map_err(Error::io(format!("cannot make {}", folder.display())))?;
            }
            if let Some(mounts) = config.pointer_mut("/mounts").and_then(Value::as_array_mut) {
                mounts.push(json!({ "type": "bind", "source": source, "destination": destination,
                    "options": ["rbind", "rprivate", "ro"] }));
            }
        }
        Ok(())
    })?;
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_cost_is_the_same_number_twice() {
        let at = |median: f64| Stats { median, p95: median, min: median };
        let binds = Binds { name: "x", run: [at(5.0), at(13.0)] };
        assert_eq!(binds.each(3.0), [20.0, 20.0]);
    }
}
