//! Running programs.

use std::ffi::OsString;
use std::process::{Command, Output, Stdio};

use super::{Error, Result, workspace};

/// Cargo itself, in the workspace: the one that runs this task where there is one.
#[must_use]
pub fn cargo() -> Command {
    in_workspace(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// The cargo of another toolchain, which only rustup can find.
#[must_use]
pub fn cargo_of(toolchain: &str) -> Command {
    let mut command = in_workspace("cargo".into());
    // Set by the cargo that started us; they name its own toolchain, and would win.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command.arg(format!("+{toolchain}"));
    command
}

fn in_workspace(program: OsString) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace());
    // Set by the cargo that started us for our own package; a build script below would read them as its own.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    command
}

/// Prints the command line and runs it on the caller's stdio.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", line(command));
    let status = command.status().map_err(Error::io(format!("cannot start `{}`", line(command))))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { command: line(command), status: status.to_string(), stderr: String::new() })
}

/// Runs the command and returns what it printed; a failure carries its stderr.
pub fn capture(command: &mut Command) -> Result<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io(format!("cannot start `{}`", line(command))))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(Error::Failed {
        command: line(command),
        status: output.status.to_string(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// The command as a person would type it, environment included.
#[must_use]
pub fn line(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| {
        value.map(|value| format!("{}='{}'", name.to_string_lossy(), value.to_string_lossy()))
    });
    let program = command.get_program().to_string_lossy().into_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    set.chain([program]).chain(args).collect::<Vec<_>>().join(" ")
}
