//! What criu is asked for.

use super::settings::{CgroupsMode, Settings};
use super::wire::{Key, Message};

/// What is to be done, `criu_req_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Dump = 1,
    Restore = 2,
    /// Copies memory while the processes run on, for a dump that has less to do.
    PreDump = 4,
    Notify = 6,
    FeatureCheck = 9,
    Version = 10,
}

/// Where the pages of memory are sent instead of writing them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageServer {
    pub(crate) address: String,
    pub(crate) port: u16,
}

/// Options of a dump or a restore: those of [`Settings`], and those that follow from the container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) settings: Settings,
    /// Descriptors of the calling process, which criu opens again.
    pub(crate) images: i32,
    pub(crate) work: Option<i32>,
    pub(crate) log: &'static str,
    pub(crate) root: String,
    /// A file with more options, which come before these.
    pub(crate) configuration: Option<String>,
    /// Mounts that criu leaves to us: where they are or how they are called, and what they are.
    pub(crate) mounts: Vec<(String, String)>,
    /// `TYPE[INODE]:NAME` of other resources outside of the container.
    pub(crate) external: Vec<String>,

    /// Of a dump: its first process.
    pub(crate) pid: Option<i32>,
    pub(crate) leave_running: bool,
    pub(crate) tcp_skip_in_flight: bool,
    pub(crate) link_remap: bool,
    pub(crate) freezer: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) page_server: Option<PageServer>,

    /// Of a restore: descriptors of criu that stand for resources outside, by name.
    pub(crate) inherited: Vec<(String, i32)>,
    /// Kinds of namespaces, with files of namespaces that are joined.
    pub(crate) joined: Vec<(&'static str, String)>,
    /// Controllers of cgroup hierarchies, with the container's cgroup.
    pub(crate) cgroup_roots: Vec<(String, String)>,
    pub(crate) lsm_profile: Option<String>,
    pub(crate) lsm_mount_context: Option<String>,
}

/// A message to criu (`criu_req`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    pub(crate) message: Message,
}

const TYPE: Key = Key(1, "type");
/// Errors, warnings, what is done, and details: an error can only be understood with what came before it.
const LOG_LEVEL: i32 = 4;

impl Request {
    /// Asks for a dump, or for one while the processes run on.
    pub(crate) fn dump(options: &Options, pre: bool) -> Self {
        let kind = if pre { Kind::PreDump } else { Kind::Dump };
        let mut message = options.common();
        options.put_dump(&mut message);
        Self::with(kind, message)
    }

    /// Asks for a restore. The restored process becomes a child of the caller, not of criu.
    pub(crate) fn restore(options: &Options) -> Self {
        let mut message = options.common();
        options.put_restore(&mut message);
        Self::with(Kind::Restore, message)
    }

    /// Answers a notice.
    pub(crate) fn answer() -> Self {
        let mut request = Self::new(Kind::Notify);
        request.message.flag(Key(3, "notify_success"), true);
        request
    }

    /// Asks which version it is.
    pub(crate) fn version() -> Self {
        Self::new(Kind::Version)
    }

    /// Asks for a feature by its number in `criu_features`.
    pub(crate) fn feature(number: u32, name: &'static str) -> Self {
        let mut feature = Message::default();
        feature.flag(Key(number, name), true);
        let mut request = Self::new(Kind::FeatureCheck);
        request.message.message(Key(5, "features"), feature);
        request
    }

    fn new(kind: Kind) -> Self {
        let mut message = Message::default();
        message.number(TYPE, kind as i32);
        Self { kind, message }
    }

    fn with(kind: Kind, options: Message) -> Self {
        let mut request = Self::new(kind);
        request.message.message(Key(2, "opts"), options);
        request
    }
}

impl Options {
    fn common(&self) -> Message {
        let settings = &self.settings;
        let mut message = Message::default();
        message.number(Key(1, "images_dir_fd"), self.images);
        message.flag(Key(4, "ext_unix_sk"), settings.ext_unix_sockets);
        message.flag(Key(5, "tcp_established"), settings.tcp_established);
        message.flag(Key(7, "shell_job"), settings.shell_job);
        message.flag(Key(8, "file_locks"), settings.file_locks);
        message.number(Key(9, "log_level"), LOG_LEVEL);
        message.text(Key(10, "log_file"), self.log);
        message.flag(Key(12, "notify_scripts"), true);
        message.text(Key(13, "root"), &self.root);
        message.flag(Key(16, "auto_dedup"), settings.auto_dedup);
        if let Some(work) = self.work {
            message.number(Key(17, "work_dir_fd"), work);
        }
        for (key, value) in &self.mounts {
            message.message(Key(23, "ext_mnt"), pair((Key(1, "key"), key), (Key(2, "val"), value)));
        }
        // What old versions have instead of the mode.
        message.flag(Key(24, "manage_cgroups"), true);
        message.number(Key(34, "manage_cgroups_mode"), mode(settings.cgroups_mode));
        for external in &self.external {
            message.text(Key(37, "external"), external);
        }
        if settings.empty_network {
            message.number(Key(38, "empty_ns"), libc::CLONE_NEWNET);
        }
        message.flag(Key(48, "lazy_pages"), settings.lazy_pages);
        message.flag(Key(50, "orphan_pts_master"), true);
        if let Some(file) = &self.configuration {
            message.text(Key(51, "config_file"), file);
        }
        message
    }

    fn put_dump(&self, message: &mut Message) {
        if let Some(pid) = self.pid {
            message.number(Key(2, "pid"), pid);
        }
        message.flag(Key(3, "leave_running"), self.leave_running);
        if let Some(PageServer { address, port }) = &self.page_server {
            let mut server = Message::default();
            server.text(Key(1, "address"), address);
            server.number(Key(2, "port"), *port);
            message.message(Key(11, "ps"), server);
        }
        if let Some(parent) = &self.parent {
            message.text(Key(14, "parent_img"), parent);
            message.flag(Key(15, "track_mem"), true);
        }
        message.flag(Key(18, "link_remap"), self.link_remap);
        if let Some(freezer) = &self.freezer {
            message.text(Key(44, "freeze_cgroup"), freezer);
        }
        message.flag(Key(46, "tcp_skip_in_flight"), self.tcp_skip_in_flight);
    }

    fn put_restore(&self, message: &mut Message) {
        message.flag(Key(6, "evasive_devices"), true);
        for (controllers, path) in &self.cgroup_roots {
            message.message(Key(25, "cg_root"), pair((Key(1, "ctrl"), controllers), (Key(2, "path"), path)));
        }
        message.flag(Key(26, "rst_sibling"), true);
        for (name, fd) in &self.inherited {
            let mut inherited = Message::default();
            inherited.text(Key(1, "key"), name);
            inherited.number(Key(2, "fd"), *fd);
            message.message(Key(27, "inherit_fd"), inherited);
        }
        for (kind, file) in &self.joined {
            message.message(Key(39, "join_ns"), pair((Key(1, "ns"), kind), (Key(2, "ns_file"), file)));
        }
        if let Some(profile) = &self.lsm_profile {
            message.text(Key(53, "lsm_profile"), profile);
        }
        if let Some(context) = &self.lsm_mount_context {
            message.text(Key(63, "lsm_mount_context"), context);
        }
    }
}

fn pair(first: (Key, &str), second: (Key, &str)) -> Message {
    let mut message = Message::default();
    message.text(first.0, first.1);
    message.text(second.0, second.1);
    message
}

/// `criu_cg_mode`.
fn mode(mode: Option<CgroupsMode>) -> i32 {
    match mode {
        Some(CgroupsMode::Ignore) => 0,
        Some(CgroupsMode::Soft) => 3,
        Some(CgroupsMode::Full) => 4,
        Some(CgroupsMode::Strict) => 5,
        None => 6,
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
