//! Thin helpers over system calls of the host side.
