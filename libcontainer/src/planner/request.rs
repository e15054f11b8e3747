//! What a plan is made from.

use std::path::PathBuf;

use crate::facts::Facts;
use crate::spec::Config;

/// The whole input of the planner. The same request gives the same plan.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The container's name.
    pub id: &'a str,
    /// The checked configuration.
    pub config: &'a Config,
    /// What the caller asks for beyond it.
    pub options: &'a Options,
    /// What the host is like.
    pub facts: &'a Facts,
}

/// What the caller asks for beyond the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    /// The state folder of this container.
    pub state: PathBuf,
    /// The bundle, for those who are told of it.
    pub bundle: PathBuf,
    /// Whether the program starts at once, instead of waiting for `start`.
    pub at_once: bool,
    /// Socket for the terminal.
    pub console_socket: Option<PathBuf>,
    /// Whether the terminal's reader returns the carriage itself.
    pub plain_lines: bool,
    /// Socket for the pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// File for the pid.
    pub pid_file: Option<PathBuf>,
    /// Not `pivot_root`, but moving the mount.
    pub no_pivot: bool,
    /// Keeps the caller's session keyring.
    pub no_new_keyring: bool,
    /// How many descriptors from 3 on are passed to the program.
    pub preserve_fds: u32,
    /// How many of them, the first, are announced to it as sockets to listen on (sd_listen_fds(3)).
    pub listen_fds: u32,
    /// The names of these, if they have any.
    pub listen_names: Option<String>,
    /// Whether it gets a socket for sd_notify(3).
    pub notify: bool,
    /// The folder of the checkpoint that a container is restored from.
    pub images: Option<PathBuf>,
    /// Whether the program that is executed in a container gets other standard streams than the caller's.
    pub streams: bool,
    /// Cgroups below the container's that a program is executed in.
    pub sub_cgroups: Vec<SubCgroup>,
}

/// A cgroup below the container's.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubCgroup {
    /// The v1 controller whose hierarchy is meant; all hierarchies if there is none.
    pub controller: Option<String>,
    /// Its path below the container's cgroup.
    pub path: String,
}
