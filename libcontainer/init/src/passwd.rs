//! `HOME`, looked up in the container's own passwd file after its mounts, without allocating.

use libc::{O_NOCTTY, O_NONBLOCK, O_RDONLY, S_IFREG};

use crate::buffer::Buffer;
use crate::program::{CText, Program};
use crate::{Result, resolve, sys};

/// How much of a passwd file is read: an image could bring an endless one.
const MAX_BYTES: usize = 1 << 20;
const PATH: CText<'static> = CText::literal(c"/etc/passwd");
const FLAGS: i32 = O_RDONLY | O_NONBLOCK | O_NOCTTY;
const FIELD_UID: usize = 2;
const FIELD_HOME: usize = 5;

/// Fills `home` with `HOME=` and the folder of `uid`: `/` if there is none.
pub(crate) fn home(program: &Program<'_>, uid: u32, home: &mut Buffer) -> Result<()> {
    home.truncate(0);
    home.push(b"HOME=")?;
    let prefix = home.bytes().len();
    if !scan(program, uid, home) || home.bytes().get(prefix) != Some(&b'/') {
        home.truncate(prefix);
        home.push(b"/")?;
    }
    Ok(())
}

fn scan(program: &Program<'_>, uid: u32, home: &mut Buffer) -> bool {
    let opened = resolve::open_checked(program, PATH, FLAGS, |stat| stat.is(S_IFREG));
    let Ok(file) = opened else { return false };
    let mut line = Line::new(uid);
    let mut chunk = [0u8; 4096];
    let mut total = 0;
    while total < MAX_BYTES {
        let Ok(len) = sys::read(file.fd(), &mut chunk) else { return false };
        if len == 0 {
            return line.ends();
        }
        for &byte in chunk.iter().take(len) {
            if line.feed(byte, home) {
                return true;
            }
        }
        total += len;
    }
    false
}

/// One line of the file as it streams by: `name:password:uid:gid:comment:home:shell`.
struct Line {
    wanted: u32,
    field: usize,
    uid: Option<u32>,
    uid_is_empty: bool,
    home_start: Option<usize>,
}

impl Line {
    fn new(wanted: u32) -> Self {
        Self { wanted, field: 0, uid: Some(0), uid_is_empty: true, home_start: None }
    }

    /// Takes a byte; `true` once `home` holds the answer.
    fn feed(&mut self, byte: u8, home: &mut Buffer) -> bool {
        match byte {
            b'\n' => {
                if self.ends() {
                    return true;
                }
                if let Some(start) = self.home_start {
                    home.truncate(start);
                }
                *self = Self::new(self.wanted);
            }
            b':' => self.field += 1,
            _ if self.field == FIELD_UID => self.digit(byte),
            _ if self.field == FIELD_HOME && self.matches() => {
                self.home_start.get_or_insert(home.bytes().len());
                // A folder too long for a path is no folder.
                if home.push(&[byte]).is_err() {
                    self.uid = None;
                }
            }
            _ => {}
        }
        false
    }

    fn digit(&mut self, byte: u8) {
        self.uid_is_empty = false;
        let digit = byte.wrapping_sub(b'0');
        self.uid = match self.uid {
            Some(uid) if digit < 10 => {
                uid.checked_mul(10).and_then(|tens| tens.checked_add(u32::from(digit)))
            }
            _ => None,
        };
    }

    fn matches(&self) -> bool {
        !self.uid_is_empty && self.uid == Some(self.wanted)
    }

    /// Whether the line, now over, was the one looked for.
    fn ends(&self) -> bool {
        self.matches() && self.field >= FIELD_HOME && self.home_start.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home_in(passwd: &str, uid: u32) -> Option<String> {
        let mut home = Buffer::new();
        let mut line = Line::new(uid);
        let found = passwd.bytes().any(|byte| line.feed(byte, &mut home)) || line.ends();
        found.then(|| String::from_utf8(home.bytes().to_vec()).unwrap())
    }

    extern crate std;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn the_line_of_the_uid_is_found() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/var/www:/bin/false\n";
        assert_eq!(home_in(passwd, 0).as_deref(), Some("/root"));
        assert_eq!(home_in(passwd, 33).as_deref(), Some("/var/www"));
        assert_eq!(home_in(passwd, 1), None);
        assert_eq!(home_in("last:x:7:7::/last:", 7).as_deref(), Some("/last"));
    }

    #[test]
    fn broken_lines_match_nobody() {
        let long: Vec<u8> = std::iter::repeat_n(b'x', 5000).collect();
        let long = String::from_utf8(long).unwrap();
        for passwd in
            ["a:x::0::/a:\n", "a:x:+0:0::/a:\n", "a:x:4294967296:0::/a:\n", "a:x:0\n", "0:x:1:0::/a:\n"]
        {
            assert_eq!(home_in(passwd, 0), None, "{passwd}");
        }
        assert_eq!(home_in(&std::format!("a:x:0:0::/{long}:\nb:x:0:0::/b:\n"), 0).as_deref(), Some("/b"));
    }
}
