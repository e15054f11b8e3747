//! The two x86 system calls that stand for many.

use super::{Comparison, Test};

const SOCKETCALL: u32 = 102;
const IPC: u32 = 117;

/// The other way to make the call `name` on x86: the number, and what its first argument must be.
pub(super) fn find(name: &str) -> Option<(u32, Test)> {
    // The kernel takes the upper half of ipc's first argument for a version.
    let (number, value, mask) = match (socketcall(name), ipc(name)) {
        (Some(call), _) => (SOCKETCALL, call, u64::MAX),
        (None, Some(call)) => (IPC, call, 0xffff),
        (None, None) => return None,
    };
    Some((number, Test { argument: 0, comparison: Comparison::Equal { value, mask }, negated: false }))
}

fn socketcall(name: &str) -> Option<u64> {
    Some(match name {
        "socket" => 1,
        "bind" => 2,
        "connect" => 3,
        "listen" => 4,
        "accept" => 5,
        "getsockname" => 6,
        "getpeername" => 7,
        "socketpair" => 8,
        "send" => 9,
        "recv" => 10,
        "sendto" => 11,
        "recvfrom" => 12,
        "shutdown" => 13,
        "setsockopt" => 14,
        "getsockopt" => 15,
        "sendmsg" => 16,
        "recvmsg" => 17,
        "accept4" => 18,
        "recvmmsg" => 19,
        "sendmmsg" => 20,
        _ => return None,
    })
}

fn ipc(name: &str) -> Option<u64> {
    Some(match name {
        "semop" => 1,
        "semget" => 2,
        "semctl" => 3,
        "semtimedop" => 4,
        "msgsnd" => 11,
        "msgrcv" => 12,
        "msgget" => 13,
        "msgctl" => 14,
        "shmat" => 21,
        "shmdt" => 22,
        "shmget" => 23,
        "shmctl" => 24,
        _ => return None,
    })
}
