//! containerd, driven by `ctr`.

mod checks;

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;

use super::engine::{expect, same};
use super::stage::{Inventory, Output, Stage, tail, wait_until};
use super::systemd::Cgroups;
use super::{Driver, Options, Report, Runtime, Setup, judge, major, readme};
use crate::xtask::{Error, Result};

/// The part of containerd 1's configuration that names runtimes, by which README's snippet is found.
pub(super) const OLD_PLUGIN: &str = "io.containerd.grpc.v1.cri";

/// The same of containerd 2.
const PLUGIN: &str = "io.containerd.cri.v1.runtime";

/// Where containerd's shim lets the runtime keep the containers of `ctr`'s namespace.
const ROOT: &str = "/run/containerd/runc/default";

/// `ctr` with one runtime.
struct Ctr {
    stage: Arc<Stage>,
    runtime: Runtime,
    rootfs: String,
    empty: Inventory,
    containers: Cell<u32>,
}

/// Runs all checks.
pub(super) fn drive(stage: &Arc<Stage>, setup: &Setup, options: &Options) -> Result<Report> {
    let [_, ours] = &setup.runtimes;
    let config = stage.folder().join("config.toml");
    let text = readme::snippet(plugin(stage)?, &ours.path)?;
    fs::write(&config, text).map_err(Error::io("cannot write config.toml"))?;
    let daemon = start(stage)?;
    let ctrs = setup.runtimes.each_ref().map(|runtime| {
        let rootfs = setup.image.rootfs.display().to_string();
        let empty = stage.inventory(&[])?;
        Ok(Ctr {
            stage: Arc::clone(stage),
            runtime: runtime.clone(),
            rootfs,
            empty,
            containers: Cell::new(0),
        })
    });
    let [control, ours] = ctrs;
    let ctrs = [control?, ours?];
    let mut report = judge(stage, &ctrs, checks::CHECKS, options)?;
    if stage.cgroups() == Cgroups::Systemd {
        report.add(judge(stage, &ctrs, checks::ON_SYSTEMD, options)?);
    }
    drop(daemon);
    Ok(report)
}

/// The part of the configuration that names runtimes, of the containerd that the stage has.
pub(super) fn plugin(stage: &Stage) -> Result<&'static str> {
    Ok(if major(stage, "containerd")? < 2 { OLD_PLUGIN } else { PLUGIN })
}

pub(super) fn log(stage: &Stage) -> PathBuf {
    stage.folder().join("containerd.log")
}

/// Starts the daemon and waits until it answers. It ends with the stage.
pub(super) fn start(stage: &Stage) -> Result<Child> {
    let mut daemon = stage.enter("containerd");
    daemon.arg("--config").arg(stage.folder().join("config.toml"));
    stage.start(daemon, &log(stage), &["ctr", "version"])
}

impl Ctr {
    fn name(&self) -> String {
        self.containers.set(self.containers.get() + 1);
        format!("{}-{}", self.runtime.name, self.containers.get())
    }

    fn code(&self, code: i32, words: &[&str]) -> Result<Output> {
        let words = [&["ctr"], words].concat();
        expect(code, self.stage.run(&words, "")?)
    }

    fn ok(&self, words: &[&str]) -> Result<String> {
        Ok(self.code(0, words)?.stdout.trim().to_owned())
    }

    /// The words of `ctr run` of a shell script.
    fn run_words(&self, flags: &[&str], name: &str, script: &str) -> Vec<String> {
        let binary = self.runtime.path.display().to_string();
        let cgroups = self.stage.cgroups();
        let cgroup = cgroups.path(self.stage.cgroup(), name);
        let by_systemd: &[&str] = if cgroups == Cgroups::Systemd { &["--runc-systemd-cgroup"] } else { &[] };
        let head = [&["ctr", "run", "--runc-binary", &binary, "--cgroup", &cgroup], by_systemd].concat();
        let path = ["--env", "PATH=/bin", "--rootfs"];
        let tail = [&self.rootfs, name, "/bin/sh", "-c", script];
        head.iter().chain(flags).chain(&path).chain(&tail).map(|word| (*word).to_owned()).collect()
    }

    fn run(&self, flags: &[&str], script: &str, input: &str) -> Result<Output> {
        let words = self.run_words(&[&["--rm"], flags].concat(), &self.name(), script);
        self.stage.run(&words.iter().map(String::as_str).collect::<Vec<_>>(), input)
    }

    /// Runs a shell script in a container, which must succeed.
    fn script(&self, flags: &[&str], script: &str) -> Result<String> {
        Ok(expect(0, self.run(flags, script, "")?)?.stdout.trim().to_owned())
    }

    /// Starts a container that stays until it is told to end.
    fn start(&self, flags: &[&str]) -> Result<String> {
        let name = self.name();
        let words = self.run_words(&[&["--detach"], flags].concat(), &name, "exec sleep 100000");
        expect(0, self.stage.run(&words.iter().map(String::as_str).collect::<Vec<_>>(), "")?)?;
        Ok(name)
    }

    /// The words that start a program in a container.
    fn exec_words<'b>(&self, name: &'b str, id: &'b str, script: &'b str) -> Vec<&'b str> {
        vec!["ctr", "tasks", "exec", "--exec-id", id, name, "/bin/sh", "-c", script]
    }

    fn status(&self, name: &str) -> Result<String> {
        let tasks = self.ok(&["tasks", "list"])?;
        let line = tasks.lines().find(|line| line.split_whitespace().next() == Some(name));
        Ok(line.and_then(|line| line.split_whitespace().nth(2)).unwrap_or("none").to_owned())
    }

    fn wait_for(&self, name: &str, status: &str) -> Result<()> {
        wait_until(&format!("{name} is {status}"), || Ok(self.status(name)? == status))
    }

    /// Ends and removes a container.
    fn remove(&self, name: &str) -> Result<()> {
        if self.status(name)? != "none" {
            self.stage.run(&["ctr", "tasks", "kill", "--signal", "KILL", name], "")?;
            self.wait_for(name, "STOPPED")?;
            self.ok(&["tasks", "delete", name])?;
        }
        self.ok(&["containers", "delete", name]).map(drop)
    }
}

impl Driver for Ctr {
    fn clean(&self) -> Result<()> {
        self.ok(&["containers", "list", "--quiet"])?.lines().try_for_each(|name| self.remove(name))
    }

    fn leaks(&self) -> Result<()> {
        same("containers that are left", &self.ok(&["containers", "list", "--quiet"])?, "")?;
        self.stage.wait_for_inventory(&self.empty, &[ROOT])
    }

    fn log(&self) -> String {
        tail(&log(&self.stage))
    }
}
