//! The host's steps as text.

use std::path::PathBuf;

use super::describe::namespaces;
use super::entry::HostStep;
use super::{Pool, describe_scope, describe_tree, hooks, scheduling};
use crate::cgroup::Devices;
use crate::spec::IdMap;

/// The step as a sentence.
pub(super) fn step(pool: &Pool, step: &HostStep) -> String {
    match step {
        HostStep::Claim { dir } => format!("create state folder {}", dir.display()),
        HostStep::Record { running } => {
            format!("record state {}", if *running { "running" } else { "created" })
        }
        HostStep::LendProc => "lend procfs".into(),
        HostStep::IdNamespace { number, maps: ids } => {
            format!("make id namespace {number} users {} groups {}", maps(&ids.uids), maps(&ids.gids))
        }
        HostStep::LockMounts => "copy the mounts with their flags locked".into(),
        HostStep::LendTree(lent) => describe_tree::tree(pool, lent),
        HostStep::LendNamespace { path, kind, .. } => {
            format!("lend {} namespace {}", namespaces(*kind), path.display())
        }
        HostStep::BeginNetwork => "begin to make net namespace, lo up".into(),
        HostStep::SendNetwork { .. } => "send net namespace".into(),
        HostStep::NotifyFolder { path } => format!("make folder {}", path.display()),
        HostStep::Gate => "open gate for start".into(),
        HostStep::ConnectConsole { path } => format!("connect to console socket {}", path.display()),
        HostStep::CreateCgroup { placement, .. } => {
            format!("create cgroup {}", first_of(&placement.dirs()))
        }
        HostStep::DelegateCgroup { uid } => format!("give the cgroup to user {uid}"),
        HostStep::StartUnit(scope) => describe_scope::start(scope),
        HostStep::Limit(write) => format!("write {:?} to {}", write.value, write.file),
        HostStep::Devices(devices) => device_policy(devices),
        HostStep::LendRoot => "lend the container's root".into(),
        HostStep::LendContainer => "lend the container's process".into(),
        HostStep::LendStreams => "lend the standard streams".into(),
        HostStep::OpenCgroup { dirs } => format!("open cgroup {}", first_of(dirs)),
        HostStep::EnterCgroup { .. } => "move the process between into the cgroup".into(),
        HostStep::JoinCgroup => "move the process into the cgroup".into(),
        HostStep::CreateRdtGroup(group) => {
            let path = group.path.display();
            if group.schemata.is_empty() {
                format!("create resource group {path}")
            } else {
                format!("create resource group {path} with {}", group.schemata.join(" "))
            }
        }
        HostStep::JoinRdtGroups(groups) => {
            let groups: Vec<_> = groups.iter().map(|group| group.display().to_string()).collect();
            format!("move the process into resource group {}", groups.join(" and "))
        }
        HostStep::Clone { actor, flags, into_cgroup } => {
            let mut parts = vec!["pidfd".to_owned()];
            if *into_cgroup {
                parts.insert(0, "into_cgroup".into());
            }
            if *flags != 0 {
                parts.insert(0, namespaces(*flags));
            }
            format!("clone {} {{{}}}", actor.as_str(), parts.join(", "))
        }
        HostStep::Adopt => "adopt init".into(),
        HostStep::StartCriu { root, .. } => {
            format!("start criu with the root at {}", root.display())
        }
        HostStep::RestoreNamespaces { images } => {
            format!("restore the namespaces of {} by criu", images.display())
        }
        HostStep::RestoreProcesses => "restore the processes by criu".into(),
        HostStep::ResumeProcesses => "resume the processes by criu".into(),
        HostStep::TimeOffsets(offsets) => scheduling::describe_clocks(offsets),
        HostStep::IdMaps { uids, gids, uid_writer, gid_writer } => format!(
            "write id maps users {}{} groups {}{}",
            maps(uids),
            uid_writer.describe(),
            maps(gids),
            gid_writer.describe()
        ),
        HostStep::Schedule(scheduler) => scheduling::describe(scheduler),
        HostStep::IoPriority(priority) => {
            format!("set I/O priority class {} level {}", priority.class, priority.level)
        }
        HostStep::OomScore { value } => format!("set oom_score_adj {value} of the process"),
        HostStep::MoveNetDevice(device) => match &device.name {
            Some(name) => format!("move network device {} into the container as {name}", device.host),
            None => format!("move network device {} into the container", device.host),
        },
        HostStep::RunHook { kind, number, hook } => {
            hooks::describe(kind.as_str(), *number, &hook.path, hook.timeout.unwrap_or(0))
        }
        HostStep::PidFile { path } => format!("write pid file {}", path.display()),
        HostStep::SendPidfd { path } => format!("send pidfd to {}", path.display()),
        HostStep::SendListener(listener) => format!("send seccomp listener to {}", listener.path.display()),
        #[cfg(feature = "fault-injection")]
        HostStep::Fail { instead_of, .. } => instead_of.clone(),
        #[cfg(feature = "fault-injection")]
        other => format!("{other:?}"),
    }
}

/// The unified cgroup, which is the last, and how many others there are.
fn first_of(dirs: &[PathBuf]) -> String {
    let more = if dirs.len() > 1 { format!(" (and {} more)", dirs.len() - 1) } else { String::new() };
    let shown = dirs.last().map(|dir| dir.display().to_string()).unwrap_or_default();
    format!("{shown}{more}")
}

fn device_policy(devices: &Devices) -> String {
    match devices {
        Devices::Unrestricted => "allow all devices".into(),
        Devices::Writes(writes) => format!("restrict devices ({} writes)", writes.len()),
        Devices::Program(program) => format!("restrict devices (program of {} instructions)", program.len()),
    }
}

fn maps(maps: &[IdMap]) -> String {
    let shown = maps.iter().map(|map| format!("{}:{}:{}", map.container, map.host, map.size));
    shown.collect::<Vec<_>>().join(",")
}
