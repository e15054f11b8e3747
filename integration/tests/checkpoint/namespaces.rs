//! Namespaces that the container has joined are joined again.

use integration::harness::*;
use integration::skip;

use super::counter::{Counter, inode};

#[test]
fn a_joined_network_namespace_is_joined_again() {
    let counter = Counter::new(Host::Native, need_criu!());
    let holder = Holder::new(&["--net"]);
    let path = holder.namespace("net");
    let counter = counter.configure(|config| {
        config.join("network", &path);
    });
    counter.checkpointed();
    let container = counter.restored(&[]);
    assert_eq!(inode(&container.proc("ns/net")), inode(&path));
    counter.goes_on(container);
}
