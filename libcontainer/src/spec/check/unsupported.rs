//! What the runtime-spec has and this version does not do. Asking for it is an error: a container without the thing
//! it asked for is not the container.

use crate::spec::problem::{Checked, Problem};
use crate::spec::raw::{Asked, Hooks, Spec};

pub(super) fn refuse(spec: &Spec) -> Checked {
    other_platforms(spec)?;
    hooks(&spec.hooks)
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

fn hooks(hooks: &Hooks) -> Checked {
    let lists = [
        ("/hooks/prestart", hooks.prestart),
        ("/hooks/createRuntime", hooks.create_runtime),
        ("/hooks/createContainer", hooks.create_container),
        ("/hooks/startContainer", hooks.start_container),
        ("/hooks/poststart", hooks.poststart),
        ("/hooks/poststop", hooks.poststop),
    ];
    refuse_each(&lists, NOT_YET)
}

const NOT_YET: &str = "not supported by this version; remove it";

fn refuse_each(values: &[(&str, Asked)], message: &str) -> Checked {
    match values.iter().find(|(_, asked)| asked.0) {
        Some((pointer, _)) => Err(Problem::unsupported(pointer, message)),
        None => Ok(()),
    }
}
