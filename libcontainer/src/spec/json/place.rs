use std::fmt;

use super::Reading;
use crate::spec::problem::Token;

/// A place in the document as links up the call stack: free as long as nothing goes wrong.
pub(super) enum Place<'a> {
    Document,
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

/// As a JSON pointer.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => Ok(()),
            Self::Key(parent, key) => write!(f, "{parent}/{}", Token(key)),
            Self::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

/// A place in a reading.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
    pub(super) place: &'a Place<'a>,
    pub(super) reading: &'a Reading,
}

impl Here<'_> {
    /// Called from the inside out, so that the innermost place stays.
    pub(super) fn failed(&self) {
        self.reading.failed_at.borrow_mut().get_or_insert_with(|| self.place.to_string());
    }
}
