//! Resources: limits, changes of limits, and what happens at the limit.

use super::Check;
use super::engine::{Engine, IMAGE, contains, same};
use super::systemd::Cgroups;
use crate::xtask::Result;

pub(super) const CHECKS: &[Check<Engine>] = &[
    Check { name: "limits: memory, processes, processors", run: limits },
    Check { name: "update: a running container", run: update },
    Check { name: "limits: out of memory", run: out_of_memory },
    Check { name: "limits: out of processes", run: out_of_processes },
    Check { name: "devices: one more, read only", run: devices },
    Check { name: "ulimits, sysctls, OOM score", run: process_limits },
];

/// Prints the container's limits, whichever version its cgroups have.
const LIMITS: &str = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>/dev/null; \
    cat pids/pids.max pids.max 2>/dev/null; cat cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 cpu.max; \
    cat cpuset/cpuset.cpus cpuset.cpus 2>/dev/null; true";

fn limits(engine: &Engine) -> Result<()> {
    let flags = ["--memory", "64m", "--pids-limit", "50", "--cpus", "0.5", "--cpuset-cpus", "0"];
    same("limits", &engine.script(&flags, LIMITS)?, "67108864\n50\n50000\n0")
}

fn update(engine: &Engine) -> Result<()> {
    let name = engine.start(&[
        "--memory",
        "64m",
        "--pids-limit",
        "50",
        "--cpu-quota",
        "50000",
        "--cpuset-cpus",
        "0",
    ])?;
    let change = ["--memory", "96m", "--memory-swap", "192m", "--cpu-quota", "70000", "--cpuset-cpus", "0-1"];
    engine.ok(&[&["update"], &change[..], &[&name]].concat())?;
    let now = engine.ok(&["exec", &name, "sh", "-c", LIMITS])?;
    same("limits", &now, "100663296\n50\n70000\n0-1")?;
    engine.remove(&name)
}

fn out_of_memory(engine: &Engine) -> Result<()> {
    let name = engine.name();
    let flags = ["--memory", "16m", "--memory-swap", "16m", "--name", &name];
    engine.run_code(137, &[&flags[..], &[IMAGE, "tail", "/dev/zero"]].concat())?;
    // systemd removes the cgroup of a container that has ended, often before Docker's shim has looked into it.
    if engine.is("docker") && engine.stage.cgroups() == Cgroups::Direct {
        engine.wait_for(&name, ".State.OOMKilled", "true")?;
    }
    engine.remove(&name)
}

fn out_of_processes(engine: &Engine) -> Result<()> {
    let script = "for i in 1 2 3 4 5 6 7 8; do sleep 60 & done 2>&1; true";
    let output = engine.run_code(2, &["--rm", "--pids-limit", "5", IMAGE, "sh", "-c", script])?;
    contains("the shell's complaint", &format!("{}{}", output.stdout, output.stderr), "can't fork")
}

fn devices(engine: &Engine) -> Result<()> {
    let script = ": </dev/more && echo read; ( : >/dev/more ) 2>/dev/null && echo written; true";
    same("device", &engine.script(&["--device", "/dev/fuse:/dev/more:r"], script)?, "read")
}

fn process_limits(engine: &Engine) -> Result<()> {
    // Podman asks for more processes than this one may give, unless told otherwise.
    let flags = [
        "--ulimit",
        "nofile=100:200",
        "--ulimit",
        "nproc=1000:1000",
        "--sysctl",
        "net.ipv4.ip_forward=1",
        "--oom-score-adj",
        "300",
    ];
    let script = "ulimit -Sn; ulimit -Hn; cat /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj";
    same("limits", &engine.script(&flags, script)?, "100\n200\n1\n300")
}
