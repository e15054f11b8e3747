//! Taking the times: every round measures every contender once, in a new order each time.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, wait, waitpid};

use super::arena::Arena;
use super::contender::Contender;
use super::numbers::Shuffle;
use crate::xtask::process::{capture, line};
use crate::xtask::{Error, Result};

/// The timed parts of a container's life, in order. `exit` is the wait for the killed process.
pub(super) const PARTS: [&str; 6] = ["create", "start", "state", "kill", "exit", "delete"];

/// The times of one full life, one for each of [`PARTS`].
pub(super) type Life = [Duration; 6];

/// Measures each contender `runs` times; the result has the contenders' order. A round in which a peer fails gives no
/// sample of it.
pub(super) fn measure<T>(
    arena: &Arena,
    contenders: &[Contender],
    runs: usize,
    mut once: impl FnMut(&Contender, &str) -> Result<T>,
) -> Result<Vec<Vec<T>>> {
    let mut samples: Vec<Vec<T>> = contenders.iter().map(|_| Vec::with_capacity(runs)).collect();
    let mut shuffle = Shuffle::default();
    for round in 0..runs {
        let mut lanes: Vec<_> = contenders.iter().zip(&mut samples).collect();
        shuffle.shuffle(&mut lanes);
        for (contender, lane) in lanes {
            let id = format!("bench-{}-{round}", contender.name);
            match once(contender, &id) {
                Ok(sample) => lane.push(sample),
                Err(error) if contender.is_peer() => {
                    eprintln!("no sample of {} in round {round}: {error}", contender.name);
                    clean_up(arena, contender, &id);
                }
                Err(error) => return Err(error),
            }
            reap_orphans();
        }
    }
    Ok(samples)
}

/// The time of one `run` of a container that ends at once.
pub(super) fn run_once(arena: &Arena, contender: &Contender, id: &str) -> Result<Duration> {
    timed(&mut contender.run(arena, id))
}

/// The times of one create, start, state, kill, exit and delete.
pub(super) fn live_once(arena: &Arena, contender: &Contender, id: &str) -> Result<Life> {
    let pid_file = arena.path("pid");
    let mut create = contender.call(arena, "create");
    create.arg("--bundle").arg(arena.pause_bundle()).arg("--pid-file").arg(&pid_file).arg(id);
    let create = timed(&mut create)?;
    let start = timed(contender.call(arena, "start").arg(id))?;
    let state = timed(contender.call(arena, "state").arg(id))?;
    let pid = read_pid(&pid_file)?;
    let kill = timed(contender.call(arena, "kill").args([id, "KILL"]))?;
    let exit = Instant::now();
    waitpid(Some(pid), WaitOptions::empty())
        .map_err(Error::io(format!("cannot wait for the container of {}", contender.name)))?;
    let exit = exit.elapsed();
    let delete = timed(contender.call(arena, "delete").arg(id))?;
    Ok([create, start, state, kill, exit, delete])
}

/// Runs both measurements once without a clock. A failure carries what the contender printed, and leaves nothing.
pub(super) fn rehearse(arena: &Arena, contender: &Contender) -> Result<()> {
    let id = format!("bench-{}-rehearsal", contender.name);
    let result = rehearse_run(arena, contender, &id).and_then(|()| {
        if contender.is_floor() { Ok(()) } else { live_once(arena, contender, &id).map(drop) }
    });
    if result.is_err() && !contender.is_floor() {
        clean_up(arena, contender, &id);
    }
    reap_orphans();
    result
}

/// Those contenders that pass a rehearsal; a peer that does not is left out, and the reason is printed.
pub(super) fn able(
    contenders: &[Contender],
    what: &str,
    rehearse: impl Fn(&Contender, &str) -> Result<()>,
) -> Result<Vec<Contender>> {
    let mut able = Vec::new();
    for contender in contenders {
        match rehearse(contender, &format!("bench-{}-rehearsal", contender.name)) {
            Ok(()) => able.push(contender.clone()),
            Err(error) if contender.is_peer() => {
                eprintln!("{} is left out of {what}: {error}", contender.name);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(able)
}

/// Runs a container once without a clock. A failure carries what the contender printed.
pub(super) fn rehearse_command(mut command: Command) -> Result<()> {
    let result = capture(command.stdout(Stdio::piped()).stderr(Stdio::piped())).map(drop);
    reap_orphans();
    result
}

/// Best effort: the error that is reported is the one that led here.
fn clean_up(arena: &Arena, contender: &Contender, id: &str) {
    let _ = contender.call(arena, "delete").args(["--force", id]).status();
}

fn rehearse_run(arena: &Arena, contender: &Contender, id: &str) -> Result<()> {
    let mut command = contender.run(arena, id);
    capture(command.stdout(Stdio::piped()).stderr(Stdio::piped())).map(drop)
}

/// The time from the start of a command to its end; a failing command has none.
pub(super) fn timed(command: &mut Command) -> Result<Duration> {
    let begin = Instant::now();
    let status = command.status();
    let elapsed = begin.elapsed();
    let status = status.map_err(Error::io(format!("cannot start `{}`", line(command))))?;
    if status.success() {
        return Ok(elapsed);
    }
    Err(Error::Failed { command: line(command), status: status.to_string(), stderr: String::new() })
}

/// The first process of a container, as its runtime knows it.
pub(super) fn pid_of(arena: &Arena, contender: &Contender, id: &str) -> Result<Pid> {
    let mut state = contender.call(arena, "state");
    let output = capture(state.stdout(Stdio::piped()).arg(id))?;
    let state: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(Error::io("the state of a container is not JSON"))?;
    let pid = state.get("pid").and_then(serde_json::Value::as_i64).and_then(|pid| i32::try_from(pid).ok());
    pid.and_then(Pid::from_raw).ok_or_else(|| Error::NotMet(format!("{id} has no process: {state}")))
}

fn read_pid(file: &Path) -> Result<Pid> {
    let text = fs::read_to_string(file).map_err(Error::io(format!("cannot read {}", file.display())))?;
    text.trim()
        .parse()
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| Error::NotMet(format!("{} holds no pid: {text:?}", file.display())))
}

/// Takes away the ended helper processes that runtimes left to us as their subreaper.
fn reap_orphans() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}
