use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;

use crate::Result;
use crate::planner::{self, SubCgroup};
use crate::spec::{Program, Wishes};

/// What the program gets as its standard streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stdio {
    /// The caller's own.
    #[default]
    Inherit,
    /// The null device.
    Null,
    /// Pipes, the other ends of which the [process](crate::Exec) holds.
    Piped,
}

/// What to execute in a container, and how. What is not said here is as for the container's own process.
#[derive(Debug)]
pub struct ExecOptions {
    pub(super) program: Program,
    pub(super) stdio: Stdio,
    pub(super) streams: Option<[OwnedFd; 3]>,
    pub(super) plan: planner::Options,
    pub(super) ignore_paused: bool,
    pub(super) unsealed: bool,
    #[cfg(feature = "fault-injection")]
    pub(super) injections: Vec<planner::Injection>,
}

impl ExecOptions {
    /// The program and its arguments. A program without a slash is looked for in `PATH` of the container's environment.
    pub fn new<S: Into<String>>(args: impl IntoIterator<Item = S>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self::of(Program::Wishes(Box::new(Wishes { args, ..Wishes::default() })))
    }

    /// A `process` object of the runtime-spec; `file` is where it was read, for messages. The setters that say how the
    /// program differs from the container's own process have no effect then.
    pub fn from_json(text: impl Into<Vec<u8>>, file: impl Into<PathBuf>) -> Self {
        Self::of(Program::Json { text: text.into(), file: file.into() })
    }

    fn of(program: Program) -> Self {
        Self {
            program,
            stdio: Stdio::default(),
            streams: None,
            plan: planner::Options::default(),
            ignore_paused: false,
            unsealed: false,
            #[cfg(feature = "fault-injection")]
            injections: Vec::new(),
        }
    }

    fn wish(mut self, change: impl FnOnce(&mut Wishes)) -> Self {
        if let Program::Wishes(wishes) = &mut self.program {
            change(wishes);
        }
        self
    }

    /// Adds `NAME=value` to the environment.
    #[must_use]
    pub fn env(self, entry: impl Into<String>) -> Self {
        self.wish(|wishes| wishes.env.push(entry.into()))
    }

    /// Another working folder, absolute.
    #[must_use]
    pub fn cwd(self, path: impl Into<String>) -> Self {
        self.wish(|wishes| wishes.cwd = Some(path.into()))
    }

    /// Another user.
    #[must_use]
    pub fn uid(self, uid: u32) -> Self {
        self.wish(|wishes| wishes.uid = Some(uid))
    }

    /// Another group.
    #[must_use]
    pub fn gid(self, gid: u32) -> Self {
        self.wish(|wishes| wishes.gid = Some(gid))
    }

    /// One more group.
    #[must_use]
    pub fn additional_gid(self, gid: u32) -> Self {
        self.wish(|wishes| wishes.additional_gids.push(gid))
    }

    /// One more capability, as `CAP_*`. What the program executes in turn does not inherit it.
    #[must_use]
    pub fn capability(self, name: impl Into<String>) -> Self {
        self.wish(|wishes| wishes.capabilities.push(name.into()))
    }

    /// Whether the program gets a terminal; its master side goes to the [console socket](Self::console_socket).
    #[must_use]
    pub fn terminal(self, yes: bool) -> Self {
        self.wish(|wishes| wishes.terminal = yes)
    }

    /// Gives up gaining privileges by exec. It stays given up where the container's process has done that.
    #[must_use]
    pub fn no_new_privileges(self, yes: bool) -> Self {
        self.wish(|wishes| wishes.no_new_privileges = yes)
    }

    /// Another AppArmor profile.
    #[must_use]
    pub fn apparmor_profile(self, name: impl Into<String>) -> Self {
        self.wish(|wishes| wishes.apparmor_profile = Some(name.into()).filter(|name| !name.is_empty()))
    }

    /// Another SELinux label.
    #[must_use]
    pub fn selinux_label(self, label: impl Into<String>) -> Self {
        self.wish(|wishes| wishes.selinux_label = Some(label.into()).filter(|label| !label.is_empty()))
    }

    /// What the program gets as its standard streams, unless it gets a terminal.
    #[must_use]
    pub fn stdio(mut self, stdio: Stdio) -> Self {
        self.stdio = stdio;
        self
    }

    /// Standard input, output and error of the program.
    #[must_use]
    pub fn streams(mut self, streams: [OwnedFd; 3]) -> Self {
        self.streams = Some(streams);
        self
    }

    /// Unix socket that receives the terminal's master side; needed if and only if there is a terminal.
    #[must_use]
    pub fn console_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.plan.console_socket = Some(path.into());
        self
    }

    /// Leaves line feeds of the terminal as they are, for a reader that shows them on a terminal which returns the
    /// carriage itself. Otherwise the terminal does it, as every new one.
    #[must_use]
    pub fn plain_lines(mut self, yes: bool) -> Self {
        self.plan.plain_lines = yes;
        self
    }

    /// Unix socket that receives a pidfd of the process.
    #[must_use]
    pub fn pidfd_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.plan.pidfd_socket = Some(path.into());
        self
    }

    /// File that receives the host pid of the process, in decimal, atomically.
    #[must_use]
    pub fn pid_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.plan.pid_file = Some(path.into());
        self
    }

    /// Passes this many descriptors, from 3 on, to the program: those of them that are open.
    #[must_use]
    pub fn preserve_fds(mut self, count: u32) -> Self {
        self.plan.preserve_fds = count;
        self
    }

    /// Executes in a cgroup below the container's, which must exist: in the v1 hierarchy of `controller`, or without one
    /// in all hierarchies. `/` is the container's own, even if its first process is in one below.
    #[must_use]
    pub fn sub_cgroup(mut self, controller: Option<&str>, path: impl Into<String>) -> Self {
        let controller = controller.map(str::to_owned);
        self.plan.sub_cgroups.push(SubCgroup { controller, path: path.into() });
        self
    }

    /// Executes in a paused container too. The program runs, and the call returns, when that is resumed.
    #[must_use]
    pub fn ignore_paused(mut self, yes: bool) -> Self {
        self.ignore_paused = yes;
        self
    }

    /// As [`CreateOptions::allow_unsealed_executable`](crate::CreateOptions::allow_unsealed_executable).
    #[must_use]
    pub fn allow_unsealed_executable(mut self, yes: bool) -> Self {
        self.unsealed = yes;
        self
    }

    /// Puts failures into the plan before it is executed, in order.
    #[cfg(feature = "fault-injection")]
    #[must_use]
    pub fn inject(mut self, injections: impl IntoIterator<Item = planner::Injection>) -> Self {
        self.injections.extend(injections);
        self
    }

    /// Whether the program gets a terminal.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) for JSON that is not a process.
    pub fn has_terminal(&self) -> Result<bool> {
        self.program.has_terminal()
    }

    /// Whether streams are lent.
    pub(super) fn has_streams(&self) -> bool {
        self.streams.is_some() || self.stdio != Stdio::Inherit
    }

    /// As the planner takes them.
    pub(super) fn for_plan(&self, bundle: &Path, no_new_keyring: bool) -> planner::Options {
        planner::Options {
            bundle: bundle.to_owned(),
            no_new_keyring,
            streams: self.has_streams(),
            ..self.plan.clone()
        }
    }
}
