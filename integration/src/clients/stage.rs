//! A host of its own for a container manager, as far as files, processes and networks go: whatever a check leaves there
//! ends with it.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use super::systemd::Cgroups;
use crate::harness::cgroups_named;
use crate::xtask::process::line;
use crate::xtask::{Error, Result, workspace};

/// How long whatever is waited for may take before a check fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a command may take.
const COMMAND_PATIENCE: Duration = Duration::from_secs(120);

/// Folders that every stage has for itself.
const PRIVATE: [&str; 4] = ["/run", "/var/lib/containerd", "/var/lib/containers", "/var/lib/docker"];

/// The namespaces, held open by their first process.
pub(super) struct Stage {
    /// `unshare`, the leader of a process group; the first process of the stage is killed when it ends.
    holder: Child,
    /// The stage's first process, as this host sees it.
    init: u32,
    /// The namespace by which processes of the stage are known.
    identity: PathBuf,
    name: String,
    cgroups: Cgroups,
    /// What the cgroup of its containers is called.
    cgroup: String,
    folder: TempDir,
}

/// How a command ended.
pub(super) struct Output {
    pub(super) command: String,
    /// 128 + the signal, as a shell has it.
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Output {
    /// An error that shows all that is known.
    pub(super) fn wrong(&self, what: &str) -> Error {
        let Self { command, code, stdout, stderr } = self;
        Error::NotMet(format!("{what}: `{command}` ended with {code}\nstdout: {stdout}\nstderr: {stderr}"))
    }
}

/// What is in a stage, a line each.
pub(super) type Inventory = Vec<String>;

impl Stage {
    /// Makes the stage, with the root file system at `root`.
    pub(super) fn open(name: &str, root: &Path, cgroups: Cgroups) -> Result<Self> {
        let mut holder = Command::new("setpriv");
        // Ends with the thread that makes it.
        holder.args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--net",
            "--ipc",
            "--uts",
        ]);
        if cgroups == Cgroups::Direct {
            holder.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        }
        holder.env("KEPT", cgroups.kept_in_run()).arg(workspace().join("fixtures/clients/stage.sh"));
        holder.arg(root).arg(env::temp_dir()).args(PRIVATE).process_group(0);
        let holder = holder.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let holder = holder.map_err(Error::io("cannot start setpriv"))?;
        let folder = tempfile::tempdir().map_err(Error::io("cannot make a temporary folder"))?;
        let cgroup = cgroups.name(&format!("clients-{name}-{}", process::id()));
        let (init, identity) = (holder.id(), PathBuf::new());
        let mut stage = Self { holder, init, identity, name: name.to_owned(), cgroups, cgroup, folder };
        let mut ready = String::new();
        if let Some(stdout) = stage.holder.stdout.take() {
            BufReader::new(stdout).read_line(&mut ready).map_err(Error::io("cannot read from a stage"))?;
        }
        if ready != "ready\n" {
            return Err(Error::NotMet("the stage does not come up; its errors are above".to_owned()));
        }
        if cgroups == Cgroups::Direct {
            stage.init = child_of(stage.holder.id())?;
        }
        stage.identity =
            stage.namespace_of(&stage.init.to_string()).map_err(Error::io("the stage has ended"))?;
        Ok(stage)
    }

    /// What the stage is called in the table.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Who makes the containers' cgroups.
    pub(super) fn cgroups(&self) -> Cgroups {
        self.cgroups
    }

    /// The name of the cgroup below which containers shall be.
    pub(super) fn cgroup(&self) -> &str {
        &self.cgroup
    }

    /// The same as managers are told.
    pub(super) fn cgroup_parent(&self) -> String {
        self.cgroups.parent(&self.cgroup)
    }

    /// A folder for files, which is the same inside and outside.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path of the stage as this process reaches it.
    pub(super) fn inside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    /// The command in the stage.
    pub(super) fn enter(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            &self.init.to_string(),
            "--mount",
            "--pid",
            "--net",
            "--ipc",
            "--uts",
            "--",
        ]);
        command.arg(program);
        command
    }

    /// Runs the command in the stage to its end, or until time is up.
    pub(super) fn run(&self, words: &[&str], input: &str) -> Result<Output> {
        let mut command = self.enter("timeout");
        command.args(["--kill-after=5", &COMMAND_PATIENCE.as_secs().to_string()]).args(words);
        // Files, not pipes: what a command leaves running must not keep us waiting.
        let scratch = tempfile::tempdir_in(self.folder()).map_err(Error::io("cannot make a folder"))?;
        let path = |name: &str| scratch.path().join(name);
        fs::write(path("in"), input).map_err(Error::io("cannot write a file"))?;
        command.stdin(File::open(path("in")).map_err(Error::io("cannot open a file"))?);
        command.stdout(File::create(path("out")).map_err(Error::io("cannot create a file"))?);
        command.stderr(File::create(path("err")).map_err(Error::io("cannot create a file"))?);
        let status = command.status().map_err(Error::io(format!("cannot start `{}`", line(&command))))?;
        let read = |name| fs::read(path(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(Output {
            command: words.join(" "),
            code: status.code().unwrap_or(-1),
            stdout: read("out").map_err(Error::io("cannot read a file"))?,
            stderr: read("err").map_err(Error::io("cannot read a file"))?,
        })
    }

    /// Starts a daemon of the stage, which ends with it, and waits until the question is answered.
    pub(super) fn start(&self, mut daemon: Command, log: &Path, question: &[&str]) -> Result<Child> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.map_err(Error::io("cannot create a log"))?;
        let errors = output.try_clone().map_err(Error::io("cannot share a log"))?;
        let started = daemon.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let started = started.map_err(Error::io(format!("cannot start `{}`", line(&daemon))))?;
        wait_until(
            &format!("`{}` is answered", question.join(" ")),
            || Ok(self.run(question, "")?.code == 0),
        )
        .map_err(|error| Error::NotMet(format!("{error}\n{}", tail(log))))?;
        Ok(started)
    }

    /// What is in the stage now. `roots` are the folders in which runtimes keep containers.
    pub(super) fn inventory(&self, roots: &[&str]) -> Result<Inventory> {
        let mountinfo = format!("/proc/{}/mountinfo", self.init);
        let mountinfo =
            fs::read_to_string(&mountinfo).map_err(Error::io(format!("cannot read {mountinfo}")))?;
        let mounts = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
        // Podman's storage comes and goes with what uses it.
        let mounts = mounts.filter(|point| !point.ends_with("/containers/storage/overlay"));
        let cgroups = self.container_cgroups();
        let containers = roots.iter().flat_map(|root| fs::read_dir(self.inside(root)).into_iter().flatten());
        let containers = containers.filter_map(|entry| Some(entry.ok()?.path()));
        let processes = self.processes()?.into_iter().map(|name| format!("process {name}"));
        let inventory = processes.chain(mounts.map(|point| format!("mount {point}")));
        let inventory = inventory.chain(cgroups.map(|path| format!("cgroup {}", path.display())));
        Ok(inventory.chain(containers.map(|path| format!("container {}", path.display()))).collect())
    }

    /// Podman makes a cgroup for its monitors, which stays.
    fn container_cgroups(&self) -> impl DoubleEndedIterator<Item = PathBuf> {
        let is_containers = |path: &PathBuf| {
            path.file_name().is_none_or(|name| name != self.cgroup.as_str() && name != "conmon")
        };
        let cgroups: Vec<PathBuf> = cgroups_named(&self.cgroup).into_iter().filter(is_containers).collect();
        cgroups.into_iter()
    }

    /// Removes the cgroups that nobody is in: what a runtime has failed to remove once, it never does.
    pub(super) fn sweep(&self) {
        self.container_cgroups().rev().for_each(|cgroup| drop(fs::remove_dir(cgroup)));
    }

    /// Waits until the stage holds no more than it did: managers do some of their work after they have answered.
    pub(super) fn wait_for_inventory(&self, expected: &Inventory, roots: &[&str]) -> Result<()> {
        let mut extra = Vec::new();
        let done = wait_until("nothing is left behind", || {
            extra = self.inventory(roots)?;
            // What is there twice may be missing once.
            for line in expected {
                if let Some(place) = extra.iter().position(|found| found == line) {
                    extra.remove(place);
                }
            }
            Ok(extra.is_empty())
        });
        done.map_err(|_| Error::NotMet(format!("this is left:\n{}", extra.join("\n"))))
    }

    /// All but zombies, which their parents have only not looked at yet.
    fn processes(&self) -> Result<Vec<String>> {
        Ok(self.pids()?.iter().filter_map(|pid| name_of(pid)).collect())
    }

    fn pids(&self) -> Result<Vec<String>> {
        let all = fs::read_dir("/proc").map_err(Error::io("cannot read /proc"))?;
        let pids = all.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let pids = pids.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        Ok(pids.filter(|pid| self.has(pid)).collect())
    }

    /// Whether a process is in the stage, or a descendant of one that is: processes of containers are in namespaces of
    /// their own.
    fn has(&self, pid: &str) -> bool {
        let mut pid = pid.to_owned();
        loop {
            if self.namespace_of(&pid).is_ok_and(|namespace| namespace == self.identity) {
                return true;
            }
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:\t"));
            match parent {
                Some("0") | None => return false,
                Some(parent) => pid = parent.to_owned(),
            }
        }
    }

    fn namespace_of(&self, pid: &str) -> io::Result<PathBuf> {
        fs::read_link(format!("/proc/{pid}/ns/{}", self.cgroups.namespace()))
    }

    /// Where no pid namespace ends with its first process, one by one.
    fn kill_all(&self) -> Result<bool> {
        let running = self.pids()?.into_iter().filter(|pid| name_of(pid).is_some());
        let pids: Vec<_> = running.filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect();
        for pid in &pids {
            // It may have ended by itself.
            let _ = kill_process(*pid, Signal::KILL);
        }
        Ok(pids.is_empty())
    }
}

fn name_of(pid: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    (!field("State:")?.starts_with('Z')).then(|| field("Name:").unwrap_or_default().to_owned())
}

fn child_of(pid: u32) -> Result<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(&path).map_err(Error::io(format!("cannot read {path}")))?;
    let child = children.split_whitespace().next().and_then(|child| child.parse().ok());
    child.ok_or_else(|| Error::NotMet(format!("{path} names no process")))
}

/// Asks until the answer is yes; an error that says for what it waited if that takes too long.
pub(super) fn wait_until(what: &str, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > deadline {
            return Err(Error::NotMet(format!("waited in vain: {what}")));
        }
        // Nothing tells when a foreign program has changed its mind.
        poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 50_000_000 })).map_err(Error::io("poll"))?;
    }
    Ok(())
}

/// The last lines of a log.
pub(super) fn tail(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(15)..).unwrap_or_default();
    format!("the end of {}:\n{}\n", log.display(), last.join("\n"))
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.holder.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.holder.wait();
        if let Err(error) = wait_until("no process is left", || self.kill_all()) {
            eprintln!("{error}");
        }
        self.cgroups.release(&self.cgroup);
        for cgroup in cgroups_named(&self.cgroup).iter().rev() {
            // The last processes may not be gone yet.
            let gone = || Ok(fs::remove_dir(cgroup).is_ok() || !cgroup.exists());
            if let Err(error) = wait_until(&format!("removing {}", cgroup.display()), gone) {
                eprintln!("{error}");
            }
        }
    }
}
