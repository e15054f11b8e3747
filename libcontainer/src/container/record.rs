//! What is kept about a container between two commands.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::cgroup::systemd::Unit;
use crate::resctrl::Membership;
use crate::seccomp::Listener;
use crate::spec::Hook;
use crate::sys::pidfd::Process;
use crate::{Error, ErrorKind, Result};

/// The layout of `state.json` that this version writes and understands.
pub(crate) const VERSION: u32 = 1;

/// The contents of `state.json`. The layout is ours alone: nothing but this library reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Always [`VERSION`].
    pub(crate) version: u32,
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    pub(crate) rootfs: PathBuf,
    /// RFC 3339; with the id it tells this container from an earlier one of the same name.
    pub(crate) created: String,
    /// The user that created it.
    pub(crate) owner: u32,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) phase: Phase,
    /// The first process; absent until it exists.
    pub(crate) init: Option<Init>,
    /// The container's cgroup: one folder, or one per v1 hierarchy.
    pub(crate) cgroups: Vec<PathBuf>,
    /// The scope that systemd has made of the container, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<Unit>,
    /// The container's resource groups.
    #[serde(default)]
    pub(crate) resctrl: Membership,
    /// Whether the first process is init of a pid namespace, so that its death ends all others.
    pub(crate) own_pid_namespace: bool,
    /// Whether the configuration has a process; without one the container cannot be started.
    pub(crate) has_process: bool,
    /// Whether the container's processes keep the session keyring of their caller.
    #[serde(default)]
    pub(crate) no_new_keyring: bool,
    /// Who gets the listener of the filter when the container starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) listener: Option<Listener>,
    /// The plan entries behind the gate, so that `start` can say which of them failed.
    pub(crate) late: Vec<LateStep>,
    /// Absent in records of versions without hooks.
    #[serde(default)]
    pub(crate) hooks: LaterHooks,
}

/// The container's first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Init {
    pub(crate) pid: i32,
    /// Field 22 of `/proc/PID/stat`.
    pub(crate) start_time: u64,
}

/// How far `create` or `run` came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// Not finished.
    Creating,
    /// Finished; the process waits at the gate for as long as the gate is there.
    Created,
    /// Finished without a gate (`run`).
    Running,
}

/// A plan entry that is executed after `create` returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LateStep {
    pub(crate) index: usize,
    pub(crate) total: usize,
    pub(crate) pointer: Option<String>,
    pub(crate) step: String,
    pub(crate) subject: Option<String>,
}

/// The hooks that other commands run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LaterHooks {
    /// What `start` runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) poststart: Vec<Hook>,
    /// What `delete` runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) poststop: Vec<Hook>,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

impl Stored {
    /// Reads what [`Self::to_json`] wrote; [`ErrorKind::Unsupported`] if another version wrote it.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self> {
        // The version first: the rest of another version's record may have any form.
        let VersionOnly { version } = serde_json::from_slice(json).map_err(corrupt)?;
        if version != VERSION {
            let message = format!("state.json has version {version}, this build knows version {VERSION}");
            return Err(Error::new(ErrorKind::Unsupported { pointer: String::new() }, message));
        }
        serde_json::from_slice(json).map_err(corrupt)
    }

    /// The record as it is written.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| {
            Error::new(ErrorKind::Os, "the state cannot be written as JSON").with_source(error)
        })
    }

    /// The first process, unless it was never made or has been reaped.
    pub(crate) fn process(&self) -> Result<Option<Process>> {
        let Some(init) = self.init else { return Ok(None) };
        match Pid::from_raw(init.pid) {
            Some(pid) => Process::find(pid, init.start_time),
            None => Err(Error::new(ErrorKind::Os, "state.json is corrupt: the pid is 0")),
        }
    }

    /// The first process, if it is still alive.
    pub(crate) fn live_process(&self) -> Result<Option<Process>> {
        match self.process()? {
            Some(process) if !process.has_ended()? => Ok(Some(process)),
            _ => Ok(None),
        }
    }
}

fn corrupt(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Os, format!("state.json is corrupt: {error}")).with_source(error)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sys::procfs::Procfs;

    /// A record of a container without process.
    pub(crate) fn stored(id: &str) -> Stored {
        Stored {
            version: VERSION,
            id: id.into(),
            bundle: "/bundle".into(),
            rootfs: "/bundle/rootfs".into(),
            created: crate::sys::time::rfc3339(std::time::SystemTime::now()),
            owner: 0,
            annotations: BTreeMap::from([("a".into(), "b".into())]),
            phase: Phase::Created,
            init: None,
            cgroups: Vec::new(),
            unit: None,
            resctrl: Membership::default(),
            own_pid_namespace: true,
            has_process: true,
            no_new_keyring: false,
            listener: None,
            late: Vec::new(),
            hooks: LaterHooks::default(),
        }
    }

    /// The record's entry for a live process.
    pub(crate) fn init_of(pid: Pid) -> Init {
        let start_time = Procfs::open().unwrap().start_time(pid).unwrap().unwrap();
        Init { pid: pid.as_raw_nonzero().get(), start_time }
    }

    #[test]
    fn a_record_survives_being_written_and_read() {
        let mut record = stored("web");
        record.init = Some(Init { pid: 7, start_time: u64::MAX });
        record.no_new_keyring = true;
        record.late = vec![LateStep {
            index: 3,
            total: 4,
            pointer: None,
            step: "exec /bin/sh".into(),
            subject: Some("/bin/sh".into()),
        }];
        assert_eq!(Stored::from_json(&record.to_json().unwrap()).unwrap(), record);
    }

    #[test]
    fn a_record_cut_anywhere_is_an_error() {
        let json = stored("web").to_json().unwrap();
        for length in 0..json.len() {
            let error = Stored::from_json(&json[..length]).unwrap_err();
            assert!(error.to_string().contains("state.json is corrupt"), "{error}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let error = Stored::from_json(br#"{"version":99,"later":"layout"}"#).unwrap_err();
        assert_eq!(error.to_string(), "state.json has version 99, this build knows version 1");
    }

    #[test]
    fn a_process_is_found_only_under_its_own_start_time() {
        let own = rustix::process::getpid();
        let mut record = stored("web");
        assert!(record.live_process().unwrap().is_none());
        record.init = Some(init_of(own));
        assert!(record.live_process().unwrap().is_some());
        record.init = Some(Init { start_time: init_of(own).start_time + 1, ..init_of(own) });
        assert!(record.live_process().unwrap().is_none());
    }
}
