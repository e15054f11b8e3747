//! `exec`: executes a program in a container, and waits for its end unless it is detached.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use libcontainer::{Container, ContainerId, Exec, ExecOptions, ExitStatus, Plan};

use super::creation::{count, not_empty, terminal_problem};
use super::{Command, Context};
use crate::cli::{self, Arguments, Token};
use crate::failure::Failure;
use crate::foreground::Foreground;
use crate::messages;
use crate::signals::Inbox;
use crate::terminal::{Reception, Relay, Streams};

pub(super) const COMMAND: Command = Command {
    name: "exec",
    summary: "execute a program in a container; wait for its end",
    usage: "[OPTIONS] ID COMMAND [ARGUMENTS]\n   (or: --process FILE ID; all that follows the ID is the command's)",
    options: &[
        ("--console-socket PATH", "Unix socket that receives the terminal's master side"),
        ("--pidfd-socket PATH", "Unix socket that receives a pidfd of the process"),
        ("--cwd DIR", "working folder in the container"),
        ("--env NAME=VALUE, -e NAME=VALUE", "add to the environment; may be repeated"),
        ("--tty, -t", "give the program a terminal"),
        ("--user UID[:GID], -u UID[:GID]", "run as this user; numbers only"),
        ("--additional-gids GID, -g GID", "one more group; may be repeated"),
        ("--process FILE, -p FILE", "read what to run from a file with a process object of config.json"),
        ("--detach, -d", "return as soon as the program runs"),
        ("--pid-file FILE", "file that receives the process's number"),
        ("--process-label LABEL", "SELinux label of the process"),
        ("--apparmor PROFILE", "AppArmor profile of the process"),
        ("--no-new-privs", "do not let the program gain privileges"),
        ("--cap CAPABILITY, -c CAPABILITY", "one more capability, as CAP_...; may be repeated"),
        ("--preserve-fds N", "pass N descriptors from 3 on"),
        ("--cgroup [CONTROLLER[,...]:]PATH", "run in a cgroup below the container's; may be repeated for v1"),
        ("--ignore-paused", "run in a paused container too, when it is resumed"),
    ],
    seals: true,
    run,
};

/// Far above what any client writes.
const MAX_BYTES: u64 = 16 << 20;

/// The options, in the form in which they were given.
#[derive(Default)]
struct Line {
    /// What changes the options of the library, in order.
    changes: Vec<Box<dyn FnOnce(ExecOptions) -> ExecOptions>>,
    console_socket: Option<PathBuf>,
    process: Option<PathBuf>,
    cgroups: Vec<String>,
    detach: bool,
}

fn run(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let (container, options, mode) = read_line(context, arguments)?;
    if mode.detached {
        container.exec(options)?;
        return Ok(0);
    }
    let root = context.runtime()?;
    // What shells show for a code or a signal has eight bits.
    foreground(&container, options, mode, root.root()).map(|status| status.shell_code().to_le_bytes()[0])
}

/// What the rest of a command line of `exec` would do. Changes nothing.
pub(super) fn plan(context: &Context, arguments: &mut Arguments) -> Result<Plan, Failure> {
    let (container, mut options, mode) = read_line(context, arguments)?;
    if mode.terminal && !mode.detached {
        options = options.console_socket(Reception::example(context.runtime()?.root())).plain_lines(true);
    }
    Ok(container.plan_exec(&options)?)
}

fn read_line(
    context: &Context,
    arguments: &mut Arguments,
) -> Result<(Container, ExecOptions, Mode), Failure> {
    let mut line = Line::default();
    let id = line.read(arguments)?;
    let command = arguments.rest()?;
    let container = context.runtime()?.load(&ContainerId::new(id)?)?;
    let (options, mode) = line.options(command)?;
    Ok((container, options, mode))
}

/// How the program's end is waited for.
#[derive(Clone, Copy)]
struct Mode {
    detached: bool,
    terminal: bool,
}

impl Line {
    /// Reads options up to the container's name.
    fn read(&mut self, arguments: &mut Arguments) -> Result<String, Failure> {
        loop {
            match arguments.next()? {
                Some(Token::Flag(flag)) => self.option(&flag, arguments)?,
                Some(Token::Word(id)) => return cli::text(id),
                None => return Err(Failure::Usage(messages::NO_ID.to_owned())),
            }
        }
    }

    fn change(&mut self, change: impl FnOnce(ExecOptions) -> ExecOptions + 'static) {
        self.changes.push(Box::new(change));
    }

    fn option(&mut self, flag: &str, arguments: &mut Arguments) -> Result<(), Failure> {
        match flag {
            "--console-socket" => self.console_socket = not_empty(arguments.path()?),
            "--process" | "-p" => self.process = not_empty(arguments.path()?),
            "--detach" | "-d" => self.detach = arguments.switch()?,
            "--cgroup" => self.cgroups.push(arguments.text()?),
            "--pidfd-socket" => self.path(arguments, ExecOptions::pidfd_socket)?,
            "--pid-file" => self.path(arguments, ExecOptions::pid_file)?,
            "--cwd" => self.text(arguments, ExecOptions::cwd)?,
            "--env" | "-e" => self.text(arguments, ExecOptions::env)?,
            "--process-label" => self.text(arguments, ExecOptions::selinux_label)?,
            "--apparmor" => self.text(arguments, ExecOptions::apparmor_profile)?,
            "--cap" | "-c" => self.text(arguments, ExecOptions::capability)?,
            "--tty" | "-t" => self.switch(arguments, ExecOptions::terminal)?,
            "--no-new-privs" => self.switch(arguments, ExecOptions::no_new_privileges)?,
            "--ignore-paused" => self.switch(arguments, ExecOptions::ignore_paused)?,
            "--user" | "-u" => self.user(&arguments.text()?)?,
            "--additional-gids" | "-g" => {
                let gid = id("gid", &arguments.text()?)?;
                self.change(move |options| options.additional_gid(gid));
            }
            "--preserve-fds" => {
                let count = count(flag, &arguments.text()?)?;
                self.change(move |options| options.preserve_fds(count));
            }
            _ => return Err(cli::unknown(flag)),
        }
        Ok(())
    }

    /// An empty value is none, as for runc.
    fn text(
        &mut self,
        arguments: &mut Arguments,
        set: fn(ExecOptions, String) -> ExecOptions,
    ) -> Result<(), Failure> {
        let value = arguments.text()?;
        if !value.is_empty() {
            self.change(move |options| set(options, value));
        }
        Ok(())
    }

    fn path(
        &mut self,
        arguments: &mut Arguments,
        set: fn(ExecOptions, PathBuf) -> ExecOptions,
    ) -> Result<(), Failure> {
        if let Some(path) = not_empty(arguments.path()?) {
            self.change(move |options| set(options, path));
        }
        Ok(())
    }

    fn switch(
        &mut self,
        arguments: &mut Arguments,
        set: fn(ExecOptions, bool) -> ExecOptions,
    ) -> Result<(), Failure> {
        let on = arguments.switch()?;
        self.change(move |options| set(options, on));
        Ok(())
    }

    /// `UID` or `UID:GID`. Numbers only: what a name means is the image's to say, and an image may lie (CVE-2016-3697,
    /// CVE-2026-30892).
    fn user(&mut self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        let (uid, gid) = match text.split_once(':') {
            Some((uid, gid)) => (uid, Some(id("gid", gid)?)),
            None => (text, None),
        };
        let uid = id("uid", uid)?;
        self.change(move |options| {
            let options = options.uid(uid);
            gid.into_iter().fold(options, ExecOptions::gid)
        });
        Ok(())
    }

    fn options(self, command: Vec<OsString>) -> Result<(ExecOptions, Mode), Failure> {
        let mut options = match (&self.process, command.is_empty()) {
            (Some(_), false) => return Err(Failure::Usage(messages::COMMAND_AND_PROCESS.to_owned())),
            (None, true) => return Err(Failure::Usage(messages::NO_COMMAND.to_owned())),
            (Some(file), true) => ExecOptions::from_json(read(file)?, file),
            (None, false) => {
                ExecOptions::new(command.into_iter().map(cli::text).collect::<Result<Vec<String>, _>>()?)
            }
        };
        for change in self.changes {
            options = change(options);
        }
        for (controller, path) in sub_cgroups(&self.cgroups)? {
            options = options.sub_cgroup(controller, path);
        }
        let mode = Mode { detached: self.detach, terminal: options.has_terminal()? };
        if let Some(problem) = terminal_problem(mode.terminal, self.detach, self.console_socket.is_some()) {
            return Err(Failure::Other(problem.to_owned()));
        }
        if let Some(path) = self.console_socket {
            options = options.console_socket(path);
        }
        Ok((options, mode))
    }
}

/// A user or group number, digits and nothing else.
fn id(what: &str, text: &str) -> Result<u32, Failure> {
    let bad = || Failure::Usage(messages::bad_id(what, text));
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    text.parse().ok().filter(|number| *number != u32::MAX).ok_or_else(bad)
}

/// `[CONTROLLER[,...]:]PATH`; without controllers it is the only one.
fn sub_cgroups(given: &[String]) -> Result<Vec<(Option<&str>, &str)>, Failure> {
    let bad = |value: &str, why: &str| Failure::Usage(messages::bad_sub_cgroup(value, why));
    let mut found: Vec<(Option<&str>, &str)> = Vec::new();
    for value in given {
        let Some((controllers, path)) = value.split_once(':') else {
            if given.len() != 1 {
                return Err(bad(value, "missing <controller>: prefix"));
            }
            return Ok(vec![(None, value)]);
        };
        for controller in controllers.split(',') {
            if controller.is_empty() {
                return Err(bad(value, "empty <controller> prefix"));
            }
            if found.iter().any(|(other, _)| *other == Some(controller)) {
                return Err(bad(value, "a controller was given more than once"));
            }
            found.push((Some(controller), path));
        }
    }
    Ok(found)
}

/// The whole of a file, which may be a pipe.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::system(messages::opening(path), error);
    let mut text = Vec::new();
    File::open(path).map_err(failed)?.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Failure::Other(messages::process_too_large(path, MAX_BYTES)));
    }
    Ok(text)
}

fn foreground(
    container: &Container,
    mut options: ExecOptions,
    mode: Mode,
    root: &Path,
) -> Result<ExitStatus, Failure> {
    // Before the process exists: no signal may be lost.
    let signals = Inbox::open()?;
    let reception = if mode.terminal { Some(Reception::open(root)?) } else { None };
    if let Some(reception) = &reception {
        options = options.console_socket(reception.socket()).plain_lines(true);
    }
    let process = container.exec(options)?;
    attend(&process, &signals, reception).inspect_err(|_| abandon(&process))
}

fn attend(process: &Exec, signals: &Inbox, reception: Option<Reception>) -> Result<ExitStatus, Failure> {
    let relay = match reception {
        Some(reception) => Some(Relay::new(reception.receive()?, Streams::standard())?),
        None => None,
    };
    Foreground::new(process, signals, relay)?.wait()
}

/// Nobody would ever know how a program ended that has lost its caller.
fn abandon(process: &Exec) {
    if let Err(error) = process.kill(libc::SIGKILL).and_then(|()| process.wait().map(drop)) {
        tracing::debug!("a program that lost its terminal: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_numbers() {
        for (text, number) in [("0", 0), ("1", 1), ("0001", 1), ("4294967294", u32::MAX - 1)] {
            assert_eq!(id("uid", text).unwrap(), number);
        }
        for text in
            ["", "abc", "-1", "+1", " 1", "1 ", "0x1", "1e3", "4294967295", "4294967296", "1:1", "\u{661}"]
        {
            let error = id("uid", text).unwrap_err().to_string();
            assert!(error.starts_with("bad uid: "), "{error}");
        }
    }

    #[test]
    fn a_user_is_read_as_a_whole_or_not_at_all() {
        for text in ["1", "1:1", "0:4294967294"] {
            Line::default().user(text).unwrap();
        }
        for text in [":5", "1:", "abc", "1:abc", "-1", "4294967296", "1:1:1", "1:-1", "root", "0:root"] {
            assert!(Line::default().user(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sub_cgroups_are_one_path_or_controllers_with_theirs() {
        let read = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(|&value| value.to_owned()).collect();
            sub_cgroups(&given).map(|found| format!("{found:?}")).map_err(|error| error.to_string())
        };
        assert_eq!(read(&[]).unwrap(), "[]");
        assert_eq!(read(&["a/b"]).unwrap(), r#"[(None, "a/b")]"#);
        assert_eq!(
            read(&["cpu,cpuacct:a", "io:b:c"]).unwrap(),
            r#"[(Some("cpu"), "a"), (Some("cpuacct"), "a"), (Some("io"), "b:c")]"#
        );
        for (given, why) in [
            (&["a", "b"][..], "missing <controller>: prefix"),
            (&["cpu:a", "b"], "missing <controller>: prefix"),
            (&[":a"], "empty <controller> prefix"),
            (&["cpu,:a"], "empty <controller> prefix"),
            (&["cpu:a", "cpu:b"], "more than once"),
        ] {
            assert!(read(given).unwrap_err().contains(why), "{given:?}");
        }
    }

    #[test]
    fn what_follows_the_name_belongs_to_the_command() {
        let mut arguments = Arguments::of(&["-t", "--cwd=/", "-e", "A=b", "id", "sh", "-c", "--", "-d"]);
        let mut line = Line::default();
        assert_eq!(line.read(&mut arguments).unwrap(), "id");
        assert_eq!(arguments.rest().unwrap(), ["sh", "-c", "--", "-d"]);
        assert!(!line.detach);
    }
}
