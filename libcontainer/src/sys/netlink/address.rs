//! Addresses of network devices.

use rustix::io::{self, Errno};

use super::wire::{self, Request};
use super::{Result, Socket};

/// What somebody has chosen for an address; the rest is the kernel's view of it.
const CHOSEN: u32 = libc::IFA_F_NODAD
    | libc::IFA_F_HOMEADDRESS
    | libc::IFA_F_MANAGETEMPADDR
    | libc::IFA_F_NOPREFIXROUTE
    | libc::IFA_F_MCAUTOJOIN;

/// The metric of the routes that come with the address.
const IFA_RT_PRIORITY: u16 = 9;
/// Who made the address.
const IFA_PROTO: u16 = 11;

/// The attributes that make up an address. Labels are left out: they begin with the name of the device.
const KEPT: [u16; 5] = [libc::IFA_ADDRESS, libc::IFA_LOCAL, libc::IFA_BROADCAST, IFA_RT_PRIORITY, IFA_PROTO];

/// An address that goes where its device goes: a permanent one of global scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `AF_INET`, `AF_INET6`, ….
    family: u8,
    prefix: u8,
    /// `IFA_F_*`.
    flags: u32,
    attributes: Vec<(u16, Vec<u8>)>,
}

impl Address {
    /// From `struct ifaddrmsg` and attributes; `None` for one that belongs to the namespace or ends by itself.
    fn parse(bytes: &[u8], index: u32) -> io::Result<Option<Self>> {
        let &[family, prefix, flags, scope] = bytes.first_chunk().ok_or(Errno::BADMSG)?;
        let is_of_device = wire::u32_at(bytes, 4)? == index;
        let attributes = wire::attributes(bytes.get(8..).ok_or(Errno::BADMSG)?)?;
        let flags = match attributes.iter().find(|(kind, _)| *kind == libc::IFA_FLAGS) {
            Some((_, flags)) => wire::u32_at(flags, 0)?,
            None => flags.into(),
        };
        let is_kept = is_of_device && scope == libc::RT_SCOPE_UNIVERSE && flags & libc::IFA_F_PERMANENT != 0;
        let kept = attributes.into_iter().filter(|(kind, _)| KEPT.contains(kind));
        let attributes = kept.map(|(kind, value)| (kind, value.to_vec())).collect();
        Ok(is_kept.then_some(Self { family, prefix, flags: flags & CHOSEN, attributes }))
    }
}

impl Socket {
    /// The addresses of a device that are kept when it moves, in order.
    pub(crate) fn addresses(&mut self, index: u32) -> Result<Vec<Address>> {
        let request = || {
            let fixed = [0, index].into_iter().flat_map(u32::to_ne_bytes);
            let flags = libc::NLM_F_REQUEST | libc::NLM_F_DUMP;
            Request::new(libc::RTM_GETADDR, flags, &fixed.collect::<Vec<u8>>())
        };
        self.list("RTM_GETADDR", request, |bytes| Address::parse(bytes, index))
    }

    /// Gives a device an address.
    pub(crate) fn add_address(&mut self, index: u32, address: &Address) -> Result<()> {
        let mut fixed = vec![address.family, address.prefix, 0, libc::RT_SCOPE_UNIVERSE];
        fixed.extend(index.to_ne_bytes());
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        let request = Request::new(libc::RTM_NEWADDR, flags, &fixed)
            .with(libc::IFA_FLAGS, &address.flags.to_ne_bytes());
        let attributes = address.attributes.iter();
        let request = attributes.fold(request, |request, (kind, value)| request.with(*kind, value));
        self.order("RTM_NEWADDR", request)
    }
}
