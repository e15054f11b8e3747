//! What Docker and Podman have in common: the command line, and what must be gone afterwards.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;

use super::stage::{Inventory, Output, Stage, wait_until};
use super::{Driver, Runtime};
use crate::xtask::{Error, Result};

/// The name of the image.
pub(super) const IMAGE: &str = "busybox";

/// A manager that is to use one runtime.
pub(super) struct Engine {
    pub(super) stage: Arc<Stage>,
    pub(super) runtime: Runtime,
    /// The program with its global flags.
    program: Vec<String>,
    /// What every `run` gets.
    flags: Vec<String>,
    /// The folder in which the runtime keeps its containers for this manager.
    root: String,
    /// The daemon's log, where there is a daemon.
    log: Option<PathBuf>,
    /// What is in the stage when there is no container.
    empty: Inventory,
    containers: Cell<u32>,
}

/// How a manager is called.
pub(super) struct Calling {
    pub(super) program: Vec<String>,
    /// Chooses the runtime, where that is a flag of `run`.
    pub(super) flags: Vec<String>,
    pub(super) root: String,
    pub(super) log: Option<PathBuf>,
}

impl Engine {
    /// The stage must be as it is without containers.
    pub(super) fn new(stage: &Arc<Stage>, runtime: &Runtime, calling: Calling) -> Result<Self> {
        let Calling { program, mut flags, root, log } = calling;
        let parent = stage.cgroup_parent();
        flags.extend(["--cgroup-parent", &parent, "--network", "none"].map(str::to_owned));
        let empty = stage.inventory(&[])?;
        Ok(Self {
            stage: Arc::clone(stage),
            runtime: runtime.clone(),
            program,
            flags,
            root,
            log,
            empty,
            containers: Cell::new(0),
        })
    }

    /// Whether the manager is the program of this name.
    pub(super) fn is(&self, program: &str) -> bool {
        self.program.iter().any(|word| word == program)
    }

    /// A name for the next container.
    pub(super) fn name(&self) -> String {
        self.containers.set(self.containers.get() + 1);
        format!("{}-{}", self.runtime.name, self.containers.get())
    }

    /// The words of a command of the manager.
    pub(super) fn words<'b>(&'b self, words: &[&'b str]) -> Vec<&'b str> {
        self.program.iter().map(String::as_str).chain(words.iter().copied()).collect()
    }

    /// The words of `run`, with what every `run` gets.
    pub(super) fn run_words<'b>(&'b self, words: &[&'b str]) -> Vec<&'b str> {
        let run = self.words(&["run"]).into_iter();
        run.chain(self.flags.iter().map(String::as_str)).chain(words.iter().copied()).collect()
    }

    /// Runs a command of the manager, which must end with `code`.
    pub(super) fn code(&self, code: i32, words: &[&str]) -> Result<Output> {
        expect(code, self.stage.run(&self.words(words), "")?)
    }

    /// Runs a command of the manager, which must succeed, and returns what it printed.
    pub(super) fn ok(&self, words: &[&str]) -> Result<String> {
        Ok(self.code(0, words)?.stdout.trim().to_owned())
    }

    /// `run`, which must end with `code`.
    pub(super) fn run_code(&self, code: i32, words: &[&str]) -> Result<Output> {
        expect(code, self.stage.run(&self.run_words(words), "")?)
    }

    /// `run --rm` with these flags of a shell script, which must succeed; returns what it printed.
    pub(super) fn script(&self, flags: &[&str], script: &str) -> Result<String> {
        let words = [&["--rm"], flags, &[IMAGE, "sh", "-c", script]].concat();
        Ok(self.run_code(0, &words)?.stdout.trim().to_owned())
    }

    /// Starts a container that stays until it is told to end, and returns its name. It ends with 3 at SIGTERM.
    pub(super) fn start(&self, flags: &[&str]) -> Result<String> {
        let name = self.name();
        let script = "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done";
        let words = [&["-d", "--name", &name], flags, &[IMAGE, "sh", "-c", script]].concat();
        self.run_code(0, &words)?;
        // Before it has set its trap, the first process of a pid namespace ignores the signal.
        wait_until("the container says that it is up", || Ok(self.ok(&["logs", &name])?.contains("up")))?;
        Ok(name)
    }

    /// One field of `inspect`.
    pub(super) fn inspect(&self, name: &str, field: &str) -> Result<String> {
        self.ok(&["inspect", "--format", &format!("{{{{{field}}}}}"), name])
    }

    /// Waits until a field has a value.
    pub(super) fn wait_for(&self, name: &str, field: &str, value: &str) -> Result<()> {
        wait_until(&format!("{field} of {name} is {value}"), || Ok(self.inspect(name, field)? == value))
    }

    /// Removes a container, running or not.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        self.ok(&["rm", "--force", name]).map(drop)
    }
}

impl Driver for Engine {
    fn clean(&self) -> Result<()> {
        let all = self.ok(&["ps", "--all", "--quiet"])?;
        all.lines().try_for_each(|id| self.remove(id))
    }

    fn leaks(&self) -> Result<()> {
        let all = self.ok(&["ps", "--all"])?;
        if all.lines().count() != 1 {
            return Err(Error::NotMet(format!("containers are left:\n{all}")));
        }
        self.stage.wait_for_inventory(&self.empty, &[&self.root])
    }

    fn log(&self) -> String {
        self.log.as_deref().map(super::stage::tail).unwrap_or_default()
    }
}

/// The output, if the code is the expected one.
pub(super) fn expect(code: i32, output: Output) -> Result<Output> {
    if output.code == code { Ok(output) } else { Err(output.wrong(&format!("expected code {code}"))) }
}

/// Fails unless both are the same.
pub(super) fn same(what: &str, found: &str, expected: &str) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::NotMet(format!("{what}: expected {expected:?}, found {found:?}")))
}

/// Fails unless the text contains the part.
pub(super) fn contains(what: &str, text: &str, part: &str) -> Result<()> {
    if text.contains(part) {
        return Ok(());
    }
    Err(Error::NotMet(format!("{what}: expected {part:?} in {text:?}")))
}
