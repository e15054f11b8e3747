//! A dump, from the first word to the last.

use std::fs::File;
use std::io::Write;

use super::log::explained;
use super::program::Program;
use super::request::{Options, Request};
use super::requirements::{Feature, require};
use super::service::{Answer, Service};
use super::settings::Files;
use crate::Result;

/// What is dumped, and how.
#[derive(Debug)]
pub(crate) struct Checkpoint<'a> {
    pub(crate) program: &'a Program,
    pub(crate) files: &'a Files,
    pub(crate) options: &'a Options,
    /// Whether only memory is copied, and the processes run on.
    pub(crate) pre: bool,
    /// Gets a zero byte when pages of memory can be asked for.
    pub(crate) status: Option<File>,
}

/// Has criu dump.
pub(crate) fn checkpoint(mut checkpoint: Checkpoint<'_>) -> Result<()> {
    let Checkpoint { program, files, options, pre, .. } = checkpoint;
    let mut features = Vec::new();
    features.extend(pre.then_some(Feature::MemoryTracking));
    features.extend(options.settings.lazy_pages.then_some(Feature::LazyPages));
    require(program, &features)?;
    let service = Service::start(program)?;
    let ended = converse(&service, &Request::dump(options, pre), &mut checkpoint.status);
    ended.map_err(|error| explained(error, files, options))
}

fn converse(service: &Service, request: &Request, status: &mut Option<File>) -> Result<()> {
    service.send(request)?;
    while let Answer::Notice(notice, _) = service.hear()? {
        if notice.script == "status-ready"
            && let Some(mut status) = status.take()
            && let Err(error) = status.write_all(&[0])
        {
            tracing::warn!("cannot tell that pages of memory can be asked for: {error}");
        }
        service.send(&Request::answer())?;
    }
    Ok(())
}
