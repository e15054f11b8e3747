//! What the runtime-spec has and this version does not do. Asking for it is an error: a container without the thing
//! it asked for is not the container.

use crate::spec::problem::{Checked, Problem};
use crate::spec::raw::{Asked, Linux, Spec};

pub(super) fn refuse(spec: &Spec) -> Checked {
    other_platforms(spec)?;
    linux(&spec.linux)
}

fn other_platforms(spec: &Spec) -> Checked {
    let platforms = [
        ("/vm", spec.vm),
        ("/windows", spec.windows),
        ("/solaris", spec.solaris),
        ("/zos", spec.zos),
        ("/freebsd", spec.freebsd),
    ];
    refuse_each(&platforms, "this is not a configuration for Linux containers; remove the block")
}

fn linux(linux: &Linux) -> Checked {
    let values = [("/linux/mountLabel", linux.mount_label)];
    refuse_each(&values, NOT_YET)
}

const NOT_YET: &str = "not supported by this version; remove it";

fn refuse_each(values: &[(&str, Asked)], message: &str) -> Checked {
    match values.iter().find(|(_, asked)| asked.0) {
        Some((pointer, _)) => Err(Problem::unsupported(pointer, message)),
        None => Ok(()),
    }
}
