//! Execution of a plan: the turns of host and child, and the undoing of a plan that failed.
//!
//! A change of actor in the plan is the only synchronisation. The host does its entries until a child's come; then
//! it says `Go` and waits until the child says that its entries are done, or which of them failed. Entries of the host
//! that need nothing of the child's turn before them are done while that lasts, and if they are all that the host has
//! to do then, so is the next `Go`: the child finds it and waits for nothing.

mod clone;
mod criu_clones;
mod fill;
pub(crate) mod hooks;
mod host;
mod id_namespace;
pub(crate) mod link;
pub(crate) mod listener;
mod locked;
mod net_devices;
mod network;
mod process;
pub(crate) mod report;
mod restore;
mod trees;
mod undo;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libcontainer_init::{Record, Slot, Step};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;

use crate::cgroup::systemd::Unit;
use crate::cgroup::{self, CgroupError};
use crate::container::record::{LateStep, LaterHooks, Phase, Stored, VERSION};
use crate::container::store::Claim;
use crate::error::HookFailure;
use crate::facts::Handles;
use crate::planner::{Action, Actor, Entry, Plan};
use crate::sys::pidfd::Process;
use crate::sys::procfs::{Procfs, Stat};
use crate::{Bundle, ContainerId, Error, Result};

use link::{Heard, Link};
use net_devices::NetDevices;
use network::Network;
pub(crate) use restore::Restoration;

/// What is executed, and on what.
pub(crate) struct Launch<'a> {
    /// The folder of all containers.
    pub(crate) root: &'a Path,
    pub(crate) id: &'a ContainerId,
    /// What the plan was made from.
    pub(crate) config: &'a crate::spec::Config,
    pub(crate) plan: &'a Plan,
    pub(crate) handles: Handles,
    /// What a restore needs besides.
    pub(crate) restoration: Option<Restoration>,
}

/// What an entry failed with.
enum Fault {
    /// A system call.
    Call(&'static str, Errno),
    /// Something that has found its words already.
    Error(Error),
    /// The child ended without a word.
    Died(String),
    /// A hook failed.
    Hook(Box<HookFailure>),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<CgroupError> for Fault {
    fn from(error: CgroupError) -> Self {
        Self::Error(error.into())
    }
}

/// An entry's index and why it failed.
type Failure = (usize, Fault);

/// Everything that the execution has made so far.
struct Engine<'a> {
    launch: Launch<'a>,
    stored: Stored,
    /// The text of the container's configuration, to be kept with the record.
    config: &'a [u8],
    claim: Option<Claim>,
    cgroup: Option<cgroup::Created>,
    /// The scope that systemd has made.
    unit: Option<Unit>,
    /// The cgroups of the container that a program is executed in.
    joined_cgroup: Option<cgroup::Cgroups>,
    /// Descriptors for the child, which gets copies of them by the clone.
    slots: BTreeMap<Slot, OwnedFd>,
    /// The network namespace that is being made.
    network: Option<Network>,
    /// Those that are sent to the child before its next turn, for they were made after the clone.
    unsent: Vec<Slot>,
    /// User namespaces that only hold maps, by number.
    id_namespaces: Vec<OwnedFd>,
    /// The root file system with the flags of its mounts locked, until it is lent.
    locked_root: Option<OwnedFd>,
    link: Option<Link>,
    enter: Option<Process>,
    init: Option<Process>,
    /// A restore's criu, and how far it has come. Until it has made the first process it is `init` itself.
    criu: Option<restore::Criu>,
    /// When criu started: if it fails, its clones are left to us.
    criu_since: Option<u64>,
    /// Resource groups, in the order in which they were made.
    rdt_groups: Vec<PathBuf>,
    net_devices: Option<NetDevices>,
    pid_file: Option<PathBuf>,
    /// The listener of the child's filter, until it is sent.
    listener: Option<OwnedFd>,
}

/// Makes the container of `bundle`; returns its record and its first process. On failure everything is undone.
pub(crate) fn create(
    launch: Launch<'_>,
    bundle: &Bundle,
    no_new_keyring: bool,
) -> Result<(Stored, Option<Process>)> {
    let stored = first_record(&launch, bundle, no_new_keyring);
    execute(launch, stored, bundle.text())
}

/// Executes a program in the container of which `stored` is the record; returns its process. On failure nothing is left
/// of it.
pub(crate) fn exec(launch: Launch<'_>, stored: Stored) -> Result<Option<Process>> {
    execute(launch, stored, &[]).map(|(_, process)| process)
}

fn execute(launch: Launch<'_>, stored: Stored, config: &[u8]) -> Result<(Stored, Option<Process>)> {
    let mut engine = Engine {
        launch,
        stored,
        config,
        claim: None,
        cgroup: None,
        unit: None,
        joined_cgroup: None,
        slots: BTreeMap::new(),
        network: None,
        unsent: Vec::new(),
        id_namespaces: Vec::new(),
        locked_root: None,
        link: None,
        enter: None,
        init: None,
        criu: None,
        criu_since: None,
        rdt_groups: Vec::new(),
        net_devices: None,
        pid_file: None,
        listener: None,
    };
    match engine.execute() {
        Ok(()) => Ok((engine.stored, engine.init)),
        Err((index, fault)) => {
            let error = report::error(engine.launch.plan, index, fault);
            Err(engine.undo(error))
        }
    }
}

fn first_record(launch: &Launch<'_>, bundle: &Bundle, no_new_keyring: bool) -> Stored {
    let config = bundle.config();
    Stored {
        version: VERSION,
        id: launch.id.to_string(),
        bundle: bundle.path().to_path_buf(),
        rootfs: config.root.path.clone(),
        created: crate::sys::time::rfc3339(std::time::SystemTime::now()),
        owner: rustix::process::geteuid().as_raw(),
        annotations: config.annotations.clone(),
        phase: Phase::Creating,
        init: None,
        cgroups: launch.plan.cgroup_dirs(),
        unit: launch.plan.unit(),
        resctrl: launch.plan.resctrl(),
        own_pid_namespace: config.namespaces.pid.membership == crate::spec::Membership::New,
        has_process: config.process.is_some(),
        no_new_keyring,
        listener: listener::of(launch.plan),
        late: late_steps(launch.plan),
        hooks: LaterHooks {
            poststart: config.hooks.poststart.clone(),
            poststop: config.hooks.poststop.clone(),
        },
    }
}

/// What `start` must be able to name: the entries behind the gate.
fn late_steps(plan: &Plan) -> Vec<LateStep> {
    let entries = plan.entries().iter().enumerate();
    let late = entries.skip_while(|(_, entry)| !matches!(entry.action, Action::Child(Step::WaitForStart)));
    late.map(|(index, entry)| LateStep {
        index,
        total: plan.entries().len(),
        pointer: entry.pointer.clone(),
        step: plan.describe(entry),
        subject: plan.subject(entry),
    })
    .collect()
}

impl Engine<'_> {
    fn execute(&mut self) -> std::result::Result<(), Failure> {
        let plan = self.launch.plan;
        // A child that was just born goes on by itself.
        let mut may_go = false;
        let mut index = 0;
        while let Some(entry) = plan.entries().get(index) {
            match &entry.action {
                Action::Host(step) => {
                    self.host(index, step).map_err(|fault| (index, fault))?;
                    may_go = matches!(step, crate::planner::HostStep::Clone { .. });
                    index += 1;
                }
                Action::Child(_) => {
                    let end = end_of_turn(plan, index);
                    if !may_go {
                        self.go(index)?;
                    }
                    let next = self.meanwhile(plan, end)?;
                    may_go = next > end && is_childs(plan, next);
                    if may_go {
                        self.go_ahead(next)?;
                    }
                    match self.wait(plan, index, end)? {
                        Turn::Over => index = next,
                        Turn::Gone => return Ok(()),
                    }
                }
            }
        }
        Ok(())
    }

    /// Does the entries from `index` on that need not wait for the child; returns the first that must.
    fn meanwhile(&mut self, plan: &Plan, mut index: usize) -> std::result::Result<usize, Failure> {
        while let Some(entry) = plan.entries().get(index).filter(|entry| entry.meanwhile)
            && let Action::Host(step) = &entry.action
        {
            self.host(index, step).map_err(|fault| (index, fault))?;
            index += 1;
        }
        Ok(index)
    }

    fn link(&self, index: usize) -> std::result::Result<&Link, Failure> {
        self.link.as_ref().ok_or((index, Fault::Died("there is no child yet".into())))
    }

    fn go(&mut self, index: usize) -> std::result::Result<(), Failure> {
        self.say_go(index)?.map_err(|errno| (index, self.lost(errno)))
    }

    /// As [`Self::go`], before the child has said that its turn is over. One that failed in it is gone by now, perhaps;
    /// its last words are what the wait for the end of that turn hears.
    fn go_ahead(&mut self, index: usize) -> std::result::Result<(), Failure> {
        match self.say_go(index)? {
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(errno) => Err((index, Fault::Call("sendmsg", errno))),
        }
    }

    fn say_go(&mut self, index: usize) -> std::result::Result<rustix::io::Result<()>, Failure> {
        let unsent = std::mem::take(&mut self.unsent);
        let link = self.link(index)?;
        Ok(self.send(link, &unsent).and_then(|()| link.go()))
    }

    fn send(&self, link: &Link, slots: &[Slot]) -> rustix::io::Result<()> {
        for run in slots.chunk_by(|one, next| next.0 == one.0.wrapping_add(1)) {
            for slots in run.chunks(Record::MOST_LENT) {
                let fds = slots.iter().filter_map(|slot| self.slots.get(slot));
                let fds: Vec<BorrowedFd<'_>> = fds.map(AsFd::as_fd).collect();
                slots.first().map_or(Ok(()), |first| link.lend(*first, &fds))?;
            }
        }
        Ok(())
    }

    /// Waits for the end of the child's turn, which ends with entry `end - 1`.
    fn wait(&mut self, plan: &Plan, index: usize, end: usize) -> std::result::Result<Turn, Failure> {
        let waits_for_start = |entry: &Entry| matches!(entry.action, Action::Child(Step::WaitForStart));
        if plan.entries().get(index).is_some_and(waits_for_start) {
            // From here on the child answers to `start`.
            return Ok(Turn::Gone);
        }
        let link = self.link(index)?;
        if let Some(enter) = &self.enter
            && !link.speaks_before_end_of(enter).map_err(|errno| (index, Fault::Call("poll", errno)))?
        {
            return Err((index, self.lost(Errno::PIPE)));
        }
        match link.hear().map_err(|errno| (index, self.lost(errno)))? {
            Heard::Done(record, fd) if record.index as usize + 1 == end => {
                match fd {
                    Some(pidfd) if record.pid != 0 => {
                        let process = Process::from_parts(record.pid, pidfd);
                        self.init = Some(process.map_err(|error| (index, error.into()))?);
                    }
                    listener => self.listener = listener,
                }
                Ok(Turn::Over)
            }
            Heard::Failed(record, output) => Err(report::child(plan, record, output)),
            // Close-on-exec: the link ends when the program takes over.
            Heard::Closed if ends_with_exec(plan, end) && self.has_executed() => Ok(Turn::Over),
            Heard::Closed => Err((index, self.lost(Errno::PIPE))),
            Heard::Done(..) => Err((index, Fault::Call("recvmsg", Errno::PROTO))),
        }
    }

    /// Whether the program has taken over: a process that was killed closes the link as well.
    fn has_executed(&self) -> bool {
        let pid = self.init.as_ref().map(Process::pid);
        let stat = pid.and_then(|pid| Procfs::open().and_then(|procfs| procfs.stat(pid)).ok().flatten());
        stat.is_none_or(Stat::has_executed)
    }

    /// How the child ended, now that its end of the link is closed; else why nothing was heard of it.
    fn lost(&self, errno: Errno) -> Fault {
        let closed = matches!(errno, Errno::PIPE | Errno::CONNRESET);
        match self.init.as_ref().or(self.enter.as_ref()) {
            Some(child) if closed && child.wait_ended(Some(undo::PATIENCE)).unwrap_or(false) => {
                Fault::Died(child.describe_end())
            }
            _ => Fault::Call("recvmsg", errno),
        }
    }
}

enum Turn {
    /// The next entry is the host's.
    Over,
    /// The child needs the host no more.
    Gone,
}

/// Whether entry `end - 1` makes the child the program.
fn ends_with_exec(plan: &Plan, end: usize) -> bool {
    let last = end.checked_sub(1).and_then(|last| plan.entries().get(last));
    last.is_some_and(|entry| matches!(entry.action, Action::Child(Step::Exec)))
}

fn is_childs(plan: &Plan, index: usize) -> bool {
    plan.entries().get(index).is_some_and(|entry| matches!(entry.action, Action::Child(_)))
}

/// The index behind the child's entries that start at `index`.
fn end_of_turn(plan: &Plan, index: usize) -> usize {
    let rest = plan.entries().iter().skip(index);
    index + rest.take_while(|entry| entry.actor != Actor::Host).count()
}
