//! Who takes part, and how each is called.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::arena::Arena;
use super::binds;
use crate::xtask::process::capture;
use crate::xtask::{find_in_path, is_executable, workspace};

const PEERS: [&str; 3] = ["crun", "runc", "youki"];

/// The name of the floor among the contenders.
pub(super) const FLOOR: &str = "floor";
/// Our own name among the contenders.
pub(super) const US: &str = "runc-shim";

/// A runtime, or the floor.
#[derive(Debug, Clone)]
pub(super) struct Contender {
    /// Its name in the tables.
    pub(super) name: &'static str,
    /// Its program.
    pub(super) program: PathBuf,
}

impl Contender {
    /// The command that runs a container which ends at once.
    #[must_use]
    pub(super) fn run(&self, arena: &Arena, id: &str) -> Command {
        let bundle = arena.noop_bundle();
        self.run_in(arena, &bundle, id)
    }

    /// The command that runs the container of another bundle.
    #[must_use]
    pub(super) fn run_in(&self, arena: &Arena, bundle: &Path, id: &str) -> Command {
        if self.is_floor() {
            let mut command = quiet(&self.program);
            command.arg(bundle.join("rootfs")).arg(format!("/sys/fs/cgroup/{id}")).arg("/noop");
            return command;
        }
        let mut command = self.call(arena, "run");
        command.arg("--bundle").arg(bundle).arg(id);
        command
    }

    /// The command that runs the container of a bundle with `count` [binds](super::binds). The floor reads no config.
    #[must_use]
    pub(super) fn run_with_binds(&self, arena: &Arena, bundle: &Path, count: usize, id: &str) -> Command {
        let mut command = self.run_in(arena, bundle, id);
        if self.is_floor() {
            for number in 0..count {
                command
                    .arg(binds::source(bundle, number))
                    .arg(binds::destination(number).trim_start_matches('/'));
            }
        }
        command
    }

    /// A call of one of the runtime's own commands.
    #[must_use]
    pub(super) fn call(&self, arena: &Arena, name: &str) -> Command {
        let mut command = quiet(&self.program);
        command.arg("--root").arg(arena.path(&format!("state-{}", self.name))).arg(name);
        command
    }

    /// The floor only runs; it has no create, start, kill or delete.
    #[must_use]
    pub(super) fn is_floor(&self) -> bool {
        self.name == FLOOR
    }

    /// Whether this is another project's runtime.
    #[must_use]
    pub(super) fn is_peer(&self) -> bool {
        PEERS.contains(&self.name)
    }

    /// The first line of `--version`.
    #[must_use]
    pub(super) fn version(&self) -> Option<String> {
        if self.is_floor() {
            return None;
        }
        let output = capture(Command::new(&self.program).arg("--version")).ok()?;
        String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
    }

    /// The size of the program in KiB, without the libraries that it loads.
    #[must_use]
    pub(super) fn size_kib(&self) -> u64 {
        fs::metadata(&self.program).map_or(0, |meta| meta.len() / 1024)
    }
}

/// All output goes to /dev/null while the clock runs.
fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The other runtimes on this host: from `$PEERS_DIR`, `../peers/bin` beside the workspace, or PATH.
pub(super) fn peers() -> Vec<Contender> {
    let mut dirs: Vec<PathBuf> = std::env::var_os("PEERS_DIR").map(PathBuf::from).into_iter().collect();
    dirs.extend(workspace().parent().map(|parent| parent.join("peers/bin")));
    PEERS
        .into_iter()
        .filter_map(|name| {
            let program = dirs.iter().map(|dir| dir.join(name)).find(|file| is_executable(file));
            program.or_else(|| find_in_path(name)).map(|program| Contender { name, program })
        })
        .collect()
}
