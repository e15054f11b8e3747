//! Network devices.

use rustix::io::{self, Errno};
use rustix::process::Pid;

use super::wire::{self, Request};
use super::{Result, Socket};

const ASK: i32 = libc::NLM_F_REQUEST | libc::NLM_F_ACK;

/// Statistics make the answer long, and nobody here reads them.
const SKIP_STATISTICS: u32 = 1 << 3;

/// A network device of one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its number in the namespace.
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) is_up: bool,
}

impl Link {
    /// From `struct ifinfomsg` and attributes.
    fn parse(bytes: &[u8]) -> io::Result<Self> {
        let index = wire::u32_at(bytes, 4)?;
        let flags = wire::u32_at(bytes, 8)?;
        let attributes = wire::attributes(bytes.get(16..).ok_or(Errno::BADMSG)?)?;
        let name = attributes.iter().find(|(kind, _)| *kind == libc::IFLA_IFNAME).ok_or(Errno::BADMSG)?.1;
        Ok(Self { index, name: wire::text(name), is_up: flags & libc::IFF_UP as u32 != 0 })
    }
}

/// `struct ifinfomsg`.
fn header(index: u32, flags: u32, change: u32) -> Vec<u8> {
    [0, index, flags, change].into_iter().flat_map(u32::to_ne_bytes).collect()
}

impl Socket {
    /// The device of that name.
    pub(crate) fn link(&mut self, name: &str) -> Result<Option<Link>> {
        let request = Request::new(libc::RTM_GETLINK, ASK, &header(0, 0, 0));
        self.get_link(request.with_text(libc::IFLA_IFNAME, name))
    }

    /// The device of that number.
    pub(crate) fn link_at(&mut self, index: u32) -> Result<Option<Link>> {
        self.get_link(Request::new(libc::RTM_GETLINK, ASK, &header(index, 0, 0)))
    }

    fn get_link(&mut self, request: Request) -> Result<Option<Link>> {
        let request = request.with(libc::IFLA_EXT_MASK, &SKIP_STATISTICS.to_ne_bytes());
        self.ask("RTM_GETLINK", request, Link::parse)
    }

    /// Moves a device into the network namespace of process or thread `to`, where its name is `name` and its number
    /// `as_index`, or one of the kernel's choice.
    pub(crate) fn move_link(&mut self, index: u32, to: Pid, name: &str, as_index: Option<u32>) -> Result<()> {
        let request = Request::new(libc::RTM_SETLINK, ASK, &header(index, 0, 0))
            .with(libc::IFLA_NET_NS_PID, &to.as_raw_nonzero().get().to_ne_bytes())
            .with_text(libc::IFLA_IFNAME, name);
        let request = match as_index {
            Some(index) => request.with(libc::IFLA_NEW_IFINDEX, &index.to_ne_bytes()),
            None => request,
        };
        self.order("RTM_SETLINK", request)
    }

    /// Lets a device send and receive.
    pub(crate) fn set_up(&mut self, index: u32) -> Result<()> {
        let up = libc::IFF_UP as u32;
        self.order("RTM_SETLINK", Request::new(libc::RTM_SETLINK, ASK, &header(index, up, up)))
    }
}
