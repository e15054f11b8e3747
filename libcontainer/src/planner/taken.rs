//! Trees of a caller that may not mount: it lends nothing, and `Init` takes them itself once it has a mount namespace in
//! a user namespace of its own.

use libcontainer_init::Step;
use libcontainer_init::attr::MountAttr;

use super::build::Build;
use super::entry::{Source, Tree};
use crate::spec::Membership;
use crate::{Error, ErrorKind, Result};

/// CAP_SYS_ADMIN, without which nobody mounts.
const SYS_ADMIN: u64 = 1 << 21;

/// Whether `Init` must take what the host would lend. Without a user namespace it could do no more than the host.
pub(super) fn applies(build: &Build<'_>) -> bool {
    let request = build.request;
    request.facts.capabilities & SYS_ADMIN == 0
        && request.config.namespaces.user.membership != Membership::Host
}

/// Takes them, in the order in which they would have been lent.
pub(super) fn plan(build: &mut Build<'_>) -> Result<()> {
    for (tree, pointer) in std::mem::take(&mut build.taken) {
        let pointer = pointer.unwrap_or_else(|| "/linux/devices".to_owned());
        if tree.idmap.is_some() || matches!(tree.source, Source::New(_)) {
            return Err(refusal(pointer));
        }
        take(build, &tree, &pointer);
    }
    Ok(())
}

fn take(build: &mut Build<'_>, tree: &Tree, pointer: &str) {
    let path = build.pool.text(tree.path.as_os_str().as_encoded_bytes());
    let step = Step::TakeTree { path, slot: tree.slot, recursive: tree.recursive };
    build.init_for(step, pointer);
    for (recursive, attr) in [true, false].into_iter().zip(changes(tree.recursive, tree.all, tree.top)) {
        if !attr.is_empty() {
            build.init_for(Step::SetTree { tree: tree.slot, attr, recursive }, pointer);
        }
    }
}

/// What changes in the whole tree, then in its top. A single mount needs one change only.
pub(crate) fn changes(recursive: bool, all: MountAttr, top: MountAttr) -> [MountAttr; 2] {
    if recursive { [all, top] } else { [MountAttr::default(), all.then(top)] }
}

fn refusal(pointer: String) -> Error {
    let message = format!(
        "{pointer}: mapped ids of a mount and tmpcopyup need CAP_SYS_ADMIN, which this caller does not have (run as \
         root, or drop the option)"
    );
    Error::new(ErrorKind::Unsupported { pointer }, message)
}
