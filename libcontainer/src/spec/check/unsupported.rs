//! Blocks for other platforms. Asking for them is an error: a container without the thing it asked for is not the
//! container.

use crate::spec::problem::{Checked, Problem};
use crate::spec::raw::Spec;

pub(super) fn refuse(spec: &Spec) -> Checked {
    let platforms = [
        ("/vm", spec.vm),
        ("/windows", spec.windows),
        ("/solaris", spec.solaris),
        ("/zos", spec.zos),
        ("/freebsd", spec.freebsd),
    ];
    match platforms.iter().find(|(_, asked)| asked.0) {
        Some((pointer, _)) => {
            let message = "this is not a configuration for Linux containers; remove the block";
            Err(Problem::unsupported(pointer, message))
        }
        None => Ok(()),
    }
}
