//! What limits cost: the container that ends at once, with as many of them as each kind of host can set.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::arena::{Arena, Programs};
use super::contender::Contender;
use super::numbers::Stats;
use super::rounds;
use crate::xtask::Result;

/// What was measured for one contender on one kind of host.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Limits {
    /// `v2` or `v1`.
    pub(super) host: &'static str,
    /// The contender's name.
    pub(super) name: &'static str,
    /// `run` in milliseconds.
    pub(super) run: Stats,
}

/// Measures every runtime on cgroup v2 alone, and then on v1 alone if this host has it; the arena is on v1 then.
pub(super) fn measure(
    arena: &Arena,
    programs: &Programs,
    runtimes: &[Contender],
    runs: usize,
) -> Result<Vec<Limits>> {
    let mut all = Vec::new();
    let offered = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    all.extend(on_host(arena, programs, runtimes, runs, "v2", &offered)?);
    let v1 = arena.change_to_v1()?;
    if v1.is_empty() {
        eprintln!("limits are not measured on v1: this host has no controllers there");
        return Ok(all);
    }
    all.extend(on_host(arena, programs, runtimes, runs, "v1", &v1.join(" "))?);
    Ok(all)
}

fn on_host(
    arena: &Arena,
    programs: &Programs,
    runtimes: &[Contender],
    runs: usize,
    host: &'static str,
    controllers: &str,
) -> Result<Vec<Limits>> {
    let resources = resources(controllers);
    if resources.is_empty() {
        eprintln!("limits are not measured on {host}: it has none of the usual controllers");
        return Ok(Vec::new());
    }
    let bundle = make_bundle(arena, programs, host, resources)?;
    let able = rounds::able(runtimes, &format!("the limits on {host}"), |runtime, id| {
        rounds::rehearse_command(runtime.run_in(arena, &bundle, id))
    })?;
    let samples = rounds::measure(arena, &able, runs, |runtime, id| {
        rounds::timed(&mut runtime.run_in(arena, &bundle, id))
    })?;
    let row = |(runtime, samples): (&Contender, &Vec<_>)| {
        Some(Limits { host, name: runtime.name, run: Stats::of(samples)? })
    };
    Ok(able.iter().zip(&samples).filter_map(row).collect())
}

/// What clients limit as a rule, as far as there are controllers for it.
fn resources(controllers: &str) -> Map<String, Value> {
    let usual = [
        ("memory", "memory", json!({ "limit": 64 << 20, "reservation": 32 << 20 })),
        ("cpu", "cpu", json!({ "shares": 512, "quota": 50_000, "period": 100_000 })),
        ("pids", "pids", json!({ "limit": 100 })),
        ("hugetlb", "hugepageLimits", json!([{ "pageSize": "2MB", "limit": 4 << 20 }])),
    ];
    let has = |name: &str| controllers.split_whitespace().any(|controller| controller == name);
    let able = usual.into_iter().filter(|(controller, ..)| has(controller));
    able.map(|(_, block, limits)| (block.to_owned(), limits)).collect()
}

fn make_bundle(
    arena: &Arena,
    programs: &Programs,
    host: &str,
    resources: Map<String, Value>,
) -> Result<PathBuf> {
    let bundle = arena.path(&format!("limits-{host}"));
    arena.make_bundle(&bundle, &programs.noop)?;
    arena.configure(&bundle, |config| {
        if let Some(limits) = config.pointer_mut("/linux/resources").and_then(Value::as_object_mut) {
            limits.extend(resources);
        }
        Ok(())
    })?;
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_controller_is_limited() {
        assert!(resources("misc rdma").is_empty());
        assert_eq!(Value::from(resources("cpuset pids")), json!({ "pids": { "limit": 100 } }));
    }
}
