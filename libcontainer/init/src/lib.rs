//! The steps of a container's first process.
#![no_std]
