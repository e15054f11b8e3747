//! A network namespace that the host makes beside everything else: nothing that a container needs takes the kernel
//! longer.

use std::thread::{self, JoinHandle};

use libcontainer_init::{Slot, sys};
use rustix::fd::AsRawFd;
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use super::host::{Result, child};
use super::{Engine, Fault, clone};

type Made = std::result::Result<sys::Handle, libcontainer_init::Fault>;

/// The thread that makes it, and goes there: the one that creates the container stays where it is, whatever happens.
pub(super) struct Network(Option<JoinHandle<Made>>);

/// Signals 32 to 34, by which C libraries have threads change their ids: one that blocked them could not end.
const THREADS_OWN: u64 = 0b111 << 31;

impl Network {
    /// No handler of the embedder may run in that thread, which inherits what is blocked.
    fn begin() -> Result<Self> {
        let mask = sys::set_signal_mask(!THREADS_OWN).map_err(child)?;
        let thread = thread::Builder::new().spawn(sys::enter_new_network);
        sys::set_signal_mask(mask).map_err(child)?;
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

/// What is opened beside the trees: sockets, the cgroup, a program for devices.
const OTHERS: i32 = 16;

impl Engine<'_> {
    /// The kernel lets a process that has threads wait for milliseconds when its table of descriptors grows, which it
    /// does in steps from 64 on. So it grows before there is a thread. Where it may not, the wait is all that is lost.
    fn make_room(&self) -> Result<()> {
        const SMALLEST: i32 = 64;
        let claim = self.claimed()?.dir();
        let slots = i32::try_from(self.launch.plan.slots).unwrap_or(i32::MAX);
        let highest = claim.as_raw_fd().saturating_add(slots).saturating_add(OTHERS);
        if highest >= SMALLEST {
            drop(fcntl_dupfd_cloexec(claim, highest));
        }
        Ok(())
    }

    pub(super) fn begin_network(&mut self) -> Result<()> {
        self.make_room()?;
        self.network = Some(Network::begin()?);
        Ok(())
    }

    pub(super) fn send_network(&mut self, slot: Slot) -> Result<()> {
        let made = self.network.take().and_then(|mut network| network.end());
        let network = made.ok_or(Fault::Call("unshare", Errno::CHILD))?.map_err(child)?;
        self.lend(slot, clone::owned(network))
    }
}
