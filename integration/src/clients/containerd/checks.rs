//! What `ctr` must do.

use std::fs::{self, File};
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Ctr, start};
use crate::clients::Check;
use crate::clients::engine::{contains, expect, same};
use crate::clients::stage::wait_until;
use crate::clients::systemd;
use crate::xtask::{Error, Result};

pub(super) const CHECKS: &[Check<Ctr>] = &[
    Check { name: "run: streams and exit code", run },
    Check { name: "run: stdin", run: run_stdin },
    Check { name: "run: terminal", run: run_terminal },
    Check { name: "run: a missing program", run: run_missing },
    Check { name: "run: six at once", run: run_many },
    Check { name: "exec: streams and exit code", run: exec },
    Check { name: "exec: terminal", run: exec_terminal },
    Check { name: "exec: six at once", run: exec_many },
    Check { name: "kill: one signal, all processes", run: kill },
    Check { name: "pause, resume", run: pause },
    Check { name: "ps, metrics", run: metrics },
    Check { name: "events", run: events },
    Check { name: "limits: memory, processors", run: limits },
    Check { name: "limits: out of memory", run: out_of_memory },
    Check { name: "read-only root, mounts", run: read_only },
    Check { name: "user namespace", run: user_namespace },
    Check { name: "seccomp, privileged", run: security },
    Check { name: "without pivot_root", run: no_pivot },
    Check { name: "created, then deleted", run: created },
    Check { name: "the shim is killed", run: shim_killed },
    Check { name: "the daemon is killed and started again", run: daemon_killed },
];

pub(super) const ON_SYSTEMD: &[Check<Ctr>] = &[Check { name: "systemd: a scope while it lives", run: scope }];

fn run(ctr: &Ctr) -> Result<()> {
    let output = expect(7, ctr.run(&[], "echo out; echo err >&2; exit 7", "")?)?;
    same("stdout", &output.stdout, "out\n")?;
    contains("stderr", &output.stderr, "err\n")
}

/// `ctr` may lose the end of its input, so nothing waits for that.
fn run_stdin(ctr: &Ctr) -> Result<()> {
    let output = expect(0, ctr.run(&[], "read line; echo \"got $line\"", "a line\n")?)?;
    same("stdout", output.stdout.trim(), "got a line")
}

/// Runs the words on a terminal, which `script` makes.
fn on_terminal(ctr: &Ctr, words: &[&str]) -> Result<String> {
    let output = ctr.stage.run(&["script", "-qec", &words.join(" "), "/dev/null"], "")?;
    Ok(expect(0, output)?.stdout)
}

fn run_terminal(ctr: &Ctr) -> Result<()> {
    let words = ctr.run_words(&["--rm", "--tty"], &ctr.name(), "tty");
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    contains("terminal", &on_terminal(ctr, &words)?, "/dev/pts/0")
}

fn run_missing(ctr: &Ctr) -> Result<()> {
    let name = ctr.name();
    let mut words = ctr.run_words(&["--rm"], &name, "true");
    words.iter_mut().filter(|word| *word == "/bin/sh").for_each(|word| *word = "/missing".to_owned());
    let output = ctr.stage.run(&words.iter().map(String::as_str).collect::<Vec<_>>(), "")?;
    contains("error", &expect(1, output)?.stderr, "no such file or directory")
}

/// Runs the same words so many times beside each other; `$i` in them counts, and each must end with that code.
fn at_once(ctr: &Ctr, words: &[&str]) -> Result<()> {
    let script = format!(
        "for i in 1 2 3 4 5 6; do {{ {}; [ $? = $i ] && echo right; }} & done; wait",
        words.join(" ")
    );
    let output = expect(0, ctr.stage.run(&["sh", "-c", &script], "")?)?;
    let right = output.stdout.lines().filter(|line| *line == "right").count();
    if right == 6 { Ok(()) } else { Err(output.wrong(&format!("{right} of 6 had the right code"))) }
}

fn run_many(ctr: &Ctr) -> Result<()> {
    let words = ctr.run_words(&["--rm"], &format!("{}-$i", ctr.name()), "\"exit $i\"");
    at_once(ctr, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn exec(ctr: &Ctr) -> Result<()> {
    let name = ctr.start(&[])?;
    let run = |script: &str, input: &str| ctr.stage.run(&ctr.exec_words(&name, "one", script), input);
    let output = expect(5, run("echo out; echo err >&2; exit 5", "")?)?;
    same("stdout", &output.stdout, "out\n")?;
    contains("stderr", &output.stderr, "err\n")?;
    same("stdin", &expect(0, run("read line; echo $line", "from stdin\n")?)?.stdout, "from stdin\n")?;
    let missing = ctr.stage.run(&["ctr", "tasks", "exec", "--exec-id", "two", &name, "/missing"], "")?;
    contains("error", &expect(1, missing)?.stderr, "no such file or directory")?;
    ctr.remove(&name)
}

fn exec_terminal(ctr: &Ctr) -> Result<()> {
    let name = ctr.start(&[])?;
    let words = ["ctr", "tasks", "exec", "--tty", "--exec-id", "one", &name, "/bin/tty"];
    contains("terminal", &on_terminal(ctr, &words)?, "/dev/pts/0")?;
    ctr.remove(&name)
}

fn exec_many(ctr: &Ctr) -> Result<()> {
    let name = ctr.start(&[])?;
    at_once(ctr, &ctr.exec_words(&name, "exec-$i", "\"exit $i\""))?;
    ctr.remove(&name)
}

fn kill(ctr: &Ctr) -> Result<()> {
    let name = ctr.start(&[])?;
    ctr.ok(&["tasks", "exec", "--detach", "--exec-id", "one", &name, "/bin/sleep", "1000"])?;
    // The first process of a pid namespace ignores what it does not catch; the other ends.
    ctr.ok(&["tasks", "kill", "--signal", "SIGTERM", "--exec-id", "one", &name])?;
    wait_until("one process is left", || Ok(ctr.ok(&["tasks", "ps", &name])?.lines().count() == 2))?;
    same("status", &ctr.status(&name)?, "RUNNING")?;
    ctr.ok(&["tasks", "kill", "--all", "--signal", "SIGKILL", &name])?;
    ctr.wait_for(&name, "STOPPED")?;
    ctr.ok(&["tasks", "delete", &name])?;
    ctr.remove(&name)
}

fn pause(ctr: &Ctr) -> Result<()> {
    let name = ctr.start(&[])?;
    ctr.ok(&["tasks", "pause", &name])?;
    same("status", &ctr.status(&name)?, "PAUSED")?;
    ctr.code(1, &["tasks", "exec", "--exec-id", "one", &name, "/bin/true"])?;
    ctr.ok(&["tasks", "resume", &name])?;
    same("status", &ctr.status(&name)?, "RUNNING")?;
    ctr.ok(&["tasks", "exec", "--exec-id", "two", &name, "/bin/true"])?;
    ctr.remove(&name)
}

fn metrics(ctr: &Ctr) -> Result<()> {
    let name = ctr.start(&["--memory-limit", "67108864"])?;
    let pid = ctr.ok(&["tasks", "ps", &name])?;
    same("lines of processes", &pid.lines().count().to_string(), "2")?;
    contains("metrics", &ctr.ok(&["tasks", "metrics", &name])?, "67108864")?;
    ctr.remove(&name)
}

fn events(ctr: &Ctr) -> Result<()> {
    let path = ctr.stage.folder().join(ctr.name());
    let output = File::create(&path).map_err(Error::io("cannot create a file"))?;
    let mut watcher = ctr.stage.enter("ctr");
    let watcher = watcher.arg("events").stdin(Stdio::null()).stdout(output).spawn();
    let mut watcher = watcher.map_err(Error::io("cannot start ctr"))?;
    let result = wait_until("the events are there", || {
        // Until the watcher has subscribed, it misses what happens.
        let name = ctr.name();
        let words = ctr.run_words(&["--rm"], &name, "true");
        expect(0, ctr.stage.run(&words.iter().map(String::as_str).collect::<Vec<_>>(), "")?)?;
        let seen = fs::read_to_string(&path).map_err(Error::io("cannot read a file"))?;
        let seen = |topic: &str| seen.lines().any(|line| line.contains(topic) && line.contains(&name));
        Ok(["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"].into_iter().all(seen))
    });
    // nsenter passes the signal on to nobody.
    expect(0, ctr.stage.run(&["pkill", "-x", "ctr"], "")?)?;
    watcher.wait().map_err(Error::io("cannot wait for ctr"))?;
    result
}

const LIMITS: &str = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>/dev/null; \
    cat cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 cpu.max";

fn limits(ctr: &Ctr) -> Result<()> {
    let mount = ["--mount", "type=cgroup,src=cgroup,dst=/sys/fs/cgroup,options=ro"];
    let flags = [&["--memory-limit", "67108864", "--cpus", "0.5"], &mount[..]].concat();
    same("limits", &ctr.script(&flags, LIMITS)?, "67108864\n50000")
}

fn scope(ctr: &Ctr) -> Result<()> {
    let name = ctr.start(&["--memory-limit", "67108864"])?;
    let processes = ctr.ok(&["tasks", "ps", &name])?;
    let pid = processes.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    let unit = systemd::scope(&ctr.stage, pid)?;
    same("unit", &unit, &format!("ctr-{name}.scope"))?;
    systemd::has_limit(&ctr.stage, &unit, "67108864")?;
    ctr.remove(&name)?;
    systemd::is_gone(&ctr.stage, &unit)
}

fn out_of_memory(ctr: &Ctr) -> Result<()> {
    expect(137, ctr.run(&["--memory-limit", "16777216"], "exec tail /dev/zero", "")?).map(drop)
}

fn read_only(ctr: &Ctr) -> Result<()> {
    let source = ctr.stage.folder().join(ctr.name());
    fs::create_dir(&source).map_err(Error::io("cannot make a folder"))?;
    fs::write(source.join("file"), "kept").map_err(Error::io("cannot write a file"))?;
    let mount = format!("type=bind,src={},dst=/volume,options=rbind:ro", source.display());
    let script = "touch /no 2>/dev/null && echo written; touch /volume/no 2>/dev/null && echo written; cat /volume/file";
    same("file", &ctr.script(&["--read-only", "--mount", &mount], script)?, "kept")
}

/// With a configuration of its own: for a root file system that is not an image's, `ctr` has no flags for this.
fn user_namespace(ctr: &Ctr) -> Result<()> {
    let mut config: Value =
        serde_json::from_str(&ctr.ok(&["oci", "spec"])?).map_err(Error::io("ctr's spec is not JSON"))?;
    let name = ctr.name();
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65536 }]);
    for (pointer, value) in [
        ("/linux/uidMappings", &map),
        ("/linux/gidMappings", &map),
        ("/linux/cgroupsPath", &json!(ctr.stage.cgroups().path(ctr.stage.cgroup(), &name))),
        ("/root/path", &json!(ctr.rootfs)),
        ("/process/args", &json!(["/bin/sh", "-c", "tr -s ' ' </proc/self/uid_map; id -u"])),
        ("/process/env", &json!(["PATH=/bin"])),
    ] {
        let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
        let parent = config.pointer_mut(parent).and_then(Value::as_object_mut);
        let parent = parent.ok_or_else(|| Error::NotMet(format!("ctr's spec has no place for {pointer}")))?;
        parent.insert(key.to_owned(), value.clone());
    }
    let namespaces = config.pointer_mut("/linux/namespaces").and_then(Value::as_array_mut);
    namespaces.into_iter().for_each(|list| list.push(json!({ "type": "user" })));
    let path = ctr.stage.folder().join(format!("{name}.json"));
    fs::write(&path, config.to_string()).map_err(Error::io("cannot write a configuration"))?;
    let (path, binary) = (path.display().to_string(), ctr.runtime.path.display().to_string());
    let ids = ctr.ok(&["run", "--rm", "--runc-binary", &binary, "--config", &path, &name])?;
    same("ids", &ids, "0 100000 65536\n0")
}

fn security(ctr: &Ctr) -> Result<()> {
    let script = "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status | tr -d '\\t' | tr '\\n' ' '";
    same("with a filter", &ctr.script(&["--seccomp"], script)?, "NoNewPrivs:1 Seccomp:2")?;
    let script = "mount -t tmpfs t /tmp && grep Seccomp: /proc/self/status | tr -d '\\t'";
    same("privileged", &ctr.script(&["--privileged"], script)?, "Seccomp:0")
}

fn no_pivot(ctr: &Ctr) -> Result<()> {
    same("root", &ctr.script(&["--no-pivot"], "cat /etc/group | wc -l")?, "2")
}

fn created(ctr: &Ctr) -> Result<()> {
    let name = ctr.start(&[])?;
    ctr.ok(&["tasks", "kill", "--signal", "KILL", &name])?;
    ctr.wait_for(&name, "STOPPED")?;
    ctr.ok(&["tasks", "delete", &name])?;
    ctr.ok(&["containers", "delete", &name]).map(drop)
}

fn shim_killed(ctr: &Ctr) -> Result<()> {
    let name = ctr.start(&[])?;
    let script = format!("pkill -KILL -f '[c]ontainerd-shim-runc-v2.* -id {name} '");
    expect(0, ctr.stage.run(&["sh", "-c", &script], "")?)?;
    ctr.wait_for(&name, "none")?;
    ctr.remove(&name)
}

fn daemon_killed(ctr: &Ctr) -> Result<()> {
    let name = ctr.start(&[])?;
    let kill = "pid=$(pgrep -x containerd); kill -KILL $pid; while [ -e /proc/$pid/exe ]; do sleep 0.1; done";
    expect(0, ctr.stage.run(&["sh", "-c", kill], "")?)?;
    start(&ctr.stage)?;
    same("status", &ctr.status(&name)?, "RUNNING")?;
    ctr.ok(&["tasks", "exec", "--exec-id", "one", &name, "/bin/true"])?;
    ctr.remove(&name)
}
