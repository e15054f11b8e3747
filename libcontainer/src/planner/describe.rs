//! A plan as text and as JSON. The same words make the golden files, the log and the error messages.

use std::fmt;

use libcontainer_init::Step;
use libcontainer_init::attr::MountAttr;
use libcontainer_init::step::Filesystem;
use serde_json::{Value, json};

use super::entry::{Action, Actor, Entry, HostStep};
use super::{Plan, Pool, describe_host, hooks, scheduling};
use crate::spec::{attr, hook_place};

impl Actor {
    /// The word that plans use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Enter => "enter",
            Self::Init => "init",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.entries.iter().enumerate() {
            let text = self.describe(entry);
            let actor = entry.actor.as_str();
            let actor = if entry.meanwhile { format!("{actor}|") } else { actor.to_owned() };
            match entry.undo() {
                Some(undo) => writeln!(f, "{index:3} {actor:5} {text:<64} undo: {undo}")?,
                None => writeln!(f, "{index:3} {actor:5} {text}")?,
            }
        }
        for (number, hook) in self.poststop.iter().enumerate() {
            let text = hooks::poststop(number, hook);
            writeln!(f, "at delete: {text}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {}: {}", warning.pointer, warning.message)?;
        }
        Ok(())
    }
}

impl Plan {
    /// The plan as JSON (docs/plan-format.md).
    #[must_use]
    pub fn to_json(&self) -> Value {
        let entries = self.entries.iter().enumerate().map(|(index, entry)| {
            json!({
                "index": index,
                "actor": entry.actor.as_str(),
                "step": self.describe(entry),
                "pointer": entry.pointer,
                "undo": entry.undo(),
                "meanwhile": entry.meanwhile,
            })
        });
        let warnings = self
            .warnings
            .iter()
            .map(|warning| json!({ "pointer": warning.pointer, "message": warning.message }));
        json!({
            "id": self.id,
            "entries": entries.collect::<Vec<_>>(),
            "atDelete": self.poststop.iter().enumerate().map(|(number, hook)| hooks::poststop(number, hook)).collect::<Vec<_>>(),
            "warnings": warnings.collect::<Vec<_>>(),
        })
    }

    /// One entry as a sentence.
    pub(crate) fn describe(&self, entry: &Entry) -> String {
        match &entry.action {
            Action::Child(Step::Hook(hook)) => {
                let (kind, number) = entry.pointer.as_deref().and_then(hook_place).unwrap_or_default();
                hooks::describe(kind, number, &self.pool.show(hook.path), hook.timeout)
            }
            Action::Host(step) => describe_host::step(&self.pool, step),
            Action::Child(step) => self.child(step),
        }
    }

    /// The path or name that an entry is about, where clients want to see exactly that.
    pub(crate) fn subject(&self, entry: &Entry) -> Option<String> {
        let text = match &entry.action {
            Action::Child(
                Step::Mount { target, .. }
                | Step::MountText { target, .. }
                | Step::Reconfigure { target, .. }
                | Step::Attach { target, .. }
                | Step::Attributes { target, .. }
                | Step::Cover { target, .. }
                | Step::Label { target, .. },
            ) => *target,
            Action::Child(Step::Cwd { path, .. } | Step::CwdAgain { path } | Step::Node { path, .. }) => {
                *path
            }
            Action::Child(Step::Hook(hook)) => hook.path,
            Action::Host(HostStep::RunHook { hook, .. }) => return Some(hook.path.clone()),
            Action::Child(Step::Find { .. } | Step::Exec) => *self.argv.first()?,
            _ => return None,
        };
        Some(self.pool.show(text))
    }

    fn child(&self, step: &Step) -> String {
        let pool = &self.pool;
        let show = |text| pool.show(text);
        match *step {
            Step::CloseFds => "close inherited descriptors".into(),
            Step::Hide => "hide from ptrace".into(),
            Step::Join { kind, .. } => format!("join {} namespace", namespaces(kind)),
            Step::JoinProcess { kinds, .. } => format!("join {} of the container", namespaces(kinds)),
            Step::OpenRoot => "open the container's root".into(),
            Step::ChangeRoot => "chroot to the container's root".into(),
            Step::Unshare { flags } => format!("unshare {}", namespaces(flags)),
            Step::CloneInit { flags } => format!("clone init {{{}}}", namespaces(flags)),
            Step::BecomeRoot => "become 0:0 of the user namespace".into(),
            Step::ResetAffinity => "run on all CPUs of the cpuset".into(),
            Step::Affinity { cpus } => {
                format!("run on CPUs {}", scheduling::describe_bits(pool.numbers(cpus)))
            }
            Step::NewSession => "start a session".into(),
            Step::Keyring { name } => format!("join new session keyring {}", show(name)),
            Step::LoopbackUp => "bring lo up".into(),
            Step::ProcWrite { path, value } => format!("write {:?} to /proc/{}", show(value), show(path)),
            Step::Propagate { propagation, detach_parent } => {
                let parent =
                    detach_parent.map_or(String::new(), |at| format!(", mount of {} private", show(at)));
                format!("make all mounts {}{parent}", propagation_name(propagation))
            }
            Step::TakeTree { path, slot, recursive } => {
                let what = if recursive { "tree" } else { "mount" };
                format!("take {what} #{} {}", slot.0, show(path))
            }
            Step::SetTree { tree, ref attr, recursive } => {
                let all = if recursive { " and all below" } else { "" };
                format!("set {} on #{}{all}", attributes(attr), tree.0)
            }
            Step::AttachRoot { at } => format!("attach root at {}", show(at)),
            Step::Mount { ref fs, ref attr, target, .. } => mount(pool, fs, attr, &show(target)),
            Step::MountText { fstype, options, target, .. } => {
                format!("mount {} on {} ({})", show(fstype), show(target), show(options))
            }
            Step::Reconfigure { config, target } => {
                format!("set options {} of {}", pool.show_config(config), show(target))
            }
            Step::Attach { target, .. } => format!("attach {}", show(target)),
            Step::Attributes { target, ref attr, recursive } => {
                let all = if recursive { " and all below" } else { "" };
                format!("set {} on {}{all}", attributes(attr), show(target))
            }
            Step::Cover { target, ref attr, recursive } => {
                let all = if recursive { " for all of it" } else { "" };
                format!("cover {} with a copy of it, {}{all}", show(target), attributes(attr))
            }
            Step::Node { path, mode, device: (major, minor), uid, gid } => {
                let kind = match mode & libc::S_IFMT {
                    libc::S_IFCHR => format!("c {major}:{minor}"),
                    libc::S_IFBLK => format!("b {major}:{minor}"),
                    _ => "fifo".into(),
                };
                format!("make node {} ({kind}, mode {:o}, {uid}:{gid})", show(path), mode & 0o7777)
            }
            Step::Link { path, target } => format!("link {} to {}", show(path), show(target)),
            Step::Streams => "take the lent streams".into(),
            Step::Terminal { uid, rows, columns, .. } => {
                format!("open terminal for user {uid} ({rows} rows, {columns} columns)")
            }
            Step::Pivot => "pivot root".into(),
            Step::MoveRoot => "move root to / and chroot".into(),
            Step::Hostname { name } => format!("set hostname {}", show(name)),
            Step::Domainname { name } => format!("set domainname {}", show(name)),
            Step::Label { target, label } => format!("label {} {}", show(target), show(label)),
            Step::Mask { path, folder } => match pool.show_config(folder) {
                options if options.is_empty() => format!("mask {}", show(path)),
                options => format!("mask {} ({options})", show(path)),
            },
            Step::ReadOnly { path } => format!("make {} read-only", show(path)),
            _ => self.program_step(step),
        }
    }

    fn program_step(&self, step: &Step) -> String {
        let pool = &self.pool;
        match *step {
            Step::Umask { mask } => format!("set umask {mask:04o}"),
            Step::Rlimit { resource, soft, hard } => {
                format!("limit resource {resource} to {}/{}", limit(soft), limit(hard))
            }
            Step::Bounding { keep, .. } => format!("bound capabilities to {keep:#x}"),
            Step::Groups { groups, .. } => format!("set groups {:?}", pool.numbers(groups)),
            Step::Personality { domain } => format!("set personality {domain:#x}"),
            Step::MemoryPolicy { mode, nodes } => {
                format!(
                    "set memory policy {mode:#x} of nodes {}",
                    scheduling::describe_bits(pool.numbers(nodes))
                )
            }
            Step::MakeCwd { path } => format!("make {} if it is missing", pool.show(path)),
            Step::Cwd { path, .. } => format!("enter {}", pool.show(path)),
            Step::NullStreams => "open the container's null device on streams of the host's".into(),
            Step::OwnStreams { uid } => format!("give the standard streams to {uid}"),
            Step::User { uid, gid } => format!("become {uid}:{gid}"),
            Step::Regain { .. } => "regain capabilities until the end of the set-up".into(),
            Step::CwdAgain { path } => format!("verify working folder {}", pool.show(path)),
            Step::Home { uid, .. } => format!("look up HOME of user {uid}"),
            Step::Find { candidates, .. } => {
                format!("find program {}", pool.show_list(candidates).join(" or "))
            }
            Step::WaitForStart => "wait for start".into(),
            Step::Signals => "reset and unblock signals".into(),
            Step::Capabilities { effective, permitted, inheritable, ambient } => format!(
                "set capabilities effective {effective:#x} permitted {permitted:#x} inheritable {inheritable:#x} \
                 ambient {ambient:#x}"
            ),
            Step::NoNewPrivileges => "set no_new_privs".into(),
            Step::Seccomp { .. } => format!("load seccomp filter ({} instructions)", self.filter.len()),
            Step::Exec => {
                let program =
                    self.argv.first().map_or_else(|| "nothing".into(), |&program| pool.show(program));
                format!("exec {program}")
            }
            #[cfg(feature = "fault-injection")]
            Step::Fail { instead_of, .. } => pool.show(instead_of),
            ref other => format!("{other:?}"),
        }
    }
}

fn mount(pool: &Pool, fs: &Filesystem, attr: &MountAttr, target: &str) -> String {
    let options = pool.show_config(fs.config);
    let attributes = attributes(&MountAttr { set: fs.attributes, ..*attr });
    let parts: Vec<&str> =
        [attributes.as_str(), &options].into_iter().filter(|part| !part.is_empty()).collect();
    let options = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(" ")) };
    format!("mount {} on {target}{options}", pool.show(fs.fstype))
}

fn limit(value: u64) -> String {
    if value == u64::MAX { "unlimited".into() } else { value.to_string() }
}

pub(super) fn namespaces(flags: u32) -> String {
    let names = [
        (libc::CLONE_NEWUSER, "user"),
        (libc::CLONE_NEWPID, "pid"),
        (libc::CLONE_NEWTIME, "time"),
        (libc::CLONE_NEWNS, "mnt"),
        (libc::CLONE_NEWUTS, "uts"),
        (libc::CLONE_NEWIPC, "ipc"),
        (libc::CLONE_NEWNET, "net"),
        (libc::CLONE_NEWCGROUP, "cgroup"),
    ];
    let set = names.iter().filter(|(flag, _)| flags & *flag as u32 != 0);
    set.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
}

fn propagation_name(flag: u64) -> &'static str {
    match flag {
        libc::MS_SHARED => "shared",
        libc::MS_SLAVE => "slave",
        libc::MS_PRIVATE => "private",
        libc::MS_UNBINDABLE => "unbindable",
        _ => "unchanged",
    }
}

pub(super) fn attributes(attribute: &MountAttr) -> String {
    let names = [
        (attr::RDONLY, "ro", "rw"),
        (attr::NOSUID, "nosuid", "suid"),
        (attr::NODEV, "nodev", "dev"),
        (attr::NOEXEC, "noexec", "exec"),
        (attr::NODIRATIME, "nodiratime", "diratime"),
        (attr::NOSYMFOLLOW, "nosymfollow", "symfollow"),
    ];
    let mut parts = Vec::new();
    for (bit, set, clear) in names {
        if attribute.set & bit != 0 {
            parts.push(set);
        } else if attribute.clear & bit != 0 {
            parts.push(clear);
        }
    }
    match attribute.set & attr::ATIME {
        attr::NOATIME => parts.push("noatime"),
        attr::STRICTATIME => parts.push("strictatime"),
        _ if attribute.clear & attr::ATIME != 0 => parts.push("relatime"),
        _ => {}
    }
    if attribute.propagation != 0 {
        parts.push(propagation_name(attribute.propagation));
    }
    parts.join(",")
}
