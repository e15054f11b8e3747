//! Against the kernel: what every namespace has, and what only root may make.

use rustix::fd::AsFd;
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::*;

#[test]
fn every_namespace_has_a_loopback() {
    let mut socket = Socket::open().unwrap();
    let lo = socket.link("lo").unwrap().unwrap();
    assert_eq!((lo.index, lo.name.as_str()), (1, "lo"));
    assert_eq!(socket.link_at(1).unwrap(), Some(lo));
}

#[test]
fn what_is_not_there_is_no_error() {
    let mut socket = Socket::open().unwrap();
    assert_eq!(socket.link("no-such-device").unwrap(), None);
    assert_eq!(socket.link_at(u32::MAX >> 1).unwrap(), None);
}

#[test]
fn addresses_of_the_host_only_are_left_out() {
    let mut socket = Socket::open().unwrap();
    assert_eq!(socket.addresses(1).unwrap(), []);
}

#[test]
fn an_order_that_cannot_be_followed_carries_the_errno() {
    let mut socket = Socket::open().unwrap();
    let refused = socket.set_up(u32::MAX >> 1).unwrap_err();
    assert_eq!((refused.request, refused.errno), ("RTM_SETLINK", Errno::NODEV));
}

#[test]
fn the_kernels_words_are_repeated() {
    let mut socket = Socket::open().unwrap();
    let request = Request::new(libc::RTM_GETLINK, libc::NLM_F_REQUEST | libc::NLM_F_ACK, &[1; 16]);
    let refused = socket.order("RTM_GETLINK", request).unwrap_err();
    assert_eq!(refused.errno, Errno::INVAL);
    assert!(refused.to_string().contains("the kernel says: Invalid"), "{refused}");
}

#[test]
fn a_socket_for_another_process_leaves_this_thread_where_it_is() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: setns needs CAP_SYS_ADMIN");
        return;
    }
    let mut child = std::process::Command::new("unshare")
        .args(["--net", "sh", "-c", "echo && exec cat"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    let pidfd = pidfd_open(rustix::process::Pid::from_child(&child), PidfdFlags::empty()).unwrap();
    let own = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    let before = own();
    let mut socket = Socket::open_in(pidfd.as_fd()).unwrap();
    assert_eq!(own(), before);
    // Nobody has brought it up there.
    assert!(!socket.link("lo").unwrap().unwrap().is_up);
    let myself = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    assert_eq!(Socket::open_in(myself.as_fd()).unwrap().link("lo").unwrap().unwrap().index, 1);
    drop(child.stdin.take());
    child.wait().unwrap();
}
