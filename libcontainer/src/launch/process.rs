//! What the host does to a process that it has cloned: id maps, clocks, scheduling.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use libcontainer_init::sys;
use rustix::fd::AsRawFd;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::host::{Result, call, child};
use super::{Engine, Fault};
use crate::planner::MapWriter;
use crate::spec::{IdMap, IoPriority, Scheduler, TimeOffset};
use crate::sys::pidfd::Process;
use crate::sys::procfs::Procfs;
use crate::sys::raw::{self, SchedAttr};
use crate::{Error, ErrorKind};

impl Engine<'_> {
    /// Setgroups first: denying it is possible only while there is no group map.
    pub(super) fn id_maps(
        &self,
        (uids, uid_writer): (&[IdMap], &MapWriter),
        (gids, gid_writer): (&[IdMap], &MapWriter),
    ) -> Result<()> {
        let init = self.init()?;
        if *gid_writer == MapWriter::AfterDeny {
            write_proc(init, "setgroups", "deny")?;
        }
        write_map(init, "uid_map", uids, uid_writer)?;
        write_map(init, "gid_map", gids, gid_writer)
    }

    pub(super) fn time_offsets(&self, offsets: &[TimeOffset]) -> Result<()> {
        let enter = self.enter.as_ref().ok_or(Fault::Call("pidfd_open", Errno::SRCH))?;
        let line = |offset: &TimeOffset| format!("{} {} {}\n", offset.clock, offset.secs, offset.nanosecs);
        write_proc(enter, "timens_offsets", &offsets.iter().map(line).collect::<String>())
    }

    pub(super) fn oom_score(&self, value: i32) -> Result<()> {
        write_proc(self.init()?, "oom_score_adj", &value.to_string())
    }

    pub(super) fn schedule(&self, scheduler: &Scheduler) -> Result<()> {
        let attributes = SchedAttr {
            policy: scheduler.policy,
            flags: scheduler.flags,
            nice: scheduler.nice,
            priority: scheduler.priority,
            runtime: scheduler.runtime,
            deadline: scheduler.deadline,
            period: scheduler.period,
            ..SchedAttr::default()
        };
        raw::sched_setattr(self.init()?.pid(), &attributes).map_err(call("sched_setattr"))
    }

    pub(super) fn io_priority(&self, priority: IoPriority) -> Result<()> {
        raw::ioprio_set(self.init()?.pid(), priority.value()).map_err(call("ioprio_set"))
    }
}

pub(super) fn write_map(process: &Process, file: &str, maps: &[IdMap], writer: &MapWriter) -> Result<()> {
    if let MapWriter::Helper(path) = writer {
        return help(process, path, maps);
    }
    let line = |map: &IdMap| format!("{} {} {}\n", map.container, map.host, map.size);
    write_proc(process, file, &maps.iter().map(line).collect::<String>())
}

/// Writes a file of a process's folder in the host's procfs.
fn write_proc(process: &Process, file: &str, value: &str) -> Result<()> {
    let path = format!("{}/{file}", process.pid().as_raw_nonzero());
    let file = Procfs::open()?.open_file(&path, OFlags::WRONLY).map_err(call("openat2"))?;
    sys::write(file.as_raw_fd(), value.as_bytes()).map_err(|fault| match fault.errno {
        // It has ended and says no more than that; how it ended says more.
        libc::ESRCH => Fault::Died(process.describe_end()),
        _ => child(fault),
    })
}

/// `newuidmap PID CONTAINER HOST SIZE…`; the process is our child and not yet waited for, so the number is its own.
fn help(process: &Process, helper: &Path, maps: &[IdMap]) -> Result<()> {
    let numbers = maps.iter().flat_map(|map| [map.container, map.host, map.size]);
    let words = std::iter::once(process.pid().to_string()).chain(numbers.map(|number| number.to_string()));
    let output = Command::new(helper)
        .args(words.map(OsString::from))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .map_err(|cause| {
            Error::new(ErrorKind::Os, format!("{}: {cause}", helper.display())).with_source(cause)
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = format!(
        "{}: {}: {} (hint: /etc/subuid and /etc/subgid say which ids a user may map)",
        helper.display(),
        output.status,
        said.trim()
    );
    Err(Error::new(ErrorKind::Os, message).into())
}
