//! Namespaces that the container has joined are joined again.

use integration::harness::*;
use integration::skip;

use super::counter::{Counter, inode};

/// Namespaces as a pod has them, of the kinds by which `unshare` knows them, with a container that is in one of them
/// before and after. `kind` is what the configuration calls it, `name` what the kernel does.
#[track_caller]
fn is_joined_again(path: &'static str, flags: &[&str], kind: &str, (of_holder, name): (&str, &str)) {
    let counter = Counter::new(Host::Native, path);
    let holder = Holder::new(flags);
    let namespace = holder.namespace(of_holder);
    let counter = counter.configure(|config| {
        config.as_object_mut().unwrap().remove("hostname");
        config.join(kind, &namespace);
    });
    counter.checkpointed();
    let container = counter.restored(&[]);
    assert_eq!(inode(&container.proc(&format!("ns/{name}"))), inode(&namespace));
    counter.goes_on(container);
}

#[test]
fn a_joined_network_namespace_is_joined_again() {
    is_joined_again(need_criu!(), &["--net"], "network", ("net", "net"));
}

#[test]
fn a_joined_ipc_namespace_is_joined_again() {
    is_joined_again(need_criu!(), &["--ipc"], "ipc", ("ipc", "ipc"));
}

#[test]
fn a_joined_uts_namespace_is_joined_again() {
    is_joined_again(need_criu!(), &["--uts"], "uts", ("uts", "uts"));
}

#[test]
fn a_joined_pid_namespace_is_joined_again() {
    is_joined_again(need_criu!(), &["--pid", "--fork"], "pid", ("pid_for_children", "pid"));
}
