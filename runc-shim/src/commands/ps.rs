//! `ps`: shows the processes of a container, as ps(1) shows them.

use std::ffi::OsString;
use std::process::Command as Program;

use libcontainer::ContainerId;

use super::{Command, Context};
use crate::cli::{self, Arguments, Token};
use crate::failure::Failure;
use crate::{messages, output};

pub(super) const COMMAND: Command = Command {
    name: "ps",
    summary: "show the processes of a container",
    usage: "[OPTIONS] ID [OPTIONS OF PS]      (default: -ef)",
    options: &[(
        "--format FORMAT, -f FORMAT",
        "table (default) or json, a list of the host's process numbers",
    )],
    seals: false,
    run: ps,
};

fn ps(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let mut json = false;
    let id = loop {
        match arguments.next()? {
            Some(Token::Flag(flag)) if matches!(flag.as_str(), "--format" | "-f") => {
                json = output::is_json(&arguments.text()?)?;
            }
            Some(Token::Flag(flag)) => return Err(cli::unknown(&flag)),
            Some(Token::Word(word)) => break ContainerId::new(cli::text(word)?)?,
            None => return Err(Failure::Usage(messages::too_few(context.command, 1))),
        }
    };
    let pids = context.runtime()?.load(&id)?.processes()?;
    if json {
        output::print_json_line(&pids)?;
    } else {
        output::print_bytes(&filtered(&listed(&arguments.rest()?)?, &pids)?)?;
    }
    Ok(0)
}

/// What ps(1) prints.
fn listed(options: &[OsString]) -> Result<Vec<u8>, Failure> {
    let mut program = Program::new("ps");
    if options.is_empty() {
        program.arg("-ef");
    }
    let output = program.args(options).output().map_err(|error| Failure::system("ps", error))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        return Err(Failure::Other(messages::ps_failed(output.status, &said)));
    }
    if !output.stderr.is_empty() {
        tracing::warn!("ps: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// The title of a table, and the lines about the processes `pids`, which are sorted.
fn filtered(table: &[u8], pids: &[i32]) -> Result<Vec<u8>, Failure> {
    let mut lines = table.split_inclusive(|byte| *byte == b'\n');
    let title = lines.next().unwrap_or_default();
    let column = words(title).position(|word| word == b"PID");
    let column = column.ok_or_else(|| Failure::Other(messages::NO_PID_COLUMN.to_owned()))?;
    let mut kept = title.to_vec();
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        let number = words(line).nth(column).and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
        let pid: i32 = number
            .ok_or_else(|| Failure::Other(messages::no_pid_in(String::from_utf8_lossy(line).trim_end())))?;
        if pids.binary_search(&pid).is_ok() {
            kept.extend_from_slice(line);
        }
    }
    Ok(kept)
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_of_the_processes_stay() {
        let table =
            b"USER   PID %CPU COMMAND\nroot     1  0.0 init\nroot    22  0.0 sh 1\n\xff       3 9.9 \xfe\n\n";
        let kept = filtered(table, &[3, 22]).unwrap();
        assert_eq!(kept, b"USER   PID %CPU COMMAND\nroot    22  0.0 sh 1\n\xff       3 9.9 \xfe\n");
        assert_eq!(filtered(table, &[]).unwrap(), b"USER   PID %CPU COMMAND\n");
    }

    #[test]
    fn without_numbers_there_is_nothing_to_go_by() {
        for (table, words) in [
            (&b"CMD\nsh\n"[..], "couldn't find PID field in ps output"),
            (b"", "couldn't find PID field in ps output"),
            (b"PPID CMD\n1 sh\n", "couldn't find PID field in ps output"),
            (b"CMD PID\na b 7\n", "unable to parse pid in the output of ps: \"a b 7\""),
            (b"CMD PID\n7\n", "unable to parse pid in the output of ps: \"7\""),
        ] {
            assert_eq!(filtered(table, &[7]).unwrap_err().to_string(), words);
        }
    }
}
