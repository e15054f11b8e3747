//! Where the managers are from.

use std::path::PathBuf;

use crate::xtask::debian::{MIRROR, bootstrap};
use crate::xtask::{Error, Result, cache};

/// The managers, and what is called beside them: Python, as the container runtime interface has no program of its own,
/// and tini, which reaps what daemons leave behind.
const MANAGERS: [&str; 8] =
    ["containerd", "docker.io", "iproute2", "podman", "python3-grpcio", "python3-protobuf", "runc", "tini"];

/// What the newer release has in packages of their own, or no longer in every system.
const SPLIT: [&str; 4] = ["bsdutils", "docker-cli", "mount", "procps"];

/// Works on today's kernels in the newer release only, and locks networks by iptables.
const CRIU: [&str; 2] = ["criu", "iptables"];

/// A mirror may be behind; its lists are signed all the same.
const STALE: &str = "--aptopt=Acquire::Check-Valid-Until \"false\"";

/// Whose managers are driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// This host's own.
    Host,
    /// Those of Debian forky, in a root file system of its own.
    Forky,
}

impl Release {
    /// The older first.
    pub const ALL: [Self; 2] = [Self::Host, Self::Forky];

    /// What it is called on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Forky => "forky",
        }
    }

    /// What is to be installed on this host. The image is made of busybox.
    #[must_use]
    pub fn packages(self) -> Vec<&'static str> {
        match self {
            Self::Host => [&["busybox-static"], &MANAGERS[..]].concat(),
            Self::Forky => vec!["busybox-static", "debian-archive-keyring", "mmdebstrap"],
        }
    }

    /// The root file system that has the managers, made unless it is in the cache.
    pub(super) fn root(self) -> Result<PathBuf> {
        if self == Self::Host {
            return Ok(PathBuf::from("/"));
        }
        let (name, packages) = (self.name(), [&MANAGERS[..], &SPLIT, &CRIU].concat());
        let folder = cache::folder("clients", (name, MIRROR, &packages), |folder| {
            println!("Getting the managers of Debian {name}, once for all runs.");
            bootstrap(name, &packages, &[STALE], &folder.join("root"))
        });
        let missing = |error| Error::Missing(format!("the managers of Debian {name} cannot be had: {error}"));
        folder.map(|folder| folder.join("root")).map_err(missing)
    }
}
