//! Managers on a host of systemd, which makes their containers' cgroups.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::engine::{Engine, contains, expect, same};
use super::stage::{Stage, wait_until};
use super::{Check, Client, Options, Release};
use crate::xtask::{Error, Result};

/// Who makes the cgroups of containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Cgroups {
    /// The runtime.
    #[default]
    Direct,
    /// systemd, whom managers and runtimes ask. It knows processes by the host's numbers, so that a stage has those.
    Systemd,
}

impl Cgroups {
    /// The name of a cgroup of containers. systemd takes a dash for a slash.
    pub(super) fn name(self, name: &str) -> String {
        match self {
            Self::Direct => name.to_owned(),
            Self::Systemd => format!("{}.slice", name.replace('-', "_")),
        }
    }

    /// That cgroup as managers are told.
    pub(super) fn parent(self, cgroup: &str) -> String {
        match self {
            Self::Direct => format!("/{cgroup}"),
            Self::Systemd => cgroup.to_owned(),
        }
    }

    /// A container's cgroup as containerd is told.
    pub(super) fn path(self, cgroup: &str, container: &str) -> String {
        match self {
            Self::Direct => format!("/{cgroup}/{container}"),
            Self::Systemd => format!("{cgroup}:ctr:{container}"),
        }
    }

    /// What Podman calls it.
    pub(super) fn manager(self) -> &'static str {
        match self {
            Self::Direct => "cgroupfs",
            Self::Systemd => "systemd",
        }
    }

    /// The type of namespace that only a stage's own processes are in.
    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Direct => "pid",
            Self::Systemd => "mnt",
        }
    }

    /// The folders of `/run` that a stage shares with the host.
    pub(super) fn kept_in_run(self) -> &'static str {
        match self {
            Self::Direct => "",
            Self::Systemd => "dbus systemd",
        }
    }

    /// Ends what stands for a cgroup elsewhere.
    pub(super) fn release(self, cgroup: &str) {
        if self == Self::Systemd {
            // There is none if no container was made.
            let _ = Command::new("systemctl").args(["stop", cgroup]).stderr(Stdio::null()).status();
        }
    }
}

/// Those of the checks of all hosts that show what is different on this one.
const OF_ALL: [&str; 9] = [
    "AppArmor",
    "a container through its life",
    "exec: streams",
    "limits: memory, processes",
    "limits: out of memory",
    "pause",
    "privileged",
    "stats, changed limits",
    "update",
];

/// The checks of Docker and Podman that only such a host can pass.
pub(super) const CHECKS: &[Check<Engine>] =
    &[Check { name: "systemd: a scope while it lives", run: scope_of_engine }];

impl Options {
    /// Checks of a client on a host with systemd, with the binary at `runtime`.
    fn by_systemd(client: Client, runtime: &Path) -> Self {
        let only = OF_ALL.iter().chain(&["systemd"]).map(|name| (*name).to_owned()).collect();
        let (clients, runtime) = (vec![client], Some(runtime.to_owned()));
        Self { clients, releases: vec![Release::Host], only, runtime, cgroups: Cgroups::Systemd }
    }
}

/// Why clients cannot be driven on this host by [`on_systemd`], if they cannot.
#[must_use]
pub fn without_systemd() -> Option<String> {
    if !Path::new("/run/systemd/private").exists() {
        return Some("needs a running systemd".to_owned());
    }
    super::obstacle(Release::Host)
}

/// Drives a client of this host, whose cgroups systemd makes.
pub fn on_systemd(client: Client, runtime: &Path) -> Result<()> {
    super::run(&Options::by_systemd(client, runtime))
}

fn scope_of_engine(engine: &Engine) -> Result<()> {
    let name = engine.start(&["--memory", "64m"])?;
    let pid = engine.inspect(&name, ".State.Pid")?;
    let unit = scope(&engine.stage, &pid)?;
    has_limit(&engine.stage, &unit, "67108864")?;
    engine.ok(&["update", "--memory", "96m", "--memory-swap", "192m", &name])?;
    has_limit(&engine.stage, &unit, "100663296")?;
    engine.remove(&name)?;
    is_gone(&engine.stage, &unit)
}

/// The scope that a process is in, which must be active and in the stage's slice.
pub(super) fn scope(stage: &Stage, pid: &str) -> Result<String> {
    let path = format!("/proc/{pid}/cgroup");
    let cgroup = fs::read_to_string(&path).map_err(Error::io(format!("cannot read {path}")))?;
    contains("the slice", &cgroup, &format!("/{}/", stage.cgroup()))?;
    let unit = cgroup.trim().rsplit('/').find(|name| name.ends_with(".scope"));
    let unit = unit.ok_or_else(|| Error::NotMet(format!("no scope is in {cgroup:?}")))?;
    same("state", &property(stage, unit, "ActiveState")?, "active")?;
    Ok(unit.to_owned())
}

/// Fails unless systemd knows that the memory of a unit is limited to that many bytes.
pub(super) fn has_limit(stage: &Stage, unit: &str, limit: &str) -> Result<()> {
    same("limit", &property(stage, unit, "MemoryMax")?, limit)
}

/// Waits until systemd does not know a unit.
pub(super) fn is_gone(stage: &Stage, unit: &str) -> Result<()> {
    wait_until(&format!("{unit} is forgotten"), || Ok(property(stage, unit, "LoadState")? == "not-found"))
}

fn property(stage: &Stage, unit: &str, name: &str) -> Result<String> {
    let output = expect(0, stage.run(&["systemctl", "show", "--value", "--property", name, unit], "")?)?;
    Ok(output.stdout.trim().to_owned())
}
