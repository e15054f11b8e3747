//! `start`: letting a created container's process pass the gate.

use libcontainer_init::{Record, op};
use rustix::io::Errno;
use rustix::process::Pid;

use super::delete::end_processes;
use super::gate::{Gate, Outcome};
use super::handle::{status_but_for_gate, wrong_status};
use super::record::Stored;
use super::store::PATIENCE;
use super::{Container, Delete, Status};
use crate::error::HookFailure;
use crate::launch::hooks::run_poststart;
use crate::launch::listener;
use crate::launch::report::hook_failure;
use crate::sys::procfs::{Procfs, Stat};
use crate::{Error, ErrorKind, Result, StepFailure};

impl Container {
    /// Lets the process of a created container go, and returns when its program runs.
    ///
    /// # Errors
    /// [`ErrorKind::WrongStatus`] unless it is created, [`ErrorKind::Setup`] if a step behind the gate
    /// fails; the container is stopped then.
    pub fn start(&self) -> Result<()> {
        let claim = self.folder()?.lock(PATIENCE)?;
        let stored = self.current(claim.folder())?;
        if !stored.has_process {
            let kind = ErrorKind::InvalidSpec { pointer: "/process".into() };
            let message = format!("cannot start container {}: its configuration has no process", self.id());
            return Err(Error::new(kind, message));
        }
        if let Some(status) = status_but_for_gate(&stored)? {
            return Err(wrong_status("start", self.id(), status));
        }
        let Some(gate) = Gate::find(claim.folder())? else {
            // It is running, unless it was killed since we looked.
            let status = status_but_for_gate(&stored)?.unwrap_or(Status::Running);
            return Err(wrong_status("start", self.id(), status));
        };
        let send_on = |fd| match &stored.listener {
            Some(agent) => listener::send(&stored, agent, Status::Created, &fd),
            None => Err(Error::os("the listener of a filter", Errno::PROTO)),
        };
        let outcome =
            gate.pass(send_on).map_err(|error| error.context(format_args!("start {}", self.id())))?;
        let error = match (outcome, unexecuted(&stored)?) {
            (Outcome::NoListener(error), _) => error.context(format_args!("start {}", self.id())),
            (Outcome::Failed(record, output), _) => failure(self.id().as_str(), &stored, record, output),
            (_, Some(dead)) => died(self.id().as_str(), &stored, dead),
            (Outcome::Unheard, None) => return Err(wrong_status("start", self.id(), Status::Running)),
            (Outcome::Silent, None) => {
                claim.remove_gate()?;
                return self.poststart(&stored);
            }
        };
        Err(stopped(&stored, error))
    }

    /// Runs the hooks of a start; the container of one that fails is stopped, as the runtime-spec asks for.
    fn poststart(&self, stored: &Stored) -> Result<()> {
        let Err(failure) = run_poststart(stored) else { return Ok(()) };
        let error = hook_error(self.id().as_str(), stored, failure);
        let stopped = stored.process().and_then(|init| end_processes(stored, Delete::Force, init.as_ref()));
        match stopped {
            Ok(()) => Err(error),
            Err(trouble) => {
                Err(Error::new(error.kind().clone(), format!("{error}; while stopping it: {trouble}")))
            }
        }
    }
}

/// The error, once the container has stopped: the process spoke its last word, or let go of the connection, a little
/// before its end.
fn stopped(stored: &Stored, error: Error) -> Error {
    let waited = stored.process().and_then(|process| match process {
        Some(process) => process.wait_ended(Some(PATIENCE)),
        None => Ok(true),
    });
    match waited {
        Ok(true) => error,
        Ok(false) => error.context("the container's process does not end"),
        Err(trouble) => error.context(trouble),
    }
}

/// The first process, if it has not executed its program. Of one that was reaped already nobody knows, and it was
/// started as far as it matters: whoever reaped it knows how it ended.
fn unexecuted(stored: &Stored) -> Result<Option<Stat>> {
    let Some((pid, init)) = stored.init.and_then(|init| Some((Pid::from_raw(init.pid)?, init))) else {
        return Ok(None);
    };
    let stat = Procfs::open()?.stat(pid)?;
    Ok(stat.filter(|stat| stat.start_time == init.start_time && !stat.has_executed()))
}

/// The error of a process that was killed, or could not say why it ended, for its filter forbids it to.
fn died(id: &str, stored: &Stored, dead: Stat) -> Error {
    let mut message = format!("start {id}: ");
    // The hooks behind exec are not its own.
    let own = stored.late.iter().rfind(|step| {
        !step.pointer.as_deref().is_some_and(|pointer| pointer.starts_with("/hooks/poststart/"))
    });
    if let (Some(first), Some(last)) = (stored.late.first(), own) {
        message.push_str(&format!("steps {} to {} of {}, ", first.index, last.index, last.total));
        message.push_str(&format!("{} to {}: ", first.step, last.step));
    }
    message.push_str(&format!("the container's first process {}", dead.describe_end()));
    Error::new(ErrorKind::Os, message)
}

fn hook_error(id: &str, stored: &Stored, failure: HookFailure) -> Error {
    let pointer = format!("/hooks/{}/{}", failure.kind, failure.number);
    let step = stored.late.iter().find(|step| step.pointer.as_ref() == Some(&pointer));
    let place = step.map_or_else(String::new, |step| format!("step {} of {}, ", step.index, step.total));
    let what = format!("run {} hook #{} {}", failure.kind, failure.number, failure.path);
    Error::new(ErrorKind::Hook(failure.clone()), format!("start {id}: {place}{pointer}: {what}: {failure}"))
}

fn failure(id: &str, stored: &Stored, record: Record, output: Vec<u8>) -> Error {
    let index = usize::try_from(record.index).unwrap_or(usize::MAX);
    let step = stored.late.iter().find(|step| step.index == index);
    let pointer = step.and_then(|step| step.pointer.as_deref());
    let subject = step.and_then(|step| step.subject.clone());
    if let Some(failure) = hook_failure(pointer, subject, record, output) {
        return hook_error(id, stored, failure);
    }
    let failure = StepFailure {
        index,
        total: step.map_or(0, |step| step.total),
        pointer: pointer.map(str::to_owned),
        step: step.map_or_else(|| "a step after the start".to_owned(), |step| step.step.clone()),
        subject: step.and_then(|step| step.subject.clone()),
        operation: op::name(record.op),
        errno: record.errno,
        hint: None,
    };
    let message = format!("start {id}: {failure}");
    Error::new(ErrorKind::Setup(failure), message)
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
