use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::devices::{Devices, Instruction};
use super::dir::Dir;
use super::{CgroupError, Missing, Placement, Write, bpf, devices};

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

    /// Opens existing cgroups by their paths, for processes to join.
    ///
    /// # Errors
    /// A cgroup that does not exist or cannot be opened.
    pub fn open_dirs(dirs: &[PathBuf]) -> Result<Self, CgroupError> {
        let open = |path: &PathBuf| {
            let dir = Dir::open(path)?;
            let unified = dir.is_unified()?;
            Ok(Opened { dir, controllers: Vec::new(), unified })
        };
        dirs.iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// The cgroup in the unified hierarchy, for `CLONE_INTO_CGROUP`.
    #[must_use]
    pub fn unified(&self) -> Option<BorrowedFd<'_>> {
        self.unified_dir().map(Dir::as_fd)
    }

    /// Writes limits, in order.
    ///
    /// # Errors
    /// The first write that fails, with its JSON pointer.
    pub fn apply(&self, writes: &[Write]) -> Result<(), CgroupError> {
        writes.iter().try_for_each(|write| self.write(write))
    }

    /// Changes limits that are in force.
    ///
    /// The kernel checks some values against each other's current ones (a memory limit against the
    /// sum with swap, a quota against its period and burst), so that the right order depends on
    /// what is in force. A value that is refused for that is tried once more after the others.
    ///
    /// # Errors
    /// The first write that fails for good, with the pointers of those that did not.
    pub(super) fn change(&self, writes: &[Write]) -> Result<(), CgroupError> {
        let (mut done, mut again) = (Vec::new(), Vec::new());
        for write in writes {
            match self.write(write) {
                Ok(()) => done.push(write),
                Err(error) if error.errno() == Some(Errno::INVAL) => again.push(write),
                Err(error) => return Err(error.after(done)),
            }
        }
        for write in again {
            if let Err(error) = self.write(write) {
                return Err(error.after(done));
            }
            done.push(write);
        }
        Ok(())
    }

    /// The text of a control file of the cgroup in the unified hierarchy, if it has that file.
    pub(super) fn read_v2(&self, file: &str) -> Result<Option<String>, CgroupError> {
        self.unified_dir().map_or(Ok(None), |dir| dir.read_if_exists(file))
    }

    /// The text of a control file of the v1 cgroup that has it.
    pub(super) fn read_v1(&self, file: &str) -> Result<Option<String>, CgroupError> {
        let mut v1 = self.0.iter().filter(|group| !group.unified);
        v1.find_map(|group| group.dir.read_if_exists(file).transpose()).transpose()
    }

    pub(super) fn unified_dir(&self) -> Option<&Dir> {
        self.0.iter().find(|group| group.unified).map(|group| &group.dir)
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

    /// Gives the cgroup in the unified hierarchy to a user: the folder, and the files that the kernel names for it
    /// (cgroups(7), "Cgroups v2 delegation").
    ///
    /// # Errors
    /// A file that cannot be given away.
    pub fn delegate(&self, uid: u32) -> Result<(), CgroupError> {
        let Some(dir) = self.unified_dir() else { return Ok(()) };
        let named = std::fs::read_to_string("/sys/kernel/cgroup/delegate");
        let files = named.as_deref().unwrap_or("cgroup.procs\ncgroup.subtree_control\ncgroup.threads");
        dir.give("", uid)?;
        // The kernel names those of all controllers, and the cgroup has some.
        files.lines().filter(|file| !file.contains('/')).try_for_each(|file| match dir.give(file, uid) {
            Err(error) if error.errno() == Some(Errno::NOENT) => Ok(()),
            given => given,
        })
    }

    /// Puts device rules into force, in the place of those that are.
    ///
    /// # Errors
    /// A write, or the loading or attaching of the program, that the kernel refuses.
    pub fn restrict_devices(&self, devices: &Devices) -> Result<(), CgroupError> {
        let program = match devices {
            Devices::Writes(writes) => return self.apply(writes),
            Devices::Unrestricted => None,
            Devices::Program(program) => Some(program.as_slice()),
        };
        match (self.unified_dir(), program) {
            (Some(dir), program) => attach(dir, program),
            (None, None) => Ok(()),
            (None, Some(_)) => Err(CgroupError::host("the container has no cgroup in the unified hierarchy")),
        }
    }

    /// As [`Self::restrict_devices`] for a container that runs: what is equal stays untouched, so that no device is
    /// denied in between that both the old and the new rules allow.
    ///
    /// # Errors
    /// Likewise.
    pub(super) fn replace_devices(&self, devices: &Devices) -> Result<(), CgroupError> {
        match devices {
            Devices::Writes(writes) => {
                let current = self.read_v1("devices.list")?.unwrap_or_default();
                self.apply(&devices::v1::transition(&current, writes))
            }
            Devices::Unrestricted | Devices::Program(_) => self.restrict_devices(devices),
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

/// Replaces the device program that this library attached, if it did, by another one or by none. Programs of others
/// keep their say.
fn attach(dir: &Dir, program: Option<&[Instruction]>) -> Result<(), CgroupError> {
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
    let mut old = bpf::attached(dir.as_fd()).map_err(failed("bpf(BPF_PROG_QUERY)"))?.into_iter();
    if let Some(program) = program {
        let loaded = bpf::load(program).map_err(failed("bpf(BPF_PROG_LOAD)"))?;
        bpf::attach(dir.as_fd(), &loaded, old.next().as_ref()).map_err(failed("bpf(BPF_PROG_ATTACH)"))?;
    }
    old.try_for_each(|old| bpf::detach(dir.as_fd(), &old)).map_err(failed("bpf(BPF_PROG_DETACH)"))
}
