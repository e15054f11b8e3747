use serde::{Deserialize, Serialize};

/// Where a container is in its life (runtime-spec, "State").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being made; only seen while `create` works or after it was killed.
    Creating,
    /// Made; the program waits for `start`.
    Created,
    /// The program runs.
    Running,
    /// All processes are frozen.
    Paused,
    /// The first process has ended.
    Stopped,
}

impl Status {
    /// The lower-case word that `state` prints.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}
