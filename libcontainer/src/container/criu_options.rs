//! How to checkpoint and restore.

use std::fs::File;
use std::path::PathBuf;

use super::CreateOptions;
use crate::criu::{CgroupsMode, PageServer, Settings};

/// How to checkpoint a container: [`Container::checkpoint`](crate::Container::checkpoint).
#[derive(Debug)]
pub struct CheckpointOptions {
    pub(super) settings: Settings,
    pub(super) parent: Option<String>,
    pub(super) leave_running: bool,
    pub(super) pre_dump: bool,
    pub(super) tcp_skip_in_flight: bool,
    pub(super) link_remap: bool,
    pub(super) page_server: Option<PageServer>,
    pub(super) status: Option<File>,
}

/// How to restore a container: [`Runtime::restore`](crate::Runtime::restore).
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    pub(super) settings: Settings,
    pub(super) create: CreateOptions,
    pub(super) lsm_profile: Option<String>,
    pub(super) lsm_mount_context: Option<String>,
}

/// The options that both have.
macro_rules! common_options {
    () => {
        /// Folder for the files in which criu works, its log among them; that of the images otherwise.
        #[must_use]
        pub fn work_path(mut self, path: impl Into<PathBuf>) -> Self {
            self.settings.work = Some(path.into());
            self
        }

        /// Allows open TCP connections.
        #[must_use]
        pub fn tcp_established(mut self, yes: bool) -> Self {
            self.settings.tcp_established = yes;
            self
        }

        /// Allows Unix sockets that are connected to the outside.
        #[must_use]
        pub fn ext_unix_sockets(mut self, yes: bool) -> Self {
            self.settings.ext_unix_sockets = yes;
            self
        }

        /// Allows a session or a terminal that belongs to the outside.
        #[must_use]
        pub fn shell_job(mut self, yes: bool) -> Self {
            self.settings.shell_job = yes;
            self
        }

        /// Allows locks of files.
        #[must_use]
        pub fn file_locks(mut self, yes: bool) -> Self {
            self.settings.file_locks = yes;
            self
        }

        /// What becomes of the cgroups that the processes are in.
        #[must_use]
        pub fn cgroups_mode(mut self, mode: CgroupsMode) -> Self {
            self.settings.cgroups_mode = Some(mode);
            self
        }

        /// Leaves out what is in the network namespace.
        #[must_use]
        pub fn empty_network(mut self, yes: bool) -> Self {
            self.settings.empty_network = yes;
            self
        }

        /// Frees pages of memory in the images that are no longer needed there.
        #[must_use]
        pub fn auto_dedup(mut self, yes: bool) -> Self {
            self.settings.auto_dedup = yes;
            self
        }

        /// Moves pages of memory only when they are needed.
        #[must_use]
        pub fn lazy_pages(mut self, yes: bool) -> Self {
            self.settings.lazy_pages = yes;
            self
        }
    };
}

impl CheckpointOptions {
    /// Into folder `images`, which is made if it is missing.
    #[must_use]
    pub fn new(images: impl Into<PathBuf>) -> Self {
        Self {
            settings: Settings { images: images.into(), ..Settings::default() },
            parent: None,
            leave_running: false,
            pre_dump: false,
            tcp_skip_in_flight: false,
            link_remap: false,
            page_server: None,
            status: None,
        }
    }

    common_options!();

    /// The folder of an earlier checkpoint, relative to that of the images; only memory that has changed since then is
    /// dumped.
    #[must_use]
    pub fn parent_path(mut self, path: impl Into<String>) -> Self {
        self.parent = Some(path.into());
        self
    }

    /// Lets the container run on.
    #[must_use]
    pub fn leave_running(mut self, yes: bool) -> Self {
        self.leave_running = yes;
        self
    }

    /// Copies memory alone, as the parent of a later checkpoint; the container runs on.
    #[must_use]
    pub fn pre_dump(mut self, yes: bool) -> Self {
        self.pre_dump = yes;
        self
    }

    /// Passes over TCP connections that are just being made.
    #[must_use]
    pub fn tcp_skip_in_flight(mut self, yes: bool) -> Self {
        self.tcp_skip_in_flight = yes;
        self
    }

    /// Allows open files that were removed, by a link to each in its file system.
    #[must_use]
    pub fn link_remap(mut self, yes: bool) -> Self {
        self.link_remap = yes;
        self
    }

    /// Sends pages of memory to a page server instead of writing them.
    #[must_use]
    pub fn page_server(mut self, address: impl Into<String>, port: u16) -> Self {
        self.page_server = Some(PageServer { address: address.into(), port });
        self
    }

    /// With [`Self::lazy_pages`], gets a zero byte when pages can be asked for.
    #[must_use]
    pub fn status(mut self, file: File) -> Self {
        self.status = Some(file);
        self
    }
}

impl RestoreOptions {
    /// From folder `images`.
    #[must_use]
    pub fn new(images: impl Into<PathBuf>) -> Self {
        Self {
            settings: Settings { images: images.into(), ..Settings::default() },
            create: CreateOptions::default(),
            lsm_profile: None,
            lsm_mount_context: None,
        }
    }

    common_options!();

    /// As a container is created with `options`, as far as they mean anything to a restore: its console socket, pid file,
    /// pidfd socket, cgroup, and socket for sd_notify(3).
    #[must_use]
    pub fn creation(mut self, options: CreateOptions) -> Self {
        self.create = options;
        self
    }

    /// Another security label than the processes had: `selinux:LABEL` or `apparmor:PROFILE`.
    #[must_use]
    pub fn lsm_profile(mut self, profile: impl Into<String>) -> Self {
        self.lsm_profile = Some(profile.into());
        self
    }

    /// Another SELinux label than the mounts had.
    #[must_use]
    pub fn lsm_mount_context(mut self, context: impl Into<String>) -> Self {
        self.lsm_mount_context = Some(context.into());
        self
    }
}
