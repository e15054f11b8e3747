//! `start`: letting a created container's process pass the gate.

use libcontainer_init::{Record, op};

use super::gate::{Gate, Outcome};
use super::handle::{status_but_for_gate, wrong_status};
use super::record::Stored;
use super::store::PATIENCE;
use super::{Container, Status};
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
        match gate.pass().map_err(|error| error.context(format_args!("start {}", self.id())))? {
            Outcome::Executed => claim.remove_gate(),
            Outcome::Failed(record) => Err(failure(self.id().as_str(), &stored, record)),
        }
    }
}

fn failure(id: &str, stored: &Stored, record: Record) -> Error {
    let index = usize::try_from(record.index).unwrap_or(usize::MAX);
    let step = stored.late.iter().find(|step| step.index == index);
    let failure = StepFailure {
        index,
        total: step.map_or(0, |step| step.total),
        pointer: step.and_then(|step| step.pointer.clone()),
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
