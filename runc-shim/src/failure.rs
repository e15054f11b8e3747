//! Why a command did not do its work.

use crate::messages;

/// Anything that ends a command early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// `--help` was found among the options: nothing failed.
    #[error("help was asked for")]
    HelpAsked,
    /// Nobody reads the output any more, which is no failure of ours.
    #[error("the reader of the output is gone")]
    ReaderGone,
    /// The command line cannot be understood.
    #[error("{0}")]
    Usage(String),
    /// The library refused or failed.
    #[error(transparent)]
    Container(#[from] libcontainer::Error),
    /// A whole line that clients expect without anything around it.
    #[error("{0}")]
    Line(String),
    /// Everything else, as a sentence.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// A failed operation of the system: what it was meant to do, and why it could not.
    pub(crate) fn system(what: impl std::fmt::Display, error: impl Into<std::io::Error>) -> Self {
        Self::Other(messages::system(what, &error.into()))
    }

    /// The one line that stderr and the log show.
    pub(crate) fn line(&self, program: &str, command: Option<&str>) -> String {
        let text = match self {
            Self::Line(line) => return messages::one_line(line),
            Self::Container(error) => messages::describe(error, command.unwrap_or_default()),
            Self::Usage(what) => messages::usage(what, program, command),
            other => other.to_string(),
        };
        let line = match command {
            Some(command) => format!("{program} {command} failed: {text}"),
            None => format!("{program}: {text}"),
        };
        messages::one_line(&line)
    }
}
