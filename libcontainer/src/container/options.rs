use std::path::PathBuf;

use crate::{Error, ErrorKind, Result, planner};

/// How to create a container, beyond what its bundle says.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions {
    pub(crate) console_socket: Option<PathBuf>,
    pub(crate) plain_lines: bool,
    pub(crate) pidfd_socket: Option<PathBuf>,
    pub(crate) pid_file: Option<PathBuf>,
    pub(crate) no_pivot: bool,
    pub(crate) no_new_keyring: bool,
    pub(crate) preserve_fds: u32,
    pub(crate) listen_fds: u32,
    pub(crate) listen_names: Option<String>,
    pub(crate) notify: bool,
    pub(crate) systemd_cgroup: bool,
    pub(crate) unsealed: bool,
    #[cfg(feature = "fault-injection")]
    pub(crate) injections: Vec<planner::Injection>,
}

impl CreateOptions {
    /// Unix socket that receives the terminal's master side; needed if and only if `process.terminal`.
    #[must_use]
    pub fn console_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.console_socket = Some(path.into());
        self
    }

    /// Leaves line feeds of the terminal as they are, for a reader that shows them on a terminal which returns the
    /// carriage itself. Otherwise the terminal does it, as every new one.
    #[must_use]
    pub fn plain_lines(mut self, yes: bool) -> Self {
        self.plain_lines = yes;
        self
    }

    /// Unix socket that receives a pidfd of the container's first process.
    #[must_use]
    pub fn pidfd_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.pidfd_socket = Some(path.into());
        self
    }

    /// File that receives the host pid of the container's first process, in decimal, atomically.
    #[must_use]
    pub fn pid_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.pid_file = Some(path.into());
        self
    }

    /// Moves the root with `MS_MOVE` and `chroot` instead of `pivot_root`, for a root on a ramdisk.
    #[must_use]
    pub fn no_pivot(mut self, yes: bool) -> Self {
        self.no_pivot = yes;
        self
    }

    /// Keeps the caller's session keyring instead of joining a new one.
    #[must_use]
    pub fn no_new_keyring(mut self, yes: bool) -> Self {
        self.no_new_keyring = yes;
        self
    }

    /// Passes this many descriptors, from 3 on, to the container: those of them that are open.
    #[must_use]
    pub fn preserve_fds(mut self, count: u32) -> Self {
        self.preserve_fds = count;
        self
    }

    /// Announces the first `count` of the [preserved](Self::preserve_fds) descriptors to the program as sockets to
    /// listen on, by the variables of sd_listen_fds(3); `names` is the value of `LISTEN_FDNAMES`.
    #[must_use]
    pub fn listen_fds(mut self, count: u32, names: Option<String>) -> Self {
        self.listen_fds = count;
        self.listen_names = names;
        self
    }

    /// Gives the program a socket for sd_notify(3), at `/run/notify/notify.sock`, and tells it so by `NOTIFY_SOCKET`. What
    /// it says there is heard by [`Container::notifications`](crate::Container::notifications).
    #[must_use]
    pub fn notify(mut self, yes: bool) -> Self {
        self.notify = yes;
        self
    }

    /// Asks systemd for the cgroup instead of making it in the file system.
    #[must_use]
    pub fn systemd_cgroup(mut self, yes: bool) -> Self {
        self.systemd_cgroup = yes;
        self
    }

    /// Creates although the running executable was not [sealed](crate::exe::seal): a process in the
    /// container could then overwrite the caller's binary through `/proc/self/exe` (CVE-2019-5736).
    #[must_use]
    pub fn allow_unsealed_executable(mut self, yes: bool) -> Self {
        self.unsealed = yes;
        self
    }
}

impl CreateOptions {
    /// Every socket that is announced must be there.
    pub(super) fn check_announced(&self) -> Result<()> {
        for fd in (3u64..).take(usize::try_from(self.listen_fds).unwrap_or(usize::MAX)) {
            let path = format!("/proc/self/fd/{fd}");
            if let Err(error) = std::fs::symlink_metadata(&path) {
                let message = format!("cannot pass on descriptor {fd} (LISTEN_FDS): {path}: {error}");
                return Err(Error::new(ErrorKind::InvalidOption, message));
            }
        }
        Ok(())
    }

    /// As the planner takes them: paths absolute.
    pub(super) fn for_plan(&self, state: PathBuf, bundle: PathBuf, at_once: bool) -> planner::Options {
        planner::Options {
            state,
            bundle,
            at_once,
            console_socket: self.console_socket.clone(),
            plain_lines: self.plain_lines,
            pidfd_socket: self.pidfd_socket.clone(),
            pid_file: self.pid_file.clone(),
            no_pivot: self.no_pivot,
            no_new_keyring: self.no_new_keyring,
            preserve_fds: self.preserve_fds,
            listen_fds: self.listen_fds,
            listen_names: self.listen_names.clone(),
            notify: self.notify,
            ..planner::Options::default()
        }
    }
}

#[cfg(feature = "fault-injection")]
impl CreateOptions {
    /// Puts failures into the plan before it is executed, in order.
    #[must_use]
    pub fn inject(mut self, injections: impl IntoIterator<Item = planner::Injection>) -> Self {
        self.injections.extend(injections);
        self
    }
}

/// What [`delete`](crate::Container::delete) may do to a container that still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delete {
    /// Only a stopped container is deleted (and one that was created and never started, which is ended first
    /// as runc does).
    Stopped,
    /// Whatever runs is killed first.
    Force,
}

/// Who receives a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// The container's first process.
    Init,
    /// Every process of the container's cgroup.
    All,
}
