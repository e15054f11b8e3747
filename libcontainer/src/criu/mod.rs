//! CRIU, the program that dumps and restores processes (criu(8)), as a service of one request.
//!
//! `criu swrk FD` reads one request from a socket and answers it, with notices in between that wait for an answer
//! themselves. [`wire`] has the encoding of its messages (Protocol Buffers), [`Request`] and [`reply`] the few of them that
//! are needed, of criu's `images/rpc.proto`; [`Service`] is the conversation. Knows no container: what of one has
//! to be said is said by its users.

mod cgroups;
mod checkpoint;
mod descriptors;
mod folder;
mod log;
mod program;
mod reply;
mod request;
mod requirements;
mod service;
mod settings;
mod wire;

/// What a network namespace outside of the container is called in images.
pub(crate) const EXTERNAL_NETWORK: &str = "extRootNetNS";
/// Likewise a pid namespace.
pub(crate) const EXTERNAL_PIDS: &str = "extRootPidNS";

pub(crate) use cgroups::own_cgroups;
pub(crate) use checkpoint::{Checkpoint, checkpoint};
pub(crate) use descriptors::Descriptors;
pub(crate) use log::explained;
pub(crate) use program::Program;
pub(crate) use request::{Options, PageServer, Request};
pub(crate) use requirements::require;
pub(crate) use service::{Answer, Lent, Service, Started};
pub use settings::CgroupsMode;
pub(crate) use settings::{Files, Settings, configuration};
