//! How often each span of numbers is looked for.

use super::Span;
use crate::seccomp::abi::Abi;
use crate::seccomp::tables;

/// When a filter is loaded, the kernel runs it once for each number up to about this one, to find those that it need
/// not run it for again.
const CACHED: u32 = 512;

/// What programs that do much do most, and how much that weighs against one number of the kernel's pass. Rough: it only
/// has to be right about which calls are found after few comparisons.
const HOT: [(&str, u32); 30] = [
    ("accept4", 16),
    ("brk", 8),
    ("clock_gettime", 64),
    ("clock_nanosleep", 16),
    ("close", 64),
    ("epoll_ctl", 32),
    ("epoll_pwait", 128),
    ("epoll_wait", 128),
    ("fcntl", 32),
    ("fstat", 64),
    ("futex", 256),
    ("getpid", 16),
    ("ioctl", 32),
    ("lseek", 32),
    ("madvise", 32),
    ("mmap", 32),
    ("munmap", 32),
    ("newfstatat", 64),
    ("openat", 64),
    ("poll", 64),
    ("ppoll", 64),
    ("pread64", 64),
    ("pwrite64", 64),
    ("read", 512),
    ("recvfrom", 128),
    ("recvmsg", 64),
    ("sendmsg", 64),
    ("sendto", 128),
    ("write", 512),
    ("writev", 64),
];

/// Fills in the weights of the spans of one ABI, which are sorted and without gaps.
pub(super) fn weigh(spans: &mut [Span], abi: Abi) {
    let mut end = u32::MAX;
    for span in spans.iter_mut().rev() {
        span.weight = 1 + end.min(CACHED) - span.first.min(CACHED);
        end = span.first;
    }
    // Few programs are x32 code, whose spans share a section with those of x86_64.
    if abi == Abi::X32 {
        return;
    }
    for (name, weight) in HOT {
        let Some(number) = tables::find(name).and_then(|numbers| numbers.number(abi)) else { continue };
        let after = spans.partition_point(|span| span.first <= number);
        if let Some(span) = after.checked_sub(1).and_then(|place| spans.get_mut(place)) {
            span.weight += weight;
        }
    }
}
