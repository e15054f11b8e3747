//! The container's terminal in the foreground: how it gets here, and how it is joined to the caller's.

mod reception;
mod relay;

pub(crate) use reception::Reception;
pub(crate) use relay::{Relay, Streams, Watched};
