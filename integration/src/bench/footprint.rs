//! What a run costs beside time: memory and system calls.

use std::fs;
use std::process::{Command, Stdio};

use super::arena::{Arena, Programs};
use super::contender::Contender;
use crate::xtask::process::capture;
use crate::xtask::{Error, Result, find_in_path};

/// The peak differs from run to run by a few pages; the largest of a few runs is reported.
const RUNS: usize = 5;

/// The peak resident memory of `run` in KiB, of any single process of the runtime.
pub(super) fn peak_kib(arena: &Arena, programs: &Programs, contender: &Contender) -> Result<u64> {
    let file = arena.path("peak");
    let mut largest = 0;
    for n in 0..RUNS {
        let run = contender.run(arena, &format!("bench-peak-{n}"));
        let mut peak = Command::new(&programs.peak);
        peak.arg(&file);
        capture(behind(&mut peak, &run))?;
        let text = fs::read_to_string(&file).map_err(Error::io(format!("cannot read {}", file.display())))?;
        largest = largest.max(text.trim().parse().unwrap_or(0));
    }
    Ok(largest)
}

/// The number of system calls of `run`, of all processes of the runtime and of the container. `None` without strace.
pub(super) fn system_calls(arena: &Arena, contender: &Contender) -> Result<Option<u64>> {
    let Some(strace) = find_in_path("strace") else { return Ok(None) };
    let file = arena.path("strace");
    let run = contender.run(arena, "bench-strace");
    let mut trace = Command::new(strace);
    trace.args(["-f", "-c", "-o"]).arg(&file);
    capture(behind(&mut trace, &run))?;
    let table = fs::read_to_string(&file).map_err(Error::io(format!("cannot read {}", file.display())))?;
    Ok(total(&table))
}

/// Appends a whole command line to a program that runs one.
fn behind<'a>(wrapper: &'a mut Command, command: &Command) -> &'a mut Command {
    wrapper.arg(command.get_program()).args(command.get_args()).stdout(Stdio::null())
}

/// The calls in the last line of strace's table: `100.00 0.003 5 312 14 total`.
fn total(table: &str) -> Option<u64> {
    let line = table.lines().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_is_read_with_and_without_errors() {
        let head = "% time     seconds  usecs/call     calls    errors syscall\n";
        assert_eq!(
            total(&format!("{head}100.00    0.001934          13       144        14 total\n")),
            Some(144)
        );
        assert_eq!(
            total(&format!("{head}100.00    0.001934          13        95           total\n")),
            Some(95)
        );
        assert_eq!(total(head), None);
    }
}
