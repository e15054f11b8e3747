//! Thin helpers over system calls of the host side.

pub(crate) mod atomic;
pub(crate) mod file;
pub(crate) mod namespace;
pub(crate) mod netlink;
pub(crate) mod pidfd;
pub(crate) mod procfs;
pub(crate) mod raw;
pub(crate) mod time;
pub(crate) mod tree;
