//! A network namespace that the host makes beside everything else: nothing that a container needs takes the kernel
//! longer.

use std::thread::{self, JoinHandle};

use libcontainer_init::{Slot, sys};
use rustix::io::Errno;

use super::host::{Result, child};
use super::{Engine, Fault, clone};

type Made = std::result::Result<sys::Handle, libcontainer_init::Fault>;

/// The thread that makes it, and goes there: the one that creates the container stays where it is, whatever happens.
pub(super) struct Network(Option<JoinHandle<Made>>);

impl Network {
    fn begin() -> Result<Self> {
        let thread = thread::Builder::new().spawn(sys::enter_new_network);
        let failed = |error| Fault::Call("clone", Errno::from_io_error(&error).unwrap_or(Errno::AGAIN));
        Ok(Self(Some(thread.map_err(failed)?)))
    }

    fn end(&mut self) -> Option<Made> {
        self.0.take().and_then(|thread| thread.join().ok())
    }
}

impl Drop for Network {
    /// What failed leaves no thread.
    fn drop(&mut self) {
        drop(self.end());
    }
}

impl Engine<'_> {
    pub(super) fn begin_network(&mut self) -> Result<()> {
        self.network = Some(Network::begin()?);
        Ok(())
    }

    pub(super) fn send_network(&mut self, slot: Slot) -> Result<()> {
        let made = self.network.take().and_then(|mut network| network.end());
        let network = made.ok_or(Fault::Call("unshare", Errno::CHILD))?.map_err(child)?;
        self.handover = Some((slot, clone::owned(network)));
        Ok(())
    }
}
