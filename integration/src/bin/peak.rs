//! `peak FILE COMMAND…`: runs the command and writes its peak resident memory in KiB to FILE.
//!
//! A program of its own because the kernel lets a process inherit the peak of the process that spawned it:
//! measured from the task runner, every peak would be at least the task runner's.

use std::process::{Command, ExitCode};

use nix::sys::resource::{UsageWho, getrusage};

fn main() -> ExitCode {
    match measure() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("peak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(file), Some(program)) = (args.next(), args.next()) else {
        return Err("usage: peak FILE COMMAND…".into());
    };
    let status = Command::new(program).args(args).status()?;
    std::fs::write(file, getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss().to_string())?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
