//! `seal yes|no`: seals its own executable or does not, and ends. The difference is what sealing costs a start.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|arg| arg == "yes")
        && let Err(error) = libcontainer::exe::seal()
    {
        eprintln!("seal: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
