//! One thing that is wrong with a configuration, before it is tied to a file.

use std::fmt::{self, Display};
use std::path::Path;

use crate::{Error, ErrorKind};

/// What is wrong, and where. The checks make these; [`Problem::in_file`] makes the public error.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) pointer: String,
    pub(super) message: String,
    pub(super) unsupported: bool,
}

pub(super) type Checked<T = ()> = Result<T, Problem>;

impl Problem {
    /// The value contradicts the runtime-spec, itself, or another value.
    pub(super) fn invalid(pointer: impl Display, message: impl Into<String>) -> Self {
        Self { pointer: pointer.to_string(), message: message.into(), unsupported: false }
    }

    /// The value is fine, but this version cannot do what it asks for.
    pub(super) fn unsupported(pointer: impl Display, message: impl Into<String>) -> Self {
        Self { pointer: pointer.to_string(), message: message.into(), unsupported: true }
    }

    pub(super) fn in_file(self, file: &Path) -> Error {
        let Self { pointer, message, unsupported } = self;
        let place = if pointer.is_empty() { "" } else { ": " };
        let text = one_line(&format!("{}{place}{pointer}: {message}", file.display()));
        let kind = match unsupported {
            true => ErrorKind::Unsupported { pointer },
            false => ErrorKind::InvalidSpec { pointer },
        };
        Error::new(kind, text)
    }
}

/// Messages quote values of the configuration, and a log line must stay one line.
fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// A key as a reference token of a JSON pointer (RFC 6901, section 3).
pub(super) struct Token<'a>(pub(super) &'a str);

impl Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '~' => f.write_str("~0")?,
                '/' => f.write_str("~1")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}
