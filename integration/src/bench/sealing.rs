//! What executable sealing adds to a start.

use std::process::{Command, Stdio};

use super::contender::{Contender, US};
use super::numbers::Stats;
use super::rounds::timed;
use crate::xtask::Result;

/// The difference of the medians of a start with and without sealing, in milliseconds: of the help of a command that
/// seals and of one that does not.
pub(super) fn cost(contenders: &[Contender], runs: usize) -> Result<Option<f64>> {
    let Some(us) = contenders.iter().find(|contender| contender.name == US) else { return Ok(None) };
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        with.push(timed(&mut help(us, "create"))?);
        without.push(timed(&mut help(us, "delete"))?);
    }
    Ok(Stats::of(&with).zip(Stats::of(&without)).map(|(with, without)| with.median - without.median))
}

fn help(us: &Contender, command: &str) -> Command {
    let mut help = Command::new(&us.program);
    help.args([command, "--help"]).stdin(Stdio::null()).stdout(Stdio::null());
    help
}
