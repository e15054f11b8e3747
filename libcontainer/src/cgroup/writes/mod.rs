//! The back end of [`Limits`] for the control files of v1 and v2, decided without asking the host.

mod v1;
mod v2;

use std::fmt::Display;

use super::limits::{Bound, Cpu, Cpuset, HugePages, Limits, Memory, Rdma, UnifiedFile, pointer};
use super::{CgroupError, Controllers, Layout};

/// What has to be written into a container's cgroups, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// What is written before the first process is placed.
    pub early: Vec<Write>,
    /// What is written once the first process is inside: a limit of processes counts, and refuses, the
    /// runtime's own clones into the cgroup too.
    pub late: Vec<Write>,
    /// What no cgroup of this host has, and every runtime therefore passes over.
    pub ignored: Vec<Ignored>,
}

/// A value without effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Its JSON pointer.
    pub pointer: &'static str,
    /// Why it has none.
    pub reason: &'static str,
}

/// One value for one control file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The control file; its name begins with that of its controller.
    pub file: String,
    /// What is written to it.
    pub value: String,
    /// JSON pointer of the configuration value that it comes from.
    pub pointer: String,
    /// What to do where there is no such file.
    pub missing: Missing,
    /// A file with the current usage, at which and above which the value is refused instead of written.
    pub usage: Option<&'static str>,
}

/// What to do about a control file that a kernel does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Fail.
    Refuse,
    /// Nothing: such a kernel does what the value says anyway.
    Skip,
    /// Write to another file, which says the same in other numbers.
    Instead {
        /// The other control file.
        file: String,
        /// The value for it.
        value: String,
    },
}

impl Write {
    pub(super) fn new(file: impl Into<String>, value: impl Display, pointer: impl Into<String>) -> Self {
        let (file, value, pointer) = (file.into(), value.to_string(), pointer.into());
        Self { file, value, pointer, missing: Missing::Refuse, usage: None }
    }

    fn or_skip(mut self) -> Self {
        self.missing = Missing::Skip;
        self
    }

    /// As [`Self::or_skip`] where a kernel without the file does what the value says.
    fn or_skip_if(self, same: bool) -> Self {
        if same { self.or_skip() } else { self }
    }

    fn or_instead(mut self, file: &str, value: impl Display) -> Self {
        self.missing = Missing::Instead { file: file.to_owned(), value: value.to_string() };
        self
    }

    /// The controller that the file belongs to; `cgroup` for the files of every cgroup.
    #[must_use]
    pub fn controller(&self) -> &str {
        self.file.split_once('.').map_or(self.file.as_str(), |(controller, _)| controller)
    }
}

impl Writes {
    /// Which controllers of the unified hierarchy the container's cgroup gets: those that are needed,
    /// and whatever else the host offers, since clients read statistics there.
    #[must_use]
    pub fn controllers(&self, layout: &Layout) -> Controllers {
        let in_v1 =
            |name: &str| layout.v1.iter().any(|hierarchy| hierarchy.controllers.iter().any(|of| of == name));
        let all = self.early.iter().chain(&self.late).map(Write::controller);
        let mut needed: Vec<_> =
            all.filter(|name| *name != "cgroup" && !in_v1(name)).map(str::to_owned).collect();
        needed.sort_unstable();
        needed.dedup();
        let offered = layout.v2.as_ref().and_then(|unified| unified.controllers.clone()).unwrap_or_default();
        Controllers { needed, offered }
    }
}

/// Spells limits in the words of a host's control files.
///
/// # Errors
/// Whatever the host's cgroups cannot express; each names the JSON pointer of the value.
pub fn writes(limits: &Limits, layout: &Layout) -> Result<Writes, CgroupError> {
    let host = Host { layout };
    let mut early = Vec::new();
    if let Some(pointer) = limits.memory.first() {
        limits.memory.check_swap()?;
        match host.version("memory", pointer)? {
            Version::V1 => v1::memory(&limits.memory, &mut early),
            Version::V2 => v2::memory(&limits.memory, &mut early)?,
        }
    }
    let ignored = kernel_memory(&limits.memory, &host, &mut early);
    if let Some(pointer) = limits.cpu.first() {
        match host.version("cpu", pointer)? {
            Version::V1 => v1::cpu(&limits.cpu, &mut early)?,
            Version::V2 => v2::cpu(&limits.cpu, &mut early)?,
        }
    }
    cpuset(&limits.cpuset, &host, &mut early)?;
    if let Some(pointer) = limits.block_io.first() {
        match host.block_io(pointer)? {
            Version::V1 => v1::block_io(&limits.block_io, &mut early),
            Version::V2 => v2::block_io(&limits.block_io, &mut early),
        }
    }
    if !limits.huge_pages.is_empty() {
        let suffix = match host.version("hugetlb", pointer::HUGE_PAGES)? {
            Version::V1 => "limit_in_bytes",
            Version::V2 => "max",
        };
        huge_pages(&limits.huge_pages, suffix, &mut early);
    }
    v1::network(&limits.network, &host, &mut early)?;
    for device in &limits.rdma {
        rdma(device, &host, &mut early)?;
    }
    let mut late = Vec::new();
    if let Some(limit) = limits.pids {
        host.version("pids", pointer::PIDS)?;
        late.push(Write::new("pids.max", limit, pointer::PIDS));
    }
    for file in &limits.unified {
        let counts_processes = file.name == "pids.max";
        unified(file, &host, if counts_processes { &mut late } else { &mut early })?;
    }
    Ok(Writes { early, late, ignored })
}

/// Kernels have lost the limit of their own memory; that of the buffers of TCP is left in v1.
fn kernel_memory(memory: &Memory, host: &Host<'_>, out: &mut Vec<Write>) -> Vec<Ignored> {
    let mut ignored = Vec::new();
    if memory.kernel {
        let reason = "ignored: kernels since 5.16 have no limit of kernel memory; memory/limit counts it";
        ignored.push(Ignored { pointer: pointer::MEMORY_KERNEL, reason });
    }
    match memory.kernel_tcp {
        Some(limit) if host.in_v1("memory") => v1::kernel_tcp(limit, out),
        Some(_) => {
            let reason = "ignored: cgroup v2 has no limit of TCP buffers; memory/limit counts them";
            ignored.push(Ignored { pointer: pointer::MEMORY_KERNEL_TCP, reason });
        }
        None => {}
    }
    ignored
}

/// Which generation of cgroups has a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// Where the controllers are.
struct Host<'l> {
    layout: &'l Layout,
}

impl Host<'_> {
    fn version(&self, controller: &str, pointer: &str) -> Result<Version, CgroupError> {
        match () {
            () if self.in_v1(controller) => Ok(Version::V1),
            () if self.in_v2(controller) => Ok(Version::V2),
            () => Err(absent(controller, pointer)),
        }
    }

    /// Block devices are the only ones whose controller has two names.
    fn block_io(&self, pointer: &str) -> Result<Version, CgroupError> {
        match () {
            () if self.in_v1("blkio") => Ok(Version::V1),
            () if self.in_v2("io") => Ok(Version::V2),
            () => Err(absent("io", pointer)),
        }
    }

    fn in_v1(&self, controller: &str) -> bool {
        let mut all = self.layout.v1.iter().flat_map(|hierarchy| &hierarchy.controllers);
        all.any(|name| name == controller)
    }

    /// Where it is not known what the unified hierarchy has, it may have everything.
    fn in_v2(&self, controller: &str) -> bool {
        let Some(unified) = &self.layout.v2 else { return false };
        unified.controllers.as_ref().is_none_or(|all| all.iter().any(|name| name == controller))
    }
}

fn absent(controller: &str, pointer: &str) -> CgroupError {
    let reason = format!("the {controller} controller is not available in the cgroups of this host");
    CgroupError::unsupported(pointer, reason)
}

/// Last of the controller's, since the kernel refuses a weight for a cgroup that is
/// idle already.
fn idle(cpu: &Cpu, out: &mut Vec<Write>) {
    if let Some(idle) = cpu.idle {
        out.push(Write::new("cpu.idle", u8::from(idle), pointer::CPU_IDLE).or_skip_if(!idle));
    }
}

fn cpuset(cpuset: &Cpuset, host: &Host<'_>, out: &mut Vec<Write>) -> Result<(), CgroupError> {
    let lists = [("cpuset.cpus", &cpuset.cpus, pointer::CPUS), ("cpuset.mems", &cpuset.mems, pointer::MEMS)];
    for (file, list, pointer) in lists {
        if let Some(list) = list {
            host.version("cpuset", pointer)?;
            out.push(Write::new(file, list, pointer));
        }
    }
    Ok(())
}

/// Pages in use as well as those that are reserved, which kernels count since 5.7.
fn huge_pages(limits: &[HugePages], suffix: &str, out: &mut Vec<Write>) {
    for (index, HugePages { size, limit }) in limits.iter().enumerate() {
        let pointer = format!("{}/{index}/limit", pointer::HUGE_PAGES);
        out.push(Write::new(format!("hugetlb.{size}.{suffix}"), limit, &pointer));
        out.push(Write::new(format!("hugetlb.{size}.rsvd.{suffix}"), limit, pointer));
    }
}

fn rdma(limit: &Rdma, host: &Host<'_>, out: &mut Vec<Write>) -> Result<(), CgroupError> {
    let bounds = [("hca_handle", limit.handles), ("hca_object", limit.objects)];
    let bounds: Vec<_> =
        bounds.iter().filter_map(|(key, bound)| bound.map(|bound| format!(" {key}={bound}"))).collect();
    if !bounds.is_empty() {
        let pointer = pointer::rdma(&limit.device);
        host.version("rdma", &pointer)?;
        out.push(Write::new("rdma.max", format!("{}{}", limit.device, bounds.concat()), pointer));
    }
    Ok(())
}

fn unified(file: &UnifiedFile, host: &Host<'_>, out: &mut Vec<Write>) -> Result<(), CgroupError> {
    let pointer = pointer::unified(&file.name);
    if host.layout.v2.is_none() {
        return Err(CgroupError::unsupported(pointer, "this host has no cgroup v2"));
    }
    let lines = file.value.lines().map(str::trim).filter(|line| !line.is_empty());
    let writes: Vec<_> = lines.map(|line| Write::new(&file.name, line, &pointer)).collect();
    let controller = writes.first().map_or("cgroup", Write::controller);
    if host.in_v1(controller) || controller != "cgroup" && !host.in_v2(controller) {
        let reason = format!("the {controller} controller is not available in cgroup v2 of this host");
        return Err(CgroupError::unsupported(pointer, reason));
    }
    out.extend(writes);
    Ok(())
}

/// The words of v1 for a number or none.
fn or_minus_one(bound: Bound) -> String {
    match bound {
        Bound::Max => "-1".to_owned(),
        Bound::At(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
