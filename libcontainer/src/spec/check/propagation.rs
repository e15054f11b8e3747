use crate::spec::config::{Propagation, PropagationKind};

/// The words of the runtime-spec; with an `r` before the kind, the mounts below change as well.
pub(in crate::spec) const PROPAGATIONS: [(&str, Propagation); 8] = [
    ("shared", alone(PropagationKind::Shared)),
    ("rshared", recursive(PropagationKind::Shared)),
    ("slave", alone(PropagationKind::Slave)),
    ("rslave", recursive(PropagationKind::Slave)),
    ("private", alone(PropagationKind::Private)),
    ("rprivate", recursive(PropagationKind::Private)),
    ("unbindable", alone(PropagationKind::Unbindable)),
    ("runbindable", recursive(PropagationKind::Unbindable)),
];

const fn alone(kind: PropagationKind) -> Propagation {
    Propagation { kind, recursive: false }
}

const fn recursive(kind: PropagationKind) -> Propagation {
    Propagation { kind, recursive: true }
}

/// The propagation that a word of the runtime-spec names.
pub(in crate::spec) fn propagation(word: &str) -> Option<Propagation> {
    PROPAGATIONS.iter().find(|(name, _)| *name == word).map(|(_, propagation)| *propagation)
}
