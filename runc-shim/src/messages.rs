//! Every text that this program shows, in runc's words where clients look for them.
//!
//! Container engines decide by fragments of these texts (whether a program was missing, whether a container is
//! gone), so the fragments stay exactly as runc has them and what we know beyond them stands around them.

use std::error::Error as _;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io;
use std::path::Path;

use libcontainer::{Error, ErrorKind, HookFailure, Status, StepFailure};
use rustix::io::Errno;

pub(crate) const WATCHING_SIGNALS: &str = "watch signals";
pub(crate) const WATCHING_CONTAINER: &str = "watch the container's process";
pub(crate) const WRITING_OUTPUT: &str = "write to standard output";
pub(crate) const BECOMING_SUBREAPER: &str =
    "become the reaper of the container's orphans (--no-subreaper avoids it)";
pub(crate) const RECEIVING_TERMINAL: &str = "receive the container's terminal";
pub(crate) const SETTING_UP_TERMINAL: &str = "set up the terminal";
pub(crate) const RELAYING_TERMINAL: &str = "copy between the terminals";
pub(crate) const NO_CONSOLE_SOCKET: &str =
    "cannot allocate tty if runc will detach without setting console socket (--console-socket)";
pub(crate) const NEEDLESS_CONSOLE_SOCKET: &str =
    "cannot use console socket if runc will not detach or allocate tty";
pub(crate) const TERMINAL_LOST: &str = "the library did not send the container's terminal";
pub(crate) const STATUS_UNKNOWN: &str = "the container's process ended, but not as a child of this program";
pub(crate) const CONFIG_EXISTS: &str = "File config.json exists. Remove it first";
pub(crate) const BAD_TABLE_FORMAT: &str = "invalid format option: table and json are known";
pub(crate) const NO_INTERVAL: &str = "duration interval must be greater than 0";
pub(crate) const TELLING_MANAGER: &str =
    "tell the service manager ($NOTIFY_SOCKET) that the container is ready";
pub(crate) const NO_BARRIER: &str =
    "the service manager has not confirmed within 30 s that it knows the container is ready";
pub(crate) const NO_PID_COLUMN: &str = "couldn't find PID field in ps output";
pub(crate) const BAD_SECCOMP_ACTION: &str = "seccomp: the only thing to do with a profile is 'explain'";
pub(crate) const WORDS_BEFORE_EXEC: &str = "before --exec there is nothing but --format";
pub(crate) const BAD_CGROUPS_MODE: &str =
    "Invalid manage-cgroups-mode value: soft, full, strict and ignore are known";
pub(crate) const BAD_PAGE_SERVER: &str = "Use --page-server ADDRESS:PORT to specify page server";
pub(crate) const BAD_PLAN_FORMAT: &str = "invalid format option: text and json are known";

const PREPARING: &str = "unable to start container process";
const NOT_A_DIRECTORY: &str = "not a directory";

/// `error` as the command `command` reports it.
pub(crate) fn describe(error: &Error, command: &str) -> String {
    let text = match error.kind() {
        ErrorKind::NotFound => after("container does not exist", error),
        ErrorKind::Exists => after("container with given ID already exists", error),
        ErrorKind::WrongStatus(status) => wrong_status(command, *status, error),
        ErrorKind::NoProcess => after("process already finished", error),
        ErrorKind::InvalidId => after("invalid container ID format", error),
        ErrorKind::Setup(failure) => setup(failure),
        ErrorKind::Hook(failure) => hook(failure, error),
        _ => error.to_string(),
    };
    with_causes(text, error)
}

/// `words`, then the error, unless it has the words itself.
fn after(words: &str, error: &Error) -> String {
    let text = error.to_string();
    if text.contains(words) { text } else { format!("{words}: {text}") }
}

fn wrong_status(command: &str, status: Status, error: &Error) -> String {
    match (command, status) {
        ("kill" | "pause" | "update", _) => after("container not running", error),
        ("start", Status::Stopped) => after("cannot start a container that has stopped", error),
        ("start", Status::Running) => after("cannot start an already running container", error),
        ("exec" | "plan", Status::Paused) => {
            after("cannot exec in a paused container (use --ignore-paused to override)", error)
        }
        ("exec" | "plan", Status::Stopped) => after("cannot exec in a stopped container", error),
        ("resume", _) => after("container not paused", error),
        ("checkpoint", status) => {
            after(&format!("Container cannot be checkpointed in {} state", status.as_str()), error)
        }
        ("delete", _) => after("cannot delete container that is not stopped", error),
        _ => error.to_string(),
    }
}

/// Appends the causes that the text does not already tell.
fn with_causes(mut text: String, error: &Error) -> String {
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

fn setup(failure: &StepFailure) -> String {
    match in_runc_words(failure) {
        Some(words) => format!("{PREPARING}: {words} ({failure})"),
        None => format!("{PREPARING}: {failure}"),
    }
}

fn hook(failure: &HookFailure, error: &Error) -> String {
    format!("error running {} hook #{}: {error}", failure.kind, failure.number)
}

fn in_runc_words(failure: &StepFailure) -> Option<String> {
    let subject = failure.subject.as_deref()?;
    let pointer = failure.pointer.as_deref()?;
    match pointer {
        "/process/args/0" | "/process/args" => Some(program(failure, subject)),
        "/process/cwd" => {
            Some(format!("chdir to cwd ({subject:?}) set in config.json failed: {}", reason(failure.errno)))
        }
        _ if pointer.starts_with("/mounts/") => Some(mount(failure, subject)),
        _ => None,
    }
}

fn program(failure: &StepFailure, name: &str) -> String {
    if is_execve(failure) {
        return executing(failure, name);
    }
    match Errno::from_raw_os_error(failure.errno) {
        Errno::NOENT if !name.contains('/') => format!("exec: {name:?}: executable file not found in $PATH"),
        Errno::NOENT => format!("exec: {name:?}: stat {name}: no such file or directory"),
        Errno::NOTDIR => format!("exec: {name:?}: stat {name}: {NOT_A_DIRECTORY}"),
        // What execve would say of it: Podman looks for these words only.
        Errno::ISDIR => format!("exec: {name:?}: is a directory: permission denied"),
        _ => format!("exec: {name:?}: {}", reason(failure.errno)),
    }
}

fn is_execve(failure: &StepFailure) -> bool {
    matches!(failure.operation, "execve" | "execveat")
}

fn executing(failure: &StepFailure, name: &str) -> String {
    format!("exec {name}: {}", reason(failure.errno))
}

/// The whole line for a program that the kernel refused to execute, if that is what `error` says: in the
/// foreground this looks like the words of the program itself.
pub(crate) fn failed_execve(error: &Error) -> Option<String> {
    match error.kind() {
        ErrorKind::Setup(failure) if is_execve(failure) => {
            failure.subject.as_deref().map(|name| executing(failure, name))
        }
        _ => None,
    }
}

fn mount(failure: &StepFailure, target: &str) -> String {
    match (failure.operation, Errno::from_raw_os_error(failure.errno)) {
        // The place of /proc or /sys, checked before anything was mounted there.
        ("verify", Errno::NOTDIR | Errno::LOOP) => {
            format!("filesystem at {target:?} must be mounted on ordinary directory")
        }
        // A file on a directory and a directory on a file are one mistake, known by one phrase.
        (_, Errno::NOTDIR | Errno::ISDIR) => {
            format!("error mounting to rootfs at {target:?}: {NOT_A_DIRECTORY}")
        }
        _ => format!("error mounting to rootfs at {target:?}: {}", reason(failure.errno)),
    }
}

/// What an errno means, as Go says it: in lower case.
fn reason(errno: i32) -> String {
    plain(&io::Error::from_raw_os_error(errno))
}

fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_lowercase(),
        None => text,
    }
}

/// A failed operation of the system.
pub(crate) fn system(what: impl Display, error: &io::Error) -> String {
    format!("{what}: {}", plain(error))
}

/// A mistake in the command line, with the way to its explanation.
pub(crate) fn usage(what: &str, program: &str, command: Option<&str>) -> String {
    match command {
        Some(command) => format!("{what} (see '{program} {command} --help')"),
        None => format!("{what} (see '{program} --help')"),
    }
}

/// `text` on one line: callers read the log and stderr by lines.
pub(crate) fn one_line(text: &str) -> String {
    text.trim_end().replace('\n', " ")
}

pub(crate) fn opening(path: &Path) -> String {
    format!("open {}", path.display())
}

pub(crate) fn making(path: &Path) -> String {
    format!("make {}", path.display())
}

pub(crate) fn writing(path: &Path) -> String {
    format!("write {}", path.display())
}

pub(crate) fn json(error: &serde_json::Error) -> String {
    format!("write JSON: {error}")
}

pub(crate) fn unknown_signal(text: &str) -> String {
    format!("unknown signal {text:?}")
}

pub(crate) fn unknown_flag(flag: &str) -> String {
    format!("flag provided but not defined: {flag}")
}

pub(crate) fn value_needless(value: &OsStr) -> String {
    format!("flag takes no argument: {}", value.to_string_lossy())
}

pub(crate) fn value_missing(flag: &str) -> String {
    format!("flag needs an argument: {flag}")
}

pub(crate) fn value_unexpected(option: &str, value: &OsStr) -> String {
    format!("flag {option} takes no argument: {}", value.to_string_lossy())
}

pub(crate) fn not_boolean(value: &OsStr) -> String {
    format!("invalid boolean value {value:?}: true and false are known")
}

pub(crate) fn not_utf8(word: &OsStr) -> String {
    format!("argument {word:?} is not UTF-8")
}

pub(crate) fn connecting(path: &OsStr) -> String {
    format!("connect to $NOTIFY_SOCKET {}", path.to_string_lossy())
}

pub(crate) fn not_running(id: &str) -> String {
    format!("container with id {id} is not running")
}

pub(crate) fn bad_duration(text: &str) -> String {
    format!("invalid duration {text:?}: 5s, 100ms and 1m30s are examples")
}

pub(crate) fn ps_failed(status: std::process::ExitStatus, output: &[u8]) -> String {
    format!("ps: {status}: {}", String::from_utf8_lossy(output).trim_end())
}

pub(crate) fn no_pid_in(line: &str) -> String {
    format!("unable to parse pid in the output of ps: {line:?}")
}

pub(crate) fn not_a_number(flag: &str, value: &str) -> String {
    format!("invalid value {value:?} for flag {flag}: not a number of descriptors")
}

pub(crate) fn bad_value(flag: &str, value: &str, wanted: &str) -> String {
    format!("invalid value {value:?} for flag {flag}: not {wanted}")
}

pub(crate) fn bad_id(what: &str, value: &str) -> String {
    format!("bad {what}: {value:?} is not a number from 0 to {}; names are not looked up", u32::MAX - 1)
}

pub(crate) fn bad_sub_cgroup(value: &str, why: &str) -> String {
    format!("invalid --cgroup argument: {value} ({why})")
}

pub(crate) fn process_too_large(path: &Path, most: u64) -> String {
    format!("{}: larger than {} MiB", path.display(), most >> 20)
}

pub(crate) const NO_ID: &str = "\"exec\" requires a container ID";
pub(crate) const NO_COMMAND: &str = "\"exec\" requires a command after the container ID, or --process FILE";
pub(crate) const COMMAND_AND_PROCESS: &str =
    "a command and --process FILE were given; the file names the command";

pub(crate) fn bad_rootless(value: &OsStr) -> String {
    format!("invalid --rootless value {value:?}: auto, true and false are known")
}

pub(crate) fn bad_log_format(name: &str) -> String {
    format!("invalid log-format: {name}")
}

pub(crate) fn unknown_command(name: &str) -> String {
    format!("unknown command {name:?}")
}

pub(crate) fn bad_empty_namespace(kind: &str) -> String {
    format!("namespace {kind:?} is not supported: --empty-ns knows network")
}

pub(crate) fn bad_status_fd(number: &str, why: &str) -> String {
    format!("invalid --status-fd argument {number}: {why}")
}

pub(crate) fn wrong_count(command: &str, range: &std::ops::RangeInclusive<usize>) -> String {
    let (least, most) = (range.start(), range.end());
    if least == most {
        format!("{command:?} requires exactly {least} argument(s)")
    } else {
        format!("{command:?} requires from {least} to {most} arguments")
    }
}

pub(crate) fn too_few(command: &str, least: usize) -> String {
    format!("{command:?} requires a minimum of {least} argument(s)")
}

pub(crate) fn not_listed(error: &Error) -> String {
    format!("container left out: {}", describe(error, "list"))
}

pub(crate) fn not_removed(id: &str, error: &Error) -> String {
    format!("container {id} ended, but was not removed: {}", describe(error, "delete"))
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
