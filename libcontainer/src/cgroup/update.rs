//! Changing the limits of a container that exists.

use std::path::PathBuf;

use super::create::enable;
use super::limits::{Bound, Limits, pointer};
use super::systemd::{self, Unit};
use super::writes::Ignored;
use super::{CgroupError, Cgroups, Placement, Want, Write, detect, devices, place, writes};

/// What v1 reads back where memory is not limited: the largest number of pages, of whatever size, in bytes.
const V1_UNLIMITED: u64 = i64::MAX.cast_unsigned() & !0xffff;

/// Changes the limits of a container, and its device rules if there are any among them; what is not set stays as it
/// is. `dirs` are the container's cgroups, `unit` is what systemd has made of it. A frozen container stays frozen.
///
/// Everything that can be found out without changing anything is found out first.
///
/// # Errors
/// As of [`writes`](writes()), and a write that the kernel refuses: [`CgroupError::Partly`] if others came before it.
pub fn update(dirs: &[PathBuf], unit: Option<&Unit>, mut limits: Limits) -> Result<(), CgroupError> {
    let host = detect(Want { controllers: true, own: false })?;
    let (layout, placement) = place::existing(host, dirs);
    let cgroups = Cgroups::open(&placement)?;
    let completed = complete(&mut limits, &cgroups)?;
    if unit.is_some() {
        limits = systemd::rounded(&limits);
    }
    let mut writes = writes(&limits, &layout)?;
    for Ignored { pointer, reason } in &writes.ignored {
        tracing::warn!("{pointer}: {reason}");
    }
    completed.iter().for_each(|completed| completed.blame(&mut writes.early));
    let rules = match limits.devices.is_empty() {
        true => None,
        false => Some(devices(&limits.devices, &layout)?),
    };
    if let Some(unit) = unit {
        systemd::update(unit, &limits, &layout)?;
    }
    enable_needed(&placement, &cgroups, &writes.controllers(&layout).needed)?;
    let all: Vec<_> = writes.early.into_iter().chain(writes.late).collect();
    cgroups.change(&all)?;
    match rules {
        Some(rules) => cgroups.replace_devices(&rules).map_err(|error| error.after(&all)),
        None => Ok(()),
    }
}

/// A container may have been made by somebody who enabled less than is limited now.
fn enable_needed(placement: &Placement, cgroups: &Cgroups, needed: &[String]) -> Result<(), CgroupError> {
    let unified = placement.groups.iter().find(|group| group.unified);
    match unified.zip(cgroups.unified_dir()) {
        Some((group, dir)) => {
            enable(group, dir, &super::Controllers { needed: needed.to_vec(), offered: Vec::new() })
        }
        None => Ok(()),
    }
}

/// A value that nobody gave, taken from what is in force, and the value that it goes with: both are JSON pointers.
#[derive(Debug, PartialEq, Eq)]
struct Completed {
    found: &'static str,
    given: &'static str,
}

impl Completed {
    /// Has an error name the value that was given.
    fn blame(&self, writes: &mut [Write]) {
        let found = writes.iter_mut().filter(|write| write.pointer == self.found);
        found.for_each(|write| write.pointer = self.given.to_owned());
    }
}

/// Adds what is in force to limits that mean something only together with it.
fn complete(limits: &mut Limits, cgroups: &Cgroups) -> Result<Vec<Completed>, CgroupError> {
    let mut completed: Vec<_> = complete_memory(limits, cgroups)?.into_iter().collect();
    let cpu = &mut limits.cpu;
    if cpu.quota.is_some() != cpu.period.is_some()
        && let Some(text) = cgroups.read_v2("cpu.max")?
    {
        let mut words = text.split_whitespace();
        let (quota, period) = (words.next().and_then(bound), words.next().and_then(|word| word.parse().ok()));
        if cpu.quota.is_none() {
            completed.push(Completed { found: pointer::CPU_QUOTA, given: pointer::CPU_PERIOD });
        }
        cpu.quota = cpu.quota.or(quota);
        cpu.period = cpu.period.or(period);
    }
    Ok(completed)
}

/// `swap` is memory and swap together: alone it needs the limit of memory, and v2, which has a limit of swap alone,
/// has to change that with the limit of memory for the sum to stay.
fn complete_memory(limits: &mut Limits, cgroups: &Cgroups) -> Result<Option<Completed>, CgroupError> {
    let memory = &mut limits.memory;
    let current = |file| Ok::<_, CgroupError>(cgroups.read_v2(file)?.as_deref().and_then(bound));
    match (memory.limit, memory.swap) {
        (None, Some(Bound::At(_))) => {
            let v1 = || Ok(cgroups.read_v1("memory.limit_in_bytes")?.as_deref().and_then(v1_bound));
            memory.limit = match current("memory.max")? {
                Some(limit) => Some(limit),
                None => v1()?,
            };
            Ok(Some(Completed { found: pointer::MEMORY_LIMIT, given: pointer::MEMORY_SWAP }))
        }
        (Some(Bound::At(wanted)), None) => {
            let (Some(Bound::At(limit)), Some(Bound::At(swap))) =
                (current("memory.max")?, current("memory.swap.max")?)
            else {
                return Ok(None);
            };
            let sum = limit.saturating_add(swap);
            if wanted > sum {
                let reason =
                    format!("is more than memory and swap together, {sum}; raise that limit as well");
                return Err(CgroupError::invalid(pointer::MEMORY_LIMIT, wanted, reason));
            }
            memory.swap = Some(Bound::At(sum));
            Ok(Some(Completed { found: pointer::MEMORY_SWAP, given: pointer::MEMORY_LIMIT }))
        }
        _ => Ok(None),
    }
}

fn bound(word: &str) -> Option<Bound> {
    match word.trim() {
        "max" => Some(Bound::Max),
        number => number.parse().ok().map(Bound::At),
    }
}

fn v1_bound(text: &str) -> Option<Bound> {
    let bytes: u64 = text.trim().parse().ok()?;
    Some(if bytes >= V1_UNLIMITED { Bound::Max } else { Bound::At(bytes) })
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
