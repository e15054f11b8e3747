//! What pods and their containers must do.

use std::fs;

use serde_json::{Value, json};

use super::{Cri, code, start, text};
use crate::clients::Check;
use crate::clients::engine::{contains, expect, same};
use crate::clients::stage::wait_until;
use crate::clients::systemd;
use crate::xtask::{Error, Result};

pub(super) const CHECKS: &[Check<Cri>] = &[
    Check { name: "a container through its life", run: life },
    Check { name: "exec: streams, code, time limit", run: exec },
    Check { name: "stats, changed limits", run: resources },
    Check { name: "two containers of a pod", run: pod },
    Check { name: "a missing program", run: missing },
    Check { name: "user, capabilities, read-only root, hidden paths", run: security },
    Check { name: "privileged", run: privileged },
    Check { name: "mounts", run: mounts },
    Check { name: "out of memory", run: out_of_memory },
    Check { name: "the daemon is killed and started again", run: daemon_killed },
];

pub(super) const ON_SYSTEMD: &[Check<Cri>] = &[Check { name: "systemd: a scope while it lives", run: scope }];

fn scope(cri: &Cri) -> Result<()> {
    let pod = cri.pod()?;
    let id = cri.start(&pod, "first", &json!({}))?;
    let status = cri.call("ContainerStatus", &json!({ "container_id": id, "verbose": true }))?;
    let info: Value = serde_json::from_str(&text(&status, "/info/info")?)
        .map_err(Error::io("containerd's information is not JSON"))?;
    let pid = info.pointer("/pid").map(Value::to_string).unwrap_or_default();
    let unit = systemd::scope(&cri.stage, &pid)?;
    same("unit", &unit, &format!("cri-containerd-{id}.scope"))?;
    cri.remove(&pod.id)?;
    systemd::is_gone(&cri.stage, &unit)
}

fn life(cri: &Cri) -> Result<()> {
    let pod = cri.pod()?;
    let status = cri.call("PodSandboxStatus", &json!({ "pod_sandbox_id": pod.id }))?;
    same("pod", &text(&status, "/status/state")?, "SANDBOX_READY")?;
    same("handler", &text(&status, "/status/runtime_handler")?, cri.runtime.name)?;
    let script = "trap 'exit 3' TERM; echo out; echo err >&2; while :; do sleep 0.1; done";
    let id = cri.create(&pod, "first", script, &json!({}))?;
    let container = json!({ "container_id": id });
    same("created", &text(&cri.status(&id)?, "/state")?, "CONTAINER_CREATED")?;
    cri.call("StartContainer", &container)?;
    same("started", &text(&cri.status(&id)?, "/state")?, "CONTAINER_RUNNING")?;
    same("list", &cri.list("ListContainers", "/containers")?.join(" "), &id)?;
    wait_until("the log is written", || {
        let log = cri.log(&pod, "first")?;
        Ok(log.contains("stdout F out") && log.contains("stderr F err"))
    })?;
    cri.stop(&id)?;
    cri.call("RemoveContainer", &container)?;
    contains("error", &cri.error("ContainerStatus", &container)?, "NOT_FOUND")?;
    cri.remove(&pod.id)
}

fn exec(cri: &Cri) -> Result<()> {
    let pod = cri.pod()?;
    let id = cri.start(&pod, "first", &json!({}))?;
    let answer = cri.exec(&id, "echo out; echo err >&2; exit 5")?;
    same("stdout", &text(&answer, "/stdout")?, "out\n")?;
    same("stderr", &text(&answer, "/stderr")?, "err\n")?;
    code(&answer, "5")?;
    let request = |program: &str| json!({ "container_id": id, "cmd": [program, "1000"], "timeout": 1 });
    contains("error", &cri.error("ExecSync", &request("/bin/sleep"))?, "DEADLINE_EXCEEDED")?;
    same("what is left of it", &cri.script(&id, "ps | grep -c '[s]leep 1000' || true")?, "0")?;
    contains("error", &cri.error("ExecSync", &request("/missing"))?, "no such file or directory")?;
    cri.remove(&pod.id)
}

const LIMITS: &str = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>/dev/null; \
    cat cpu/cpu.shares 2>/dev/null || cat cpu.weight";

fn resources(cri: &Cri) -> Result<()> {
    let pod = cri.pod()?;
    let limits = json!({ "cpu_shares": 512, "memory_limit_in_bytes": 64 << 20 });
    let id = cri.start(&pod, "first", &json!({ "linux": { "resources": limits } }))?;
    let before = cri.script(&id, LIMITS)?;
    contains("limits", &before, "67108864")?;
    let limits = json!({ "cpu_shares": 2048, "memory_limit_in_bytes": 96 << 20 });
    cri.call("UpdateContainerResources", &json!({ "container_id": id, "linux": limits }))?;
    let after = cri.script(&id, LIMITS)?;
    contains("limits", &after, "100663296")?;
    if before.lines().last() == after.lines().last() {
        return Err(Error::NotMet(format!("the weight of processors stays: {after}")));
    }
    wait_until("there are stats", || {
        let stats = cri.call("ContainerStats", &json!({ "container_id": id }))?;
        let is_some =
            |pointer| stats.pointer(pointer).and_then(Value::as_str).is_some_and(|value| value != "0");
        let cpu = is_some("/stats/cpu/usage_core_nano_seconds/value");
        Ok(cpu && is_some("/stats/memory/working_set_bytes/value"))
    })?;
    cri.remove(&pod.id)
}

/// Containers of a pod share what the pod has, its processes too if it says so, and each has files of its own.
fn pod(cri: &Cri) -> Result<()> {
    let pod = cri.pod_with(&json!({ "namespace_options": { "pid": "POD" } }))?;
    let one = cri.start(&pod, "first", &json!({}))?;
    let two = cri.start(&pod, "second", &json!({}))?;
    let of = |id: &str, kind: &str| cri.script(id, &format!("readlink /proc/self/ns/{kind}"));
    for kind in ["ipc", "net", "pid", "uts"] {
        same(kind, &of(&one, kind)?, &of(&two, kind)?)?;
    }
    same("first process", &cri.script(&one, "cat /proc/1/comm")?, "sleep")?;
    cri.script(&one, "echo shared >/dev/shm/file; echo own >/tmp/file")?;
    same("files", &cri.script(&two, "cat /dev/shm/file; ls /tmp")?, "shared")?;
    cri.stop(&one)?;
    same("the other", &text(&cri.status(&two)?, "/state")?, "CONTAINER_RUNNING")?;
    cri.remove(&pod.id)
}

fn missing(cri: &Cri) -> Result<()> {
    let pod = cri.pod()?;
    let id = cri.create(&pod, "first", "", &json!({ "command": ["/missing"] }))?;
    let error = cri.error("StartContainer", &json!({ "container_id": id }))?;
    contains("error", &error, "/missing")?;
    contains("error", &error, "no such file or directory")?;
    let status = cri.status(&id)?;
    same("state", &text(&status, "/state")?, "CONTAINER_EXITED")?;
    same("reason", &text(&status, "/reason")?, "StartError")?;
    cri.remove(&pod.id)
}

fn security(cri: &Cri) -> Result<()> {
    let pod = cri.pod()?;
    let context = json!({
        "run_as_user": { "value": 1000 }, "supplemental_groups": [29], "readonly_rootfs": true,
        "capabilities": { "drop_capabilities": ["ALL"] }, "no_new_privs": true,
        "masked_paths": ["/proc/version"], "readonly_paths": ["/proc/sys"],
        "seccomp": { "profile_type": "RuntimeDefault" },
    });
    let id = cri.start(&pod, "first", &json!({ "linux": { "security_context": context } }))?;
    same("user", &cri.script(&id, "id -u; id -G")?, "1000\n1000 29")?;
    let status = "grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/1/status | tr -d '\\t'";
    let expected = "CapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\nSeccomp:2";
    same("status", &cri.script(&id, status)?, expected)?;
    let hidden = "touch /file 2>/dev/null || echo read-only; cat /proc/version; stat -c %t:%T /proc/version";
    same("files", &cri.script(&id, hidden)?, "read-only\n1:3")?;
    cri.remove(&pod.id)
}

fn privileged(cri: &Cri) -> Result<()> {
    let context = json!({ "privileged": true });
    let pod = cri.pod_with(&context)?;
    let id = cri.start(&pod, "first", &json!({ "linux": { "security_context": context } }))?;
    let script = "grep Seccomp: /proc/1/status | tr -d '\\t'; mount -t tmpfs none /tmp && echo mounted";
    same("rights", &cri.script(&id, script)?, "Seccomp:0\nmounted")?;
    cri.remove(&pod.id)
}

fn mounts(cri: &Cri) -> Result<()> {
    let source = cri.stage.folder().join(format!("volume-{}", cri.runtime.name));
    fs::create_dir_all(&source).map_err(Error::io("cannot make a folder"))?;
    fs::write(source.join("file"), "kept").map_err(Error::io("cannot write a file"))?;
    let mount = |path: &str, readonly: bool| json!({ "container_path": path, "host_path": source, "readonly": readonly });
    let pod = cri.pod()?;
    let mounts = json!({ "mounts": [mount("/volume", true), mount("/other", false)] });
    let id = cri.start(&pod, "first", &mounts)?;
    let script = "touch /volume/no 2>/dev/null && echo written; echo ' too' >>/other/file; cat /volume/file";
    same("file", &cri.script(&id, script)?, "kept too")?;
    cri.remove(&pod.id)
}

fn out_of_memory(cri: &Cri) -> Result<()> {
    let pod = cri.pod()?;
    let limits = json!({ "linux": { "resources": { "memory_limit_in_bytes": 16 << 20 } } });
    let id = cri.create(&pod, "first", "exec tail /dev/zero", &limits)?;
    cri.call("StartContainer", &json!({ "container_id": id }))?;
    cri.wait_for(&id, "CONTAINER_EXITED")?;
    let status = cri.status(&id)?;
    code(&status, "137")?;
    same("reason", &text(&status, "/reason")?, "OOMKilled")?;
    cri.remove(&pod.id)
}

fn daemon_killed(cri: &Cri) -> Result<()> {
    let pod = cri.pod()?;
    let id = cri.start(&pod, "first", &json!({}))?;
    let kill = "pid=$(pgrep -x containerd); kill -KILL $pid; while [ -e /proc/$pid/exe ]; do sleep 0.1; done";
    expect(0, cri.stage.run(&["sh", "-c", kill], "")?)?;
    start(&cri.stage)?;
    cri.wait_for(&id, "CONTAINER_RUNNING")?;
    same("exec", &cri.script(&id, "echo here")?, "here")?;
    cri.stop(&id)?;
    cri.remove(&pod.id)
}
