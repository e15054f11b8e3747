//! criu's own log: what an error has to say that criu's answer does not.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, openat};

use super::request::Options;
use super::settings::Files;
use crate::{Error, ErrorKind};

/// How much of the log's end is read: a log has megabytes.
const TAIL: u64 = 256 << 10;
/// How many lines are told.
const MOST: usize = 3;
/// How many characters of a line: the container has chosen the names in it.
const LONGEST: usize = 1000;

/// What to do where criu says only what is wrong.
const HINTS: [(&str, &str); 2] = [
    (
        "unix: Unix socket ",
        "a socket is connected to one in another network namespace, of which CRIU sees nothing; close it before",
    ),
    (
        "Abort restore of existing cgroups",
        "the container's cgroup is made before criu restores, so use --manage-cgroups-mode soft, full or ignore",
    ),
];

/// `error` with what criu's log says of it.
pub(crate) fn explained(error: Error, files: &Files, options: &Options) -> Error {
    if *error.kind() != ErrorKind::Criu {
        return error;
    }
    let Some(lines) = last_errors(files.log_folder(), options.log) else { return error };
    let folder = options.settings.work.as_ref().unwrap_or(&options.settings.images);
    let hint = hint(&lines);
    let message = format!("{error}: {lines} (more is in {}){hint}", folder.join(options.log).display());
    Error::new(ErrorKind::Criu, message)
}

/// The last errors that the log `name` in `folder` tells, on one line; nothing if there is none.
fn last_errors(folder: &OwnedFd, name: &str) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(openat(folder, name, flags, Mode::empty()).ok()?);
    let length = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    errors(&String::from_utf8_lossy(&bytes))
}

fn errors(log: &str) -> Option<String> {
    let lines: Vec<String> = log.lines().filter(|line| line.contains("Error")).map(plain).collect();
    let first = lines.len().saturating_sub(MOST);
    let last = lines.get(first..).unwrap_or_default().join("; ");
    Some(last).filter(|last| !last.is_empty())
}

/// In parentheses, after a blank; nothing if there is none.
fn hint(lines: &str) -> String {
    let known = HINTS.iter().find(|(words, _)| lines.contains(words));
    known.map(|(_, hint)| format!(" (hint: {hint})")).unwrap_or_default()
}

/// Without the time, and anything that is not text.
fn plain(line: &str) -> String {
    let text = match line.split_once(')') {
        Some((time, rest)) if time.starts_with('(') => rest,
        _ => line,
    };
    let text: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_errors_are_told_without_their_times() {
        let log = "(00.1) fine\n(00.2) Error (criu/a.c:1): one\n(00.3)  7: Error (criu/b.c:2): two\x1b\n";
        assert_eq!(errors(log).unwrap(), "Error (criu/a.c:1): one; 7: Error (criu/b.c:2): two");
        assert_eq!(errors("(00.1) fine\n"), None);
        let long = errors(&format!("Error {}\n", "x".repeat(100_000))).unwrap();
        assert_eq!(long.len(), LONGEST);
        let many: String = (0..9).map(|number| format!("Error {number}\n")).collect();
        assert_eq!(errors(&many).unwrap(), "Error 6; Error 7; Error 8");
    }

    #[test]
    fn where_criu_does_not_say_what_to_do_we_do() {
        assert_eq!(hint("Error (criu/files.c:1): something"), "");
        let peer = "Error (criu/sk-unix.c:418): unix: Unix socket 1 without peer 2; Error: Dumping FAILED.";
        assert!(hint(peer).contains("network namespace"));
    }

    #[test]
    fn only_the_end_of_a_long_log_is_read_and_a_missing_one_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let fd = File::open(folder.path()).unwrap().into();
        assert_eq!(last_errors(&fd, "dump.log"), None);
        let long = format!("Error first\n{}Error last\n", "x\n".repeat(200_000));
        std::fs::write(folder.path().join("dump.log"), long).unwrap();
        assert_eq!(last_errors(&fd, "dump.log").as_deref(), Some("Error last"));
    }
}
