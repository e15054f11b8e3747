//! The host's entries.

use std::path::Path;

use libcontainer_init::sys::Clone as CloneRequest;
use libcontainer_init::{Program, slot};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::link::{Link, send_fd};
use super::net_devices::NetDevices;
use super::{Engine, Fault, clone, hooks, id_namespace};
use crate::container::record::{Init, Phase};
use crate::container::store;
use crate::planner::{self, Action, Actor, HostStep, Purpose, ScopeUnit};
use crate::spec::{Hook, HookKind, NetDevice};
use crate::sys::pidfd::Process;
use crate::sys::{atomic, procfs::Procfs, tree};
use crate::{Error, Status, cgroup, resctrl};

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// Names a system call for errors.
pub(super) fn call(name: &'static str) -> impl Fn(Errno) -> Fault {
    move |errno| Fault::Call(name, errno)
}

pub(super) fn child(fault: libcontainer_init::Fault) -> Fault {
    Fault::Call(libcontainer_init::op::name(fault.op as u32), Errno::from_raw_os_error(fault.errno))
}

impl Engine<'_> {
    pub(super) fn host(&mut self, index: usize, step: &HostStep) -> Result<()> {
        match step {
            HostStep::Claim { .. } => self.claim(),
            HostStep::Record { running } => self.record(*running),
            HostStep::LendProc => self.lend_proc(),
            HostStep::IdNamespace { maps, .. } => {
                self.id_namespaces.push(id_namespace::make(maps)?);
                Ok(())
            }
            HostStep::LockMounts => self.lock_mounts(),
            HostStep::LendTree(tree) => self.lend_tree(tree),
            HostStep::LendNamespace { kind, slot, .. } => match self.launch.handles.namespaces.remove(kind) {
                Some(handle) => self.lend(*slot, handle),
                None => Err(Fault::Call("open", Errno::BADF)),
            },
            HostStep::BeginNetwork => self.begin_network(),
            HostStep::SendNetwork { slot } => self.send_network(*slot),
            HostStep::NotifyFolder { .. } => Ok(self.claimed()?.make_folder(planner::notify::FOLDER)?),
            HostStep::Gate => {
                let gate = self.claimed()?.listen()?;
                self.lend(slot::GATE, gate)
            }
            HostStep::ConnectConsole { path } => {
                let socket = connect_to(path, SocketType::STREAM)?;
                self.lend(slot::CONSOLE, socket)
            }
            HostStep::CreateCgroup { placement, controllers } => {
                self.cgroup = Some(cgroup::create(placement, controllers)?);
                Ok(())
            }
            HostStep::StartUnit(scope) => self.start_unit(scope),
            HostStep::LendRoot => self.lend_root(),
            HostStep::LendContainer => self.lend_container(),
            HostStep::LendStreams => self.lend_streams(),
            HostStep::OpenCgroup { dirs } => {
                self.joined_cgroup = Some(cgroup::Cgroups::open_dirs(dirs)?);
                Ok(())
            }
            HostStep::EnterCgroup { all } => self.enter_cgroup(*all),
            HostStep::DelegateCgroup { uid } => Ok(self.cgroups()?.delegate(*uid)?),
            HostStep::Limit(write) => Ok(self.cgroups()?.apply(std::slice::from_ref(write))?),
            HostStep::Devices(devices) => Ok(self.cgroups()?.restrict_devices(devices)?),
            HostStep::JoinCgroup => self.join_cgroup(),
            HostStep::CreateRdtGroup(group) => {
                resctrl::create(group)?;
                self.rdt_groups.push(group.path.clone());
                Ok(())
            }
            HostStep::JoinRdtGroups(groups) => {
                Ok(resctrl::join(groups, self.init()?.pid().as_raw_nonzero().get())?)
            }
            HostStep::Clone { actor, flags, into_cgroup } => self.clone(index, *actor, *flags, *into_cgroup),
            HostStep::Adopt => self.adopt(),
            HostStep::StartCriu { root, targets } => self.start_criu(root, targets),
            HostStep::RestoreNamespaces { .. } => self.restore_namespaces(),
            HostStep::RestoreProcesses => self.restore_processes(),
            HostStep::ResumeProcesses => self.resume_processes(),
            HostStep::TimeOffsets(offsets) => self.time_offsets(offsets),
            HostStep::IdMaps { uids, gids, uid_writer, gid_writer } => {
                self.id_maps((uids, uid_writer), (gids, gid_writer))
            }
            HostStep::OomScore { value } => self.oom_score(*value),
            HostStep::MoveNetDevice(device) => self.move_net_device(device),
            HostStep::Schedule(scheduler) => self.schedule(scheduler),
            HostStep::IoPriority(priority) => self.io_priority(*priority),
            HostStep::RunHook { kind, number, hook } => self.hook(*kind, *number, hook),
            HostStep::PidFile { path } => self.write_pid_file(path),
            HostStep::SendPidfd { path } => {
                let socket = connect_to(path, SocketType::STREAM)?;
                send_fd(&socket, self.init()?).map_err(call("sendmsg"))
            }
            HostStep::SendListener(listener) => {
                let fd = self.listener.take().ok_or(Fault::Call("recvmsg", Errno::BADF))?;
                let status = match self.launch.plan.purpose {
                    Purpose::Create | Purpose::Restore => Status::Creating,
                    Purpose::Exec => Status::Running,
                };
                let pid = self.init()?.pid().as_raw_nonzero().get();
                Ok(super::listener::send_of(&self.stored, listener, status, pid, &fd)?)
            }
            #[cfg(feature = "fault-injection")]
            HostStep::Fail { errno, .. } => Err(Fault::Call("verify", Errno::from_raw_os_error(*errno))),
            #[cfg(feature = "fault-injection")]
            HostStep::Die => {
                rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
                    .map_err(call("kill"))
            }
            #[cfg(feature = "fault-injection")]
            HostStep::KillChild => {
                let Some(child) = self.init.as_ref().or(self.enter.as_ref()) else { return Ok(()) };
                child.signal(libc::SIGKILL).map_err(call("pidfd_send_signal"))?;
                Ok(child.wait_ended(None).map(drop)?)
            }
        }
    }

    fn claim(&mut self) -> Result<()> {
        let claim = self.claim.insert(store::claim(self.launch.root, self.launch.id)?);
        Ok(claim.save(&self.stored)?)
    }

    pub(super) fn claimed(&self) -> Result<&store::Claim> {
        self.claim.as_ref().ok_or(Fault::Call("flock", Errno::BADF))
    }

    fn cgroups(&self) -> Result<&cgroup::Cgroups> {
        let own = self.cgroup.as_ref().map(cgroup::Created::cgroups);
        own.or(self.joined_cgroup.as_ref()).ok_or(Fault::Call("open", Errno::BADF))
    }

    fn enter_cgroup(&self, all: bool) -> Result<()> {
        let enter = self.enter.as_ref().ok_or(Fault::Call("pidfd_open", Errno::SRCH))?;
        let pid = enter.pid().as_raw_nonzero().get();
        let cgroups = self.cgroups()?;
        Ok(if all { cgroups.join(pid) } else { cgroups.join_v1(pid) }?)
    }

    pub(super) fn init(&self) -> Result<&Process> {
        self.init.as_ref().ok_or(Fault::Call("pidfd_open", Errno::SRCH))
    }

    /// The scope's cgroup is the one that was made, unless systemd has tidied that away in between: it is opened anew.
    fn start_unit(&mut self, scope: &ScopeUnit) -> Result<()> {
        let pid = self.init()?.pid().as_raw_nonzero().get();
        let Some(systemd) = &mut self.launch.handles.systemd else {
            return Err(Fault::Call("connect", Errno::NOTCONN));
        };
        systemd.start(&scope.unit, pid.unsigned_abs(), &scope.properties)?;
        self.unit = Some(scope.unit.clone());
        let created = self.cgroup.as_mut().ok_or(Fault::Call("open", Errno::BADF))?;
        Ok(created.reopen(&scope.placement, &scope.controllers)?)
    }

    fn join_cgroup(&self) -> Result<()> {
        let pid = self.init()?.pid().as_raw_nonzero().get();
        // Born elsewhere, it is in the unified cgroup only if that is one of those that systemd uses. criu always is.
        let is_elsewhere = self.unit.is_some() || self.criu.is_some();
        let join = if is_elsewhere { cgroup::Cgroups::join } else { cgroup::Cgroups::join_v1 };
        Ok(join(self.cgroups()?, pid)?)
    }

    fn record(&mut self, running: bool) -> Result<()> {
        let init = self.init()?;
        let pid = init.pid();
        let start_time = Procfs::open()?.start_time(pid)?.ok_or(Fault::Call("open", Errno::SRCH))?;
        self.stored.init = Some(Init { pid: pid.as_raw_nonzero().get(), start_time });
        self.stored.phase = if running { Phase::Running } else { Phase::Created };
        let claim = self.claimed()?;
        // In this order: what the record says is there is there.
        claim.save_config(self.config)?;
        Ok(claim.save(&self.stored)?)
    }

    fn lend_container(&mut self) -> Result<()> {
        let container = self.launch.handles.container.take().ok_or(Fault::Call("pidfd_open", Errno::BADF))?;
        self.lend(slot::CONTAINER, container.into_pidfd())
    }

    fn lend_root(&mut self) -> Result<()> {
        let container = self.launch.handles.container.as_ref();
        let root = container.ok_or(Fault::Call("pidfd_open", Errno::BADF))?.root()?;
        self.lend(slot::ROOT, root)
    }

    fn lend_streams(&mut self) -> Result<()> {
        let streams = self.launch.handles.streams.take().ok_or(Fault::Call("dup", Errno::BADF))?;
        slot::STREAMS.into_iter().zip(streams).try_for_each(|(slot, stream)| self.lend(slot, stream))
    }

    /// Puts a descriptor where the child will find it.
    pub(super) fn lend(&mut self, slot: libcontainer_init::Slot, fd: OwnedFd) -> Result<()> {
        if self.link.is_some() {
            self.unsent.push(slot);
        }
        self.slots.insert(slot, fd);
        Ok(())
    }

    /// A copy of the procfs mount alone: what is mounted over its files does not come along. Where that is not
    /// allowed, the mount itself.
    fn lend_proc(&mut self) -> Result<()> {
        let proc = Procfs::open()?;
        let copy = match tree::copy(proc.as_fd(), c"", false) {
            Ok(copy) => copy,
            Err(_) => proc.into_fd(),
        };
        self.lend(slot::PROC, copy)
    }

    fn clone(&mut self, index: usize, actor: Actor, flags: u32, into_cgroup: bool) -> Result<()> {
        let (link, theirs) = Link::pair().map_err(call("socketpair"))?;
        let cgroup = if into_cgroup { self.cgroups()?.unified().map(|fd| fd.as_raw_fd()) } else { None };
        let request = CloneRequest { flags: flags.into(), cgroup };
        let (pid, pidfd) = self.spawn(index, (&link, &theirs), request)?;
        let process = Process::from_parts(pid, pidfd)?;
        match actor {
            Actor::Enter => self.enter = Some(process),
            Actor::Host | Actor::Init => self.init = Some(process),
        }
        self.link = Some(link);
        Ok(())
    }

    /// Prepares everything that the child will read, and clones it.
    fn spawn(
        &self,
        index: usize,
        (ours, theirs): (&Link, &OwnedFd),
        request: CloneRequest,
    ) -> Result<(i32, OwnedFd)> {
        let plan = self.launch.plan;
        let entries: Vec<libcontainer_init::Entry> = plan
            .entries()
            .iter()
            .zip(0u32..)
            .filter_map(|(entry, index)| match entry.action {
                Action::Child(step) => Some(libcontainer_init::Entry { index, step }),
                Action::Host(_) => None,
            })
            .collect();
        let mut slots = vec![-1; plan.slots];
        for (slot, fd) in &self.slots {
            if let Some(place) = slots.get_mut(usize::from(slot.0)) {
                *place = fd.as_raw_fd();
            }
        }
        let link = theirs.as_raw_fd();
        let mut keep: Vec<i32> = slots.iter().copied().filter(|fd| *fd >= 0).chain([link]).collect();
        keep.extend(0..3);
        keep.extend(preserved(plan.preserve_fds)?);
        keep.sort_unstable();
        keep.dedup();
        let base = plan.pool.text.as_ptr();
        let pointers = |texts: &[libcontainer_init::Text]| -> Vec<*const u8> {
            let starts = texts.iter().map(|text| base.wrapping_add(text.start as usize));
            starts.chain([std::ptr::null()]).collect()
        };
        let lists: Vec<*const u8> = plan
            .pool
            .lists
            .iter()
            .map(|text| text.map_or(std::ptr::null(), |text| base.wrapping_add(text.start as usize)))
            .collect();
        let environment = if plan.lends_environment() { hooks::environment() } else { Vec::new() };
        let environment = hooks::pointers(&environment);
        let argv = pointers(&plan.argv);
        let mut envp = pointers(&plan.envp);
        let mut program = Program {
            entries: &entries,
            cloned_by: u32::try_from(index).unwrap_or(u32::MAX),
            text: &plan.pool.text,
            words: &plan.pool.words,
            filter: &plan.filter,
            slots: &mut slots,
            keep: &keep,
            link,
            host_link: ours.as_raw_fd(),
            argv: &argv,
            envp: &mut envp,
            lists: &lists,
            environment: &environment,
        };
        clone::spawn(&mut program, request).map_err(child)
    }

    fn hook(&self, kind: HookKind, number: usize, hook: &Hook) -> Result<()> {
        let init = self.init()?;
        // A program may end whenever it likes, but before it has started there is nothing to do for a dead process.
        let container = (kind < HookKind::Poststart).then(|| init.as_fd());
        let pid = init.pid().as_raw_nonzero().get();
        let hook = (kind, number, hook);
        hooks::run(&self.stored, hook, container, Some(pid)).map_err(|failure| Fault::Hook(Box::new(failure)))
    }

    /// `Enter` has ended after its clone: what it cloned is our child.
    fn adopt(&mut self) -> Result<()> {
        let Some(enter) = self.enter.take() else { return Err(Fault::Call("waitid", Errno::CHILD)) };
        enter.wait_child()?;
        self.init().map(drop)
    }

    fn move_net_device(&mut self, device: &NetDevice) -> Result<()> {
        let init = self.init.as_ref().ok_or(Fault::Call("pidfd_open", Errno::SRCH))?;
        let devices = match &mut self.net_devices {
            Some(devices) => devices,
            none => none.insert(NetDevices::new(init)?),
        };
        devices.attach(device, init.pid())
    }

    fn write_pid_file(&mut self, path: &Path) -> Result<()> {
        let pid = self.init()?.pid().as_raw_nonzero().to_string();
        atomic::replace_path(path, pid.as_bytes(), Mode::from_raw_mode(0o644)).map_err(call("write"))?;
        self.pid_file = Some(path.to_path_buf());
        Ok(())
    }
}

pub(super) fn connect_to(path: &Path, kind: SocketType) -> crate::Result<OwnedFd> {
    let failed = |errno| Error::os(format_args!("connect to {}", path.display()), errno);
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    let socket = socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).map_err(failed)?;
    connect(&socket, &address).map_err(failed)?;
    Ok(socket)
}

/// Those of so many descriptors from 3 on that are open: clients count up to the highest that they pass on. Our own among
/// them end, as all that we open, when the program is executed.
fn preserved(count: u32) -> Result<Vec<i32>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let failed =
        |error: std::io::Error| Fault::Call("open", Errno::from_io_error(&error).unwrap_or(Errno::IO));
    let open = std::fs::read_dir("/proc/self/fd").map_err(failed)?;
    let open = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let end = i32::try_from(count).unwrap_or(i32::MAX).saturating_add(3);
    Ok(open.filter(|fd| (3..end).contains(fd)).collect())
}
