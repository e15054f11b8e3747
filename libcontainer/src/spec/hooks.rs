//! Hooks after validation.

use serde::{Deserialize, Serialize};

/// `/hooks`, each list in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Hooks {
    pub prestart: Vec<Hook>,
    pub create_runtime: Vec<Hook>,
    pub create_container: Vec<Hook>,
    pub start_container: Vec<Hook>,
    pub poststart: Vec<Hook>,
    pub poststop: Vec<Hook>,
}

/// One program of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// `path`: absolute.
    pub path: String,
    /// `args`: none with NUL; the path alone if they are absent.
    pub args: Vec<String>,
    /// `env`, no duplicate names; `None` if absent, which inherits one.
    pub env: Option<Vec<String>>,
    /// `timeout` in seconds, at least 1.
    pub timeout: Option<u32>,
}

/// The kinds of hooks, in the order of a container's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum HookKind {
    Prestart,
    CreateRuntime,
    CreateContainer,
    StartContainer,
    Poststart,
    Poststop,
}

impl HookKind {
    /// Its key in `/hooks`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prestart => "prestart",
            Self::CreateRuntime => "createRuntime",
            Self::CreateContainer => "createContainer",
            Self::StartContainer => "startContainer",
            Self::Poststart => "poststart",
            Self::Poststop => "poststop",
        }
    }

    /// The JSON pointer of hook number `number` of this kind.
    #[must_use]
    pub fn pointer(self, number: usize) -> String {
        format!("/hooks/{}/{number}", self.as_str())
    }
}

/// Kind and number of the hook that a JSON pointer leads to.
pub(crate) fn place(pointer: &str) -> Option<(&str, usize)> {
    let (kind, number) = pointer.strip_prefix("/hooks/")?.split_once('/')?;
    Some((kind, number.parse().ok()?))
}
