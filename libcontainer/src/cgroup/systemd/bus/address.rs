//! Where a bus listens, as the D-Bus specification writes it: `unix:path=/run/dbus/system_bus_socket;unix:…`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// A socket of a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    /// One in the file system.
    Path(PathBuf),
    /// One with a name in the network namespace.
    Abstract(Vec<u8>),
}

/// The sockets of an address that can be connected to, in order. Other means than Unix sockets are passed over.
pub(crate) fn sockets(address: &str) -> Vec<Socket> {
    address.split(';').filter_map(socket).collect()
}

fn socket(address: &str) -> Option<Socket> {
    let options = address.trim().strip_prefix("unix:")?;
    let mut options = options.split(',').filter_map(|option| option.split_once('='));
    options.find_map(|(name, value)| match name {
        "path" => Some(Socket::Path(OsString::from_vec(unescape(value)?).into())),
        "abstract" => Some(Socket::Abstract(unescape(value)?)),
        _ => None,
    })
}

/// Undoes `%20`; `None` for what is not written like that.
fn unescape(value: &str) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('%') {
        let (before, escaped) = (rest.get(..at)?, rest.get(at + 1..at + 3)?);
        plain.extend(before.bytes());
        plain.push(u8::from_str_radix(escaped, 16).ok().filter(|_| !escaped.contains('+'))?);
        rest = rest.get(at + 3..)?;
    }
    plain.extend(rest.bytes());
    Some(plain)
}

impl std::fmt::Display for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Abstract(name) => write!(f, "@{}", String::from_utf8_lossy(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let path = |path: &str| Socket::Path(path.into());
        let found = [
            ("unix:path=/run/bus", vec![path("/run/bus")]),
            ("unix:guid=ab,path=/run/a%20b%2c", vec![path("/run/a b,")]),
            ("unix:abstract=/tmp/x,guid=1", vec![Socket::Abstract(b"/tmp/x".to_vec())]),
            ("tcp:host=a,port=1;unix:path=/a;unix:path=/b", vec![path("/a"), path("/b")]),
            ("unix:tmpdir=/tmp", vec![]),
            ("unix:path=%2", vec![]),
            ("unix:path=%zz", vec![]),
            ("unix:path=%+1", vec![]),
            ("unix:path", vec![]),
            ("", vec![]),
        ];
        for (address, expected) in found {
            assert_eq!(sockets(address), expected, "{address}");
        }
    }
}
