//! Podman, with README's `containers.conf`.

use std::fs;
use std::sync::Arc;

use super::engine::{Calling, Engine, IMAGE, contains, expect, same};
use super::stage::{Stage, wait_until};
use super::{Check, Options, Report, Setup, judge, major, of_engines, readme};
use crate::harness::{cgroups_named, criu_path};
use crate::xtask::{Error, Result};

const CHECKS: &[Check<Engine>] = &[
    Check { name: "run: --init", run: init },
    Check { name: "user namespaces", run: user_namespace },
    Check { name: "pods", run: pods },
];

/// What Podman 4 cannot do with runc.
const NEWER: &[Check<Engine>] = &[
    Check { name: "user namespaces: a volume of theirs", run: mapped_volume },
    Check { name: "exec: one descriptor more", run: descriptor },
];

/// Where a CRIU works on this kernel.
const CHECKPOINTS: &[Check<Engine>] =
    &[Check { name: "container checkpoint, container restore", run: checkpoint }];

/// Runs all checks.
pub(super) fn drive(stage: &Arc<Stage>, setup: &Setup, options: &Options) -> Result<Report> {
    let [_, ours] = &setup.runtimes;
    let config = stage.folder().join("containers.conf");
    let text = readme::snippet("[engine.runtimes]", &ours.path)?;
    fs::write(&config, text).map_err(Error::io("cannot write containers.conf"))?;
    let conf = format!("CONTAINERS_CONF={}", config.display());
    let program = |runtime: &str| {
        let words = [
            "env",
            &conf,
            "podman",
            "--runtime",
            runtime,
            "--cgroup-manager",
            stage.cgroups().manager(),
            "--events-backend",
            "file",
        ];
        words.map(str::to_owned).to_vec()
    };
    let archive = setup.image.archive.display().to_string();
    let import = ["env", &conf, "podman", "import", &archive, IMAGE];
    expect(0, stage.run(&import, "")?)?;
    let engines = setup.runtimes.each_ref().map(|runtime| {
        let root = format!("/run/{}", runtime.name);
        let calling = Calling { program: program(runtime.name), flags: Vec::new(), root, log: None };
        Engine::new(stage, runtime, calling)
    });
    let [control, ours] = engines;
    let engines = [control?, ours?];
    let mut report = Report::default();
    for checks in of_engines(stage).into_iter().chain([CHECKS]) {
        report.add(judge(stage, &engines, checks, options)?);
    }
    if major(stage, "podman")? > 4 {
        report.add(judge(stage, &engines, NEWER, options)?);
    }
    if stage.run(&["env", &path_of_criu(), "criu", "check"], "")?.code == 0 {
        report.add(judge(stage, &engines, CHECKPOINTS, options)?);
    } else {
        println!("{}: checkpoints are not checked, for no CRIU works here", stage.name());
    }
    Ok(report)
}

/// The environment in which CRIU is found: the host's, or that of the release.
fn path_of_criu() -> String {
    let path =
        criu_path().as_deref().unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    format!("PATH={path}")
}

/// The program counts on where it was, although its process is another one.
fn checkpoint(engine: &Engine) -> Result<()> {
    let path = path_of_criu();
    let call = |words: &[&str]| {
        let words = [&["env", &path], engine.words(words).as_slice()].concat();
        Ok(expect(0, engine.stage.run(&words, "")?)?.stdout)
    };
    let name = engine.name();
    let script = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done";
    call(&["run", "-d", "--network", "none", "--name", &name, IMAGE, "sh", "-c", script])?;
    let counted =
        || Ok::<_, Error>(engine.ok(&["logs", &name])?.lines().map(str::to_owned).collect::<Vec<_>>());
    wait_until("the container counts", || Ok(counted()?.len() > 2))?;
    let first = engine.inspect(&name, ".State.Pid")?;
    call(&["container", "checkpoint", &name])?;
    let before = counted()?.len();
    call(&["container", "restore", &name])?;
    if engine.inspect(&name, ".State.Pid")? == first {
        return Err(Error::NotMet("the process is the one from before the checkpoint".to_owned()));
    }
    wait_until("the container counts on", || Ok(counted()?.len() > before + 2))?;
    let lines = counted()?;
    let expected: Vec<String> = (1..=lines.len()).map(|number| number.to_string()).collect();
    same("numbers", &lines.join(" "), &expected.join(" "))?;
    engine.remove(&name)
}

fn init(engine: &Engine) -> Result<()> {
    let flags = ["--init", "--init-path", "/usr/bin/tini-static"];
    contains("first process", &engine.script(&flags, "cat /proc/1/cmdline")?, "/run/podman-init")
}

fn user_namespace(engine: &Engine) -> Result<()> {
    let flags = ["--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536"];
    let script = "tr -s ' ' </proc/self/uid_map; id -u; touch /made; stat -c %u /made";
    same("ids", &engine.script(&flags, script)?, "0 100000 65536\n0\n0")
}

/// The volume is the host's root's, and through its mount that of the container's root.
fn mapped_volume(engine: &Engine) -> Result<()> {
    let folder = engine.stage.folder().join(engine.name());
    fs::create_dir(&folder).map_err(Error::io("cannot make the folder of a volume"))?;
    let volume = format!("{}:/volume:idmap", folder.display());
    let flags = ["--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536", "--volume", &volume];
    same("ids", &engine.script(&flags, "touch /volume/file; stat -c %u /volume /volume/file")?, "0\n0")
}

fn descriptor(engine: &Engine) -> Result<()> {
    let name = engine.start(&[])?;
    let words = engine.words(&["exec", "--preserve-fd", "5", &name, "cat", "/proc/self/fd/5"]).join(" ");
    let output = engine.stage.run(&["sh", "-c", &format!("echo passed | {{ exec 5<&0; {words}; }}")], "")?;
    same("what was read", &expect(0, output)?.stdout, "passed\n")?;
    engine.remove(&name)
}

fn pods(engine: &Engine) -> Result<()> {
    let (pod, name) = (engine.name(), engine.name());
    let parent = engine.stage.cgroup_parent();
    let id = engine.ok(&["pod", "create", "--infra=false", "--cgroup-parent", &parent, "--name", &pod])?;
    engine.ok(&["run", "-d", "--pod", &pod, "--network", "none", "--name", &name, IMAGE, "sleep", "1000"])?;
    engine.ok(&["exec", &name, "true"])?;
    contains("pod", &engine.ok(&["pod", "ps"])?, "Running")?;
    engine.ok(&["pod", "pause", &pod])?;
    engine.ok(&["pod", "unpause", &pod])?;
    engine.ok(&["pod", "kill", &pod])?;
    engine.ok(&["pod", "rm", "--force", &pod])?;
    // Podman 5 forgets those that hold no controller; one that is still used cannot be removed and is found as a leak.
    cgroups_named(&id).iter().for_each(|cgroup| drop(fs::remove_dir(cgroup)));
    Ok(())
}
