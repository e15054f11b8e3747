//! `checkpoint`: writes the state of a container's processes into files.

use std::fs::File;

use libcontainer::CheckpointOptions;
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::creation::not_empty;
use super::criu::{Common, criu_options, with_common};
use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::messages;

pub(super) const COMMAND: Command = Command {
    name: "checkpoint",
    summary: "write the state of a container's processes into files, by CRIU",
    usage: "[OPTIONS] ID",
    options: criu_options!(
        ("--parent-path DIR", "an earlier checkpoint, relative to --image-path; dump what has changed since"),
        ("--leave-running", "let the container run on"),
        ("--pre-dump", "copy memory only, while the container runs on"),
        ("--tcp-skip-in-flight", "pass over TCP connections that are just being made"),
        ("--link-remap", "allow open files that were removed, by links to them"),
        ("--page-server ADDRESS:PORT", "send memory to a page server"),
        ("--status-fd FD", "with --lazy-pages: receives a zero byte when memory can be asked for"),
    ),
    seals: false,
    run: checkpoint,
};

/// What `checkpoint` alone is told.
#[derive(Default)]
struct Dump {
    common: Common,
    parent: Option<String>,
    leave_running: bool,
    pre_dump: bool,
    tcp_skip_in_flight: bool,
    link_remap: bool,
    page_server: Option<(String, u16)>,
    status: Option<File>,
}

fn checkpoint(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let mut dump = Dump::default();
    let id = context.one_id(arguments, |flag, arguments| dump.option(flag, arguments))?;
    let container = context.runtime()?.load(&id)?;
    container.checkpoint(dump.options()?)?;
    Ok(0)
}

impl Dump {
    fn option(&mut self, flag: &str, arguments: &mut Arguments) -> Result<bool, Failure> {
        match flag {
            "--parent-path" => self.parent = not_empty(arguments.text()?),
            "--leave-running" => self.leave_running = arguments.switch()?,
            "--pre-dump" => self.pre_dump = arguments.switch()?,
            "--tcp-skip-in-flight" => self.tcp_skip_in_flight = arguments.switch()?,
            "--link-remap" => self.link_remap = arguments.switch()?,
            "--page-server" => self.page_server = page_server(&arguments.text()?)?,
            "--status-fd" => self.status = status(&arguments.text()?)?,
            _ => return self.common.option(flag, arguments),
        }
        Ok(true)
    }

    fn options(self) -> Result<CheckpointOptions, Failure> {
        let mut options = with_common!(CheckpointOptions::new(self.common.images()?), &self.common)
            .leave_running(self.leave_running)
            .pre_dump(self.pre_dump)
            .tcp_skip_in_flight(self.tcp_skip_in_flight)
            .link_remap(self.link_remap);
        if let Some(parent) = self.parent {
            options = options.parent_path(parent);
        }
        if let Some((address, port)) = self.page_server {
            options = options.page_server(address, port);
        }
        if let Some(status) = self.status {
            options = options.status(status);
        }
        Ok(options)
    }
}

/// `ADDRESS:PORT`; an address of IPv6 stands in brackets.
fn page_server(text: &str) -> Result<Option<(String, u16)>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let parts = text.rsplit_once(':').and_then(|(address, port)| {
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = bare.unwrap_or(address);
        let is_address = !address.is_empty() && (bare.is_some() || !address.contains(':'));
        Some((address.to_owned(), port.parse().ok().filter(|port| *port != 0)?)).filter(|_| is_address)
    });
    parts.map(Some).ok_or_else(|| Failure::Usage(messages::BAD_PAGE_SERVER.to_owned()))
}

/// A copy of a descriptor of this process; -1 is none.
fn status(number: &str) -> Result<Option<File>, Failure> {
    if number == "-1" {
        return Ok(None);
    }
    let invalid = |why: &str| Failure::Usage(messages::bad_status_fd(number, why));
    let number: u32 = number.parse().map_err(|_| invalid("not a number"))?;
    let number = i32::try_from(number).map_err(|_| invalid("bad file descriptor"))?;
    // A socket cannot be opened once more by its path in /proc.
    let copy = pidfd_open(getpid(), PidfdFlags::empty())
        .and_then(|own| pidfd_getfd(own, number, PidfdGetfdFlags::empty()))
        .map_err(|errno| match errno {
            Errno::BADF => invalid("bad file descriptor"),
            errno => invalid(&std::io::Error::from(errno).to_string()),
        })?;
    let flags = fcntl_getfl(&copy).map_err(|errno| invalid(&std::io::Error::from(errno).to_string()))?;
    match flags.intersects(OFlags::WRONLY | OFlags::RDWR) {
        true => Ok(Some(copy.into())),
        false => Err(invalid("not writable")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_page_server_is_an_address_with_a_port() {
        let server = |text| page_server(text).ok().flatten();
        assert_eq!(server("10.0.0.1:7000"), Some(("10.0.0.1".into(), 7000)));
        assert_eq!(server("[::1]:7000"), Some(("::1".into(), 7000)));
        assert_eq!(page_server("").ok(), Some(None));
        for wrong in ["10.0.0.1", ":7000", "a:b", "::1:7000", "a:0", "a:70000"] {
            assert!(page_server(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_status_descriptor_must_be_writable() {
        let (reader, writer) = std::io::pipe().unwrap();
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let of = |fd: &dyn AsRawFd| status(&fd.as_raw_fd().to_string());
        assert!(matches!(of(&writer), Ok(Some(_))) && matches!(of(&socket), Ok(Some(_))));
        assert!(of(&reader).is_err());
        assert!(matches!(status("-1"), Ok(None)));
        for wrong in ["x", "-2", "99999", "4294967295"] {
            assert!(status(wrong).is_err(), "{wrong}");
        }
    }
}
