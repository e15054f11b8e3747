use crate::spec::config::{Propagation, PropagationKind};

/// The propagation that a word of the runtime-spec names.
pub(in crate::spec) fn propagation(word: &str) -> Option<Propagation> {
    let (kind, recursive) = match word {
        "shared" => (PropagationKind::Shared, false),
        "rshared" => (PropagationKind::Shared, true),
        "slave" => (PropagationKind::Slave, false),
        "rslave" => (PropagationKind::Slave, true),
        "private" => (PropagationKind::Private, false),
        "rprivate" => (PropagationKind::Private, true),
        "unbindable" => (PropagationKind::Unbindable, false),
        "runbindable" => (PropagationKind::Unbindable, true),
        _ => return None,
    };
    Some(Propagation { kind, recursive })
}
