//! `start`: letting a created container's process pass the gate.

use libcontainer_init::{Record, op};

use super::delete::end_processes;
use super::gate::{Gate, Outcome};
use super::handle::{status_but_for_gate, wrong_status};
use super::record::Stored;
use super::store::PATIENCE;
use super::{Container, Delete, Status};
use crate::error::HookFailure;
use crate::launch::hooks::run_poststart;
use crate::launch::report::hook_failure;
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
            return Err(wrong_status("start", self.id(), Status::Running));
        };
        match gate
            .pass(stored.hooks.start_container)
            .map_err(|error| error.context(format_args!("start {}", self.id())))?
        {
            Outcome::Executed => {
                claim.remove_gate()?;
                self.poststart(&stored)
            }
            Outcome::Died => {
                let message =
                    format!("start {}: its process was killed before its hooks were done", self.id());
                Err(Error::new(ErrorKind::WrongStatus(Status::Stopped), message))
            }
            Outcome::Failed(record, output) => Err(failure(self.id().as_str(), &stored, record, output)),
        }
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
