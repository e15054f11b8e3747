//! OCI seccomp profiles → BPF. Pure.
