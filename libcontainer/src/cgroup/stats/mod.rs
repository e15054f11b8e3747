//! What the processes of a container use and have used, as their cgroups count it.
//!
//! v1 and v2 are read into the same data. On a hybrid host each figure comes from the hierarchy that has its controller.

mod read;
mod types;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use super::CgroupError;
use super::dir::Dir;

pub use types::{
    Cpu, CpuUsage, Cpuset, HugePages, Io, IoEntry, Memory, MemoryUse, Pids, Pressure, Stall, Stats,
    Throttling,
};

/// Reads the statistics of a container's cgroups. What is not counted on this host, or not any more, is zero or absent.
///
/// # Errors
/// Files that cannot be read, or that do not hold what the kernel documents.
pub fn stats(dirs: &[PathBuf]) -> Result<Stats, CgroupError> {
    let sources = Sources::open(dirs)?;
    Ok(Stats {
        cpu: Cpu {
            usage: sources.figures(v1::cpu_usage, v2::cpu_usage)?,
            throttling: sources.figures(v1::throttling, v2::throttling)?,
            pressure: sources.pressure("cpuacct.usage", "cpu.pressure")?,
        },
        cpuset: sources.figures(v1::cpuset, |_| Ok(Cpuset::default()))?,
        memory: Memory {
            pressure: sources.pressure("memory.usage_in_bytes", "memory.pressure")?,
            ..sources.figures(v1::memory, v2::memory)?
        },
        pids: sources.figures(v1::pids, v2::pids)?,
        io: Io {
            pressure: sources.pressure("blkio.throttle.io_serviced", "io.pressure")?,
            ..sources.figures(v1::io, v2::io)?
        },
        huge_pages: sources.figures(v1::huge_pages, v2::huge_pages)?,
    })
}

/// The cgroups that still exist.
struct Sources {
    v1: Vec<Dir>,
    unified: Option<Dir>,
}

impl Sources {
    fn open(dirs: &[PathBuf]) -> Result<Self, CgroupError> {
        let mut sources = Self { v1: Vec::with_capacity(dirs.len()), unified: None };
        for path in dirs {
            match Dir::open_if_exists(path)? {
                Some(dir) if dir.is_unified()? => sources.unified = Some(dir),
                Some(dir) => sources.v1.push(dir),
                None => {}
            }
        }
        Ok(sources)
    }

    /// The figures of the first v1 cgroup that has them, or else those of the unified one.
    fn figures<T: Default>(
        &self,
        v1: impl Fn(&Dir) -> Result<Option<T>, CgroupError>,
        v2: impl Fn(&Dir) -> Result<T, CgroupError>,
    ) -> Result<T, CgroupError> {
        for dir in &self.v1 {
            if let Some(figures) = v1(dir)? {
                return Ok(figures);
            }
        }
        self.unified.as_ref().map_or_else(|| Ok(T::default()), v2)
    }

    /// The unified hierarchy's pressure on a resource, unless its controller is a v1 one, known by a file.
    fn pressure(&self, v1_file: &str, file: &str) -> Result<Option<Pressure>, CgroupError> {
        self.figures(|dir| Ok(read::text(dir, v1_file)?.map(|_| None)), |dir| v2::pressure(dir, file))
    }
}
