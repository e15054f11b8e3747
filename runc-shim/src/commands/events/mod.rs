//! `events`: prints a container's statistics, again and again, and when it runs out of memory.

mod format;
#[cfg(test)]
mod tests;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use libcontainer::{Container, ErrorKind, Event, Status, Watch};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::{duration, messages, output};

pub(super) const COMMAND: Command = Command {
    name: "events",
    summary: "print statistics and events of a container as JSON, one a line, until it ends",
    usage: "[OPTIONS] ID",
    options: &[
        ("--interval DURATION", "time between two statistics, such as 1m30s or 100ms (default: 5s)"),
        ("--stats", "print the statistics once"),
    ],
    seals: false,
    run: events,
};

const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

fn events(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let (mut interval, mut once) = (DEFAULT_INTERVAL, false);
    let id = context.one_id(arguments, |flag, arguments| {
        match flag {
            "--interval" => interval = positive(&arguments.text()?)?,
            "--stats" => once = arguments.switch()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let container = context.runtime()?.load(&id)?;
    if once {
        print_stats(&container).map_err(|failure| told(failure, &container))?;
    } else {
        let watch = container.watch().map_err(|error| told(error.into(), &container))?;
        follow(&container, watch, interval)?;
    }
    Ok(0)
}

fn positive(text: &str) -> Result<Duration, Failure> {
    let interval = duration::parse(text).ok_or_else(|| Failure::Usage(messages::bad_duration(text)))?;
    if interval.is_zero() {
        return Err(Failure::Usage(messages::NO_INTERVAL.to_owned()));
    }
    Ok(interval)
}

/// Prints what happens until the container has ended, or nobody reads any more.
fn follow(container: &Container, mut watch: Watch, interval: Duration) -> Result<(), Failure> {
    let mut due = after(Instant::now(), interval);
    loop {
        match watch.event()? {
            Some(Event::OutOfMemory) => {
                output::print_json_line(&format::out_of_memory(container.id().as_str()))?;
                continue;
            }
            Some(_) => return Ok(()),
            None => {}
        }
        let now = Instant::now();
        if due.is_some_and(|due| due <= now) {
            attempt_stats(container)?;
            // Those that were missed meanwhile are not made up for.
            due = after(now, interval);
        }
        wait(&watch, due)?;
    }
}

/// The moment; `None` if it is further away than a clock can tell.
fn after(start: Instant, interval: Duration) -> Option<Instant> {
    start.checked_add(interval)
}

/// Waits until there may be something to do; an error if nobody reads the output any more.
fn wait(watch: &Watch, due: Option<Instant>) -> Result<(), Failure> {
    let left = due.map(|due| due.saturating_duration_since(Instant::now()));
    let timeout = left.and_then(|left| Timespec::try_from(left).ok());
    let stdout = rustix::stdio::stdout();
    let mut fds = [
        PollFd::from_borrowed_fd(watch.as_fd(), PollFlags::IN),
        // Told without being asked for: that the other end is closed.
        PollFd::from_borrowed_fd(stdout, PollFlags::empty()),
    ];
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(Failure::system(messages::WATCHING_CONTAINER, errno)),
    }
    let [_, stdout] = fds;
    if stdout.revents().is_empty() { Ok(()) } else { Err(Failure::ReaderGone) }
}

/// Prints the statistics. That they cannot be read is told, and does not end the watch: they may be the next time, and
/// the end of the container is noticed by other means.
fn attempt_stats(container: &Container) -> Result<(), Failure> {
    match print_stats(container) {
        Err(Failure::Container(error)) if is_over(error.kind()) => Ok(()),
        Err(Failure::Container(error)) => {
            tracing::warn!("{}", messages::describe(&error, COMMAND.name));
            Ok(())
        }
        printed => printed,
    }
}

fn print_stats(container: &Container) -> Result<(), Failure> {
    let stats = container.stats()?;
    output::print_json_line(&format::statistics(container.id().as_str(), &stats))
}

fn is_over(kind: &ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::WrongStatus(Status::Stopped))
}

/// A container that is stopped, in the words that clients know.
fn told(failure: Failure, container: &Container) -> Failure {
    match &failure {
        Failure::Container(error) if matches!(error.kind(), ErrorKind::WrongStatus(Status::Stopped)) => {
            Failure::Other(messages::not_running(container.id().as_str()))
        }
        _ => failure,
    }
}
