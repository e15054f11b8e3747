//! What executable sealing adds to a start.

use std::process::{Command, Stdio};

use super::arena::Programs;
use super::numbers::Stats;
use super::rounds::timed;
use crate::xtask::Result;

/// The difference of the medians of a start with and without sealing, in milliseconds.
pub(super) fn cost(programs: &Programs, runs: usize) -> Result<Option<f64>> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        with.push(timed(&mut start(programs, "yes"))?);
        without.push(timed(&mut start(programs, "no"))?);
    }
    Ok(Stats::of(&with).zip(Stats::of(&without)).map(|(with, without)| with.median - without.median))
}

fn start(programs: &Programs, seal: &str) -> Command {
    let mut command = Command::new(&programs.seal);
    command.arg(seal).stdin(Stdio::null()).stdout(Stdio::null());
    command
}
