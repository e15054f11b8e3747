//! runc's command line on top of [`libcontainer`].
#![cfg_attr(not(test), no_main)]

mod cli;
mod commands;
mod dispositions;
mod duration;
#[cfg(target_arch = "x86_64")]
mod entry;
mod failure;
mod foreground;
mod log;
mod messages;
mod notify;
mod output;
mod signals;
#[cfg(not(test))]
mod start;
mod terminal;

use std::ffi::OsString;

/// musl's own gives memory back to the kernel at once and asks for it again.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

use cli::{Arguments, Globals, Request};
use commands::{Command, Context};
use failure::Failure;

/// Reads the command line and does what it says; the exit code.
fn run(arguments: Vec<OsString>) -> u8 {
    let mut arguments = Arguments::new(arguments);
    let program = arguments.program();
    match answer(program, &mut arguments) {
        Ok(code) => code,
        Err(Refusal { line, code }) => {
            log::error(&line);
            code
        }
    }
}

/// The tests come with a start of their own and do not call this.
#[cfg(test)]
fn main() -> std::process::ExitCode {
    run(std::env::args_os().collect()).into()
}

/// What is shown of a failure, and the exit code.
struct Refusal {
    line: String,
    code: u8,
}

/// Does what the command line asks for.
fn answer(program: &'static str, arguments: &mut Arguments) -> Result<u8, Refusal> {
    let alone = |failure: Failure| Refusal { line: failure.line(program, None), code: 1 };
    let (globals, request) = cli::globals(arguments).map_err(alone)?;
    let command = match request {
        Request::Help => return output::print(&cli::help(program)).map(|()| 0).map_err(alone),
        Request::Version => return output::print(&output::version(program)).map(|()| 0).map_err(alone),
        Request::Command(name) => commands::find(&name).map_err(alone)?,
    };
    match attempt(globals, command, arguments) {
        Ok(code) => Ok(code),
        Err(Failure::ReaderGone) => Ok(0),
        Err(Failure::HelpAsked) => output::print(&command.help(program)).map(|()| 0).map_err(alone),
        Err(failure) => {
            Err(Refusal { line: failure.line(program, Some(command.name)), code: command.failure_code() })
        }
    }
}

fn attempt(globals: Globals, command: &'static Command, arguments: &mut Arguments) -> Result<u8, Failure> {
    // Sealing executes the program once more, so it comes before everything that would be done twice.
    let sealed = if command.seals { libcontainer::exe::seal() } else { Ok(()) };
    log::open(&globals)?;
    sealed?;
    (command.run)(&Context { command: command.name, globals }, arguments)
}
