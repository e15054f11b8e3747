//! Docker: `dockerd` with README's `daemon.json`.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;

use serde_json::Value;

use super::engine::{Calling, Engine, IMAGE, contains, expect, same};
use super::stage::{Stage, wait_until};
use super::{Check, Options, Report, Setup, judge, major, of_engines, readme};
use crate::xtask::{Error, Result};

const CHECKS: &[Check<Engine>] = &[
    Check { name: "run: --init", run: init },
    Check { name: "events: out of memory, end", run: events },
    Check { name: "the shim is killed", run: shim_killed },
    Check { name: "the daemon is killed and started again", run: daemon_killed },
];

/// What Docker 20 cannot do.
const NEWER: &[Check<Engine>] = &[
    Check { name: "info: features of the runtime", run: features },
    Check { name: "volumes: read-only to the bottom", run: read_only },
];

/// Runs all checks.
pub(super) fn drive(stage: &Arc<Stage>, setup: &Setup, options: &Options) -> Result<Report> {
    let [_, ours] = &setup.runtimes;
    let config = stage.folder().join("daemon.json");
    let text = readme::snippet("\"runtimes\"", &ours.path)?;
    fs::write(&config, text).map_err(Error::io("cannot write daemon.json"))?;
    let daemon = start(stage)?;
    let archive = setup.image.archive.display().to_string();
    expect(0, stage.run(&["docker", "import", &archive, IMAGE], "")?)?;
    let engines = setup.runtimes.each_ref().map(|runtime| {
        let calling = Calling {
            program: vec!["docker".to_owned()],
            flags: vec!["--runtime".to_owned(), runtime.name.to_owned()],
            root: format!("/run/docker/runtime-{}/moby", runtime.name),
            log: Some(log(stage)),
        };
        Engine::new(stage, runtime, calling)
    });
    let [control, ours] = engines;
    let engines = [control?, ours?];
    let mut report = Report::default();
    for checks in of_engines(stage).into_iter().chain([CHECKS]) {
        report.add(judge(stage, &engines, checks, options)?);
    }
    if major(stage, "dockerd")? > 20 {
        report.add(judge(stage, &engines, NEWER, options)?);
    }
    drop(daemon);
    Ok(report)
}

fn log(stage: &Stage) -> PathBuf {
    stage.folder().join("dockerd.log")
}

/// Starts the daemon and waits until it answers. It ends with the stage.
fn start(stage: &Stage) -> Result<Child> {
    let mut daemon = stage.enter("dockerd");
    daemon.arg("--config-file").arg(stage.folder().join("daemon.json"));
    daemon.args(["--iptables=false", "--bridge=none", "--live-restore"]);
    stage.start(daemon, &log(stage), &["docker", "version"])
}

fn init(engine: &Engine) -> Result<()> {
    contains("first process", &engine.script(&["--init"], "cat /proc/1/comm")?, "docker-init")
}

fn events(engine: &Engine) -> Result<()> {
    let name = engine.name();
    let flags = ["--memory", "16m", "--memory-swap", "16m", "--name", &name];
    engine.run_code(137, &[&flags[..], &[IMAGE, "tail", "/dev/zero"]].concat())?;
    let filter = format!("container={name}");
    let words = ["events", "--since", "10m", "--until", "0s", "--format", "{{.Action}}", "--filter", &filter];
    wait_until("the events are there", || {
        let events = engine.ok(&words)?;
        Ok(["create", "start", "oom", "die"].iter().all(|event| events.lines().any(|line| line == *event)))
    })?;
    engine.remove(&name)
}

/// The shim is the parent of the container's first process.
fn shim_killed(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    let pid = engine.inspect(&name, ".State.Pid")?;
    let kill = format!("kill -KILL $(ps -o ppid= -p {pid})");
    expect(0, engine.stage.run(&["sh", "-c", &kill], "")?)?;
    engine.wait_for(&name, ".State.Status", "exited")?;
    engine.remove(&name)
}

fn daemon_killed(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    let before = engine.inspect(&name, ".State.Pid")?;
    let kill =
        "kill -KILL $(cat /run/docker.pid) && while [ -e /proc/$(cat /run/docker.pid) ]; do sleep 0.1; done";
    expect(0, engine.stage.run(&["sh", "-c", kill], "")?)?;
    start(&engine.stage)?;
    same("process", &engine.inspect(&name, ".State.Pid")?, &before)?;
    engine.ok(&["exec", &name, "true"])?;
    engine.ok(&["stop", "--time", "60", &name])?;
    same("code", &engine.inspect(&name, ".State.ExitCode")?, "3")?;
    engine.remove(&name)
}

fn features(engine: &Engine) -> Result<()> {
    let info = engine.ok(&["info", "--format", "{{json .Runtimes}}"])?;
    let info: Value = serde_json::from_str(&info).map_err(Error::io("docker's answer is not JSON"))?;
    let status = info.pointer(&format!("/{}/status", engine.runtime.name)).unwrap_or(&Value::Null);
    contains("status", &status.to_string(), "ociVersionMax")
}

/// With `readonly` alone, too: Docker asks the runtime whether it can do that.
fn read_only(engine: &Engine) -> Result<()> {
    let folder = engine.stage.folder().join(engine.name());
    fs::create_dir(&folder).map_err(Error::io("cannot make the folder of a volume"))?;
    let folder = folder.display().to_string();
    let on_stage = |script: &str| expect(0, engine.stage.run(&["sh", "-ec", script, "sh", &folder], "")?);
    on_stage("mkdir \"$1/sub\"; mount -t tmpfs sub \"$1/sub\"")?;
    let mount = format!("type=bind,source={folder},target=/volume,readonly,bind-propagation=rprivate");
    let script = "touch /volume/sub/file 2>/dev/null && echo written; true";
    let seen = [mount.clone(), format!("{mount},bind-recursive=readonly")]
        .iter()
        .map(|mount| engine.script(&["--mount", mount], script))
        .collect::<Result<String>>();
    on_stage("umount \"$1/sub\"")?;
    same("what could be written", &seen?, "")
}
