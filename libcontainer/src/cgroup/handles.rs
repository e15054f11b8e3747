use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;

use super::devices::{Devices, Instruction};
use super::dir::Dir;
use super::{CgroupError, Missing, Placement, Write, bpf};

/// The open cgroups of a container.
#[derive(Debug)]
pub struct Cgroups(Vec<Opened>);

#[derive(Debug)]
pub(super) struct Opened {
    pub(super) dir: Dir,
    pub(super) controllers: Vec<String>,
    pub(super) unified: bool,
}

impl Cgroups {
    pub(super) fn new(groups: Vec<Opened>) -> Self {
        Self(groups)
    }

    /// Opens the existing cgroups of a container.
    ///
    /// # Errors
    /// A cgroup that does not exist or cannot be opened.
    pub fn open(placement: &Placement) -> Result<Self, CgroupError> {
        let open = |group: &super::Group| {
            let dir = Dir::open(&group.dir())?;
            Ok(Opened { dir, controllers: group.controllers.clone(), unified: group.unified })
        };
        placement.groups.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// The cgroup in the unified hierarchy, for `CLONE_INTO_CGROUP`.
    #[must_use]
    pub fn unified(&self) -> Option<BorrowedFd<'_>> {
        self.0.iter().find(|group| group.unified).map(|group| group.dir.as_fd())
    }

    /// Writes limits, in order.
    ///
    /// The kernel checks some values against each other's current ones (a memory limit against the
    /// sum with swap, a quota against its period and burst), so that the right order depends on
    /// what is in force. A value that is refused for that is tried once more after the others.
    ///
    /// # Errors
    /// The first write that fails for good, with its JSON pointer.
    pub fn apply(&self, writes: &[Write]) -> Result<(), CgroupError> {
        let mut again = Vec::new();
        for write in writes {
            match self.write(write) {
                Err(error) if error.errno() == Some(Errno::INVAL) => again.push(write),
                result => result?,
            }
        }
        again.into_iter().try_for_each(|write| self.write(write))
    }

    fn write(&self, write: &Write) -> Result<(), CgroupError> {
        let has = |group: &&Opened| group.controllers.iter().any(|name| name == write.controller());
        let group = self.0.iter().find(has).or_else(|| self.0.iter().find(|group| group.unified));
        let Some(group) = group else {
            let reason = format!("the container has no cgroup with the {} controller", write.controller());
            return Err(CgroupError::unsupported(&write.pointer, reason));
        };
        refuse_below_usage(&group.dir, write)?;
        let written = group.dir.write(&write.file, &write.value);
        let is_missing = matches!(&written, Err(error) if error.errno() == Some(Errno::NOENT));
        let written = match &write.missing {
            Missing::Skip if is_missing => Ok(()),
            Missing::Instead { file, value } if is_missing => group.dir.write(file, value),
            _ => written,
        };
        written.map_err(|error| {
            let hint = error.errno().and_then(write_hint);
            error.with_pointer(&write.pointer).with_hint(hint)
        })
    }

    /// Puts device rules into force.
    ///
    /// # Errors
    /// A write, or the loading or attaching of the program, that the kernel refuses.
    pub fn restrict_devices(&self, devices: &Devices) -> Result<(), CgroupError> {
        match devices {
            Devices::Unrestricted => Ok(()),
            Devices::Writes(writes) => self.apply(writes),
            Devices::Program(program) => match self.0.iter().find(|group| group.unified) {
                Some(group) => attach(&group.dir, program),
                None => Err(CgroupError::host("the container has no cgroup in the unified hierarchy")),
            },
        }
    }

    /// Moves a process, with all its threads, into the v1 cgroups. One that was cloned into the
    /// unified cgroup is then in all of them.
    ///
    /// # Errors
    /// A cgroup that refuses the process.
    pub fn join_v1(&self, pid: i32) -> Result<(), CgroupError> {
        self.0.iter().filter(|group| !group.unified).try_for_each(|group| join(&group.dir, pid))
    }

    /// Moves a process, with all its threads, into all cgroups.
    ///
    /// # Errors
    /// A cgroup that refuses the process.
    pub fn join(&self, pid: i32) -> Result<(), CgroupError> {
        self.0.iter().try_for_each(|group| join(&group.dir, pid))
    }
}

/// Opens a cgroup of the unified hierarchy for `CLONE_INTO_CGROUP`.
///
/// # Errors
/// A path that is not a directory that can be opened.
pub fn open_unified(dir: &Path) -> Result<OwnedFd, CgroupError> {
    Dir::open(dir).map(Dir::into_fd)
}

fn join(dir: &Dir, pid: i32) -> Result<(), CgroupError> {
    dir.write("cgroup.procs", &pid.to_string()).map_err(|error| {
        let hint = match error.errno() {
            Some(Errno::BUSY) => {
                Some("the cgroup gives controllers to cgroups below it, so it takes no processes")
            }
            Some(Errno::NOSPC) => Some("cpuset.cpus and cpuset.mems of the cgroup must not be empty"),
            _ => None,
        };
        error.with_hint(hint)
    })
}

fn refuse_below_usage(dir: &Dir, write: &Write) -> Result<(), CgroupError> {
    let (Some(file), Ok(limit)) = (write.usage, write.value.parse::<u64>()) else { return Ok(()) };
    let used = dir.read_if_exists(file)?.and_then(|text| text.trim().parse::<u64>().ok());
    match used {
        Some(used) if used >= limit => {
            let reason = format!("is not above the current usage of {used}, and checkBeforeUpdate is set");
            Err(CgroupError::invalid(&write.pointer, limit, reason))
        }
        _ => Ok(()),
    }
}

fn write_hint(errno: Errno) -> Option<&'static str> {
    match errno {
        Errno::NOENT => Some("this kernel, or the cgroups above, do not offer this control"),
        Errno::INVAL | Errno::RANGE => {
            Some("the kernel, or a limit of a cgroup above, does not allow this value")
        }
        Errno::BUSY => Some("more than this is in use and cannot be reclaimed"),
        Errno::PERM | Errno::ACCESS => Some("the cgroup above does not allow it, or a privilege is missing"),
        _ => None,
    }
}

fn attach(dir: &Dir, program: &[Instruction]) -> Result<(), CgroupError> {
    let failed = |operation| {
        move |errno| {
            let hint = match errno {
                Errno::PERM | Errno::ACCESS => {
                    Some("device rules on cgroup v2 need CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN")
                }
                Errno::TOOBIG => Some("there are too many device rules"),
                _ => None,
            };
            dir.error(operation, errno).with_pointer("/linux/resources/devices").with_hint(hint)
        }
    };
    let loaded = bpf::load(program).map_err(failed("bpf(BPF_PROG_LOAD)"))?;
    bpf::attach(dir.as_fd(), &loaded).map_err(failed("bpf(BPF_PROG_ATTACH)"))
}
