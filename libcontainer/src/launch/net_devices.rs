//! Network devices of the host, moved into the container's network namespace, and back if the creation fails.
//!
//! Moving takes a device down and takes its addresses and routes; the addresses that belong to the device are given
//! to it again, and it comes up. Undoing does the same in the other direction; only routes are lost. If this process
//! is killed on the way, the kernel does what it does when a container ends: it moves physical devices to the
//! initial network namespace, and removes virtual ones with the namespace.

use rustix::fd::AsFd;
use rustix::process::Pid;

use super::Fault;
use crate::spec::NetDevice;
use crate::sys::netlink::{Address, Link, Refused, Socket};
use crate::sys::pidfd::Process;
use crate::{Error, ErrorKind};

/// What the kernel counts a template's number to.
const LAST_NUMBER: u32 = 32_767;

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::Error(refused.into())
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::new(ErrorKind::Os, refused.to_string())
    }
}

/// The devices moved so far.
pub(super) struct NetDevices {
    host: Socket,
    container: Socket,
    moved: Vec<Moved>,
}

struct Moved {
    /// As it was on the host.
    old: Link,
    addresses: Vec<Address>,
    /// Its number in the container. No other device there has it.
    index: u32,
}

impl NetDevices {
    /// For the network namespaces of the calling thread and of `container`.
    pub(super) fn new(container: &Process) -> Result<Self, Fault> {
        Ok(Self { host: Socket::open()?, container: Socket::open_in(container.as_fd())?, moved: Vec::new() })
    }

    /// Moves a device to the namespace of process `to`, which is the one that this was made for.
    pub(super) fn attach(&mut self, device: &NetDevice, to: Pid) -> Result<(), Fault> {
        let Some(old) = self.host.link(&device.host)? else {
            return Err(wrong("the host has no network device of that name"));
        };
        let addresses = self.host.addresses(old.index)?;
        let name = self.choose_name(device.name.as_deref().unwrap_or(&old.name))?;
        let index = self.choose_index(old.index)?;
        let from = old.index;
        // Before the move, which may go wrong half-way.
        self.moved.push(Moved { old, addresses: addresses.clone(), index });
        self.host.move_link(from, to, &name, Some(index))?;
        Ok(configure(&mut self.container, index, &addresses, true)?)
    }

    /// The name itself, or the first of the template that is free.
    fn choose_name(&mut self, name: &str) -> Result<String, Fault> {
        if !name.contains("%d") {
            return match self.container.link(name)? {
                Some(_) => Err(wrong(&format!("the container has a network device {name} already"))),
                None => Ok(name.to_owned()),
            };
        }
        for number in 0..=LAST_NUMBER {
            let name = name.replacen("%d", &number.to_string(), 1);
            if self.container.link(&name)?.is_none() {
                return Ok(name);
            }
        }
        Err(wrong(&format!("all names of the form {name} are taken")))
    }

    /// The number that the device has, if it is free in the container.
    fn choose_index(&mut self, old: u32) -> Result<u32, Fault> {
        let mut index = old;
        while self.container.link_at(index)?.is_some() {
            index = index.saturating_add(1);
        }
        Ok(index)
    }

    /// Moves everything back. Goes on after a failure, and returns all of them.
    pub(super) fn undo(mut self) -> Vec<Error> {
        let mut troubles = Vec::new();
        while let Some(moved) = self.moved.pop() {
            if let Err(refused) = self.detach(&moved) {
                let message = format!("move network device {} back: {refused}", moved.old.name);
                troubles.push(Error::new(ErrorKind::Os, message));
            }
        }
        troubles
    }

    fn detach(&mut self, moved: &Moved) -> Result<(), Refused> {
        let Moved { old, addresses, index } = moved;
        if self.container.link_at(*index)?.is_none() {
            return Ok(());
        }
        self.container.move_link(*index, rustix::thread::gettid(), &old.name, None)?;
        match self.host.link(&old.name)? {
            Some(link) => configure(&mut self.host, link.index, addresses, old.is_up),
            None => Ok(()),
        }
    }
}

fn configure(socket: &mut Socket, index: u32, addresses: &[Address], is_up: bool) -> Result<(), Refused> {
    for address in addresses {
        socket.add_address(index, address)?;
    }
    if is_up { socket.set_up(index) } else { Ok(()) }
}

fn wrong(message: &str) -> Fault {
    Fault::Error(Error::new(ErrorKind::Os, message))
}
