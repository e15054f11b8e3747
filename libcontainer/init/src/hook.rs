//! Hooks: programs that run beside the container's own, and are waited for.
//!
//! One way of running them serves all six kinds. The host calls [`run`] for those of the runtime's namespaces; the
//! container's first process takes a step for those of its own. A hook leads a process group, so that a hook that
//! takes too long ends with all its descendants; its end, and not the end of what it prints, is what is waited for.

use crate::buffer::Buffer;
use crate::link::{self, Record};
use crate::op::Op;
use crate::output::Output;
use crate::program::{CText, List, Program, Text};
use crate::sys::job::{self, End};
use crate::sys::{self, Clone, Handle, Side};
use crate::{Fault, Result, exec, op, slot};

/// A program that the container's first process runs beside the container's own, and waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The program.
    pub path: Text,
    /// Its arguments.
    pub argv: List,
    /// Its environment.
    pub environment: Environment,
    /// The container's state as JSON, without the `{"pid":N` before it.
    pub state: Text,
    /// Seconds that it may take, 0 for any time.
    pub timeout: u32,
    /// Whether it has no more rights than the container's program: the process that becomes it then takes the steps
    /// up to [`crate::Step::Exec`] as well. Otherwise it runs with the rights that the first process has at this step, in
    /// the folder of the root file system.
    pub confined: bool,
}

/// Where the environment of a hook comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// From the configuration.
    Given(List),
    /// It is the runtime's own.
    Runtime,
    /// It is that of the container's program.
    Container,
}

/// A hook that the host runs.
pub struct Call<'a> {
    /// The program.
    pub path: CText<'a>,
    /// Pointers to the arguments, then a null pointer.
    pub argv: &'a [*const u8],
    /// Pointers to the environment, then a null pointer.
    pub envp: &'a [*const u8],
    /// What the program reads: the container's state.
    pub input: &'a [u8],
    /// The folder to run in, if not the caller's.
    pub cwd: Option<i32>,
    /// Seconds that it may take, 0 for any time.
    pub timeout: u32,
    /// A pidfd of the container's first process, where the hook makes no sense without it.
    pub container: Option<i32>,
}

/// Runs a hook and waits for its end. What it prints is added to `output`.
///
/// # Errors
/// [`Op::HookCode`] and [`Op::HookSignal`] with the code or signal in place of the errno if it fails,
/// [`Op::HookTimeout`] if it takes too long, [`Op::HookContainer`] if the container ends meanwhile; otherwise the call
/// that failed, `execve` included.
pub fn run(call: &Call<'_>, output: &mut Output) -> Result<()> {
    match start(&[call.input], call.cwd)? {
        Started::Parent(running) => running.finish(call.timeout, call.container, output),
        Started::Child { report, prepared } => {
            let fault = match prepared {
                Ok(()) => exec::exec(call.path, call.argv, call.envp),
                Err(fault) => fault,
            };
            // Without anybody to hear it, the exit code is all that can be said.
            let _: Result<()> = link::send(report, Record::failed(0, fault), None);
            sys::exit(1)
        }
    }
}

/// Starts a hook of the plan: its state names the pid that this process has in its own namespace.
pub(crate) fn start_step(program: &Program<'_>, hook: &Hook) -> Result<Started> {
    let mut pid = Buffer::from(&[b"{\"pid\":"])?;
    pid.push_number(job::own_pid()?)?;
    let cwd = if hook.confined { None } else { Some(program.slot(slot::ROOT)?) };
    start(&[pid.bytes(), program.text(hook.state)?.bytes()], cwd)
}

/// Becomes the program of a hook.
pub(crate) fn execute(program: &Program<'_>, hook: &Hook) -> Fault {
    let prepared = || {
        let envp = match hook.environment {
            Environment::Given(list) => program.list(list)?,
            Environment::Runtime => program.environment,
            Environment::Container => &*program.envp,
        };
        Ok((program.text(hook.path)?, program.list(hook.argv)?, envp))
    };
    match prepared() {
        // One that has taken the program's steps has its signals back already.
        Ok((path, argv, envp)) if hook.confined => sys::execve(path, argv, envp),
        Ok((path, argv, envp)) => exec::exec(path, argv, envp),
        Err(fault) => fault,
    }
}

/// The two sides of a start.
pub(crate) enum Started {
    /// The process that will become the hook.
    Child {
        /// Where it tells why it could not.
        report: i32,
        /// Whether its streams are in place.
        prepared: Result<()>,
    },
    /// The one that waits for it.
    Parent(Running),
}

/// A hook that runs.
pub(crate) struct Running {
    pid: i32,
    process: Handle,
    output: Handle,
    report: Handle,
}

fn start(input: &[&[u8]], cwd: Option<i32>) -> Result<Started> {
    let stdin = job::memory_file(CText::literal(c"state"))?;
    for part in input {
        sys::write(stdin.fd(), part)?;
    }
    job::rewind(stdin.fd())?;
    let (output, printed) = job::pipe()?;
    let (report, theirs) = job::record_pair()?;
    match sys::clone_in_child(Clone::default())? {
        Side::Parent(pid, process) => Ok(Started::Parent(Running { pid, process, output, report })),
        Side::Child => {
            let prepared = prepare(stdin.fd(), printed.fd(), cwd);
            Ok(Started::Child { report: theirs.keep(), prepared })
        }
    }
}

/// The streams and the place of a hook. Every other descriptor, whoever left it open, ends with exec.
fn prepare(stdin: i32, printed: i32, cwd: Option<i32>) -> Result<()> {
    job::lead_group()?;
    // A hook must not work on for a runtime that was killed and whose container is being removed.
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64, 0)?;
    sys::dup_to(stdin, 0)?;
    sys::dup_to(printed, 1)?;
    sys::dup_to(printed, 2)?;
    job::close_on_exec_from(3)?;
    cwd.map_or(Ok(()), sys::fchdir)
}

impl Running {
    /// Waits for the end of the hook, and ends it when its time is over.
    pub(crate) fn finish(self, timeout: u32, container: Option<i32>, output: &mut Output) -> Result<()> {
        if let Err(fault) = self.attend(timeout, container, output) {
            job::kill_group(self.pid, self.process.fd());
            job::wait_child(self.process.fd())?;
            output.drain(self.output.fd())?;
            return Err(fault);
        }
        output.drain(self.output.fd())?;
        match (job::wait_child(self.process.fd())?, self.failed()?) {
            (_, Some(fault)) => Err(fault),
            (End::Code(0), None) => Ok(()),
            (End::Code(code), None) => Err(Fault { op: Op::HookCode, errno: code }),
            (End::Signal(signal), None) => Err(Fault { op: Op::HookSignal, errno: signal }),
        }
    }

    /// Reads what it prints until it has ended, which does not take anybody else to close the pipe.
    fn attend(&self, timeout: u32, container: Option<i32>, output: &mut Output) -> Result<()> {
        let timer = if timeout == 0 { None } else { Some(job::timer(timeout)?) };
        let timer = timer.as_ref().map_or(-1, Handle::fd);
        let mut pipe = self.output.fd();
        loop {
            match job::wait_any([self.process.fd(), timer, container.unwrap_or(-1), pipe])? {
                [true, ..] => return Ok(()),
                [_, true, ..] => return Err(Fault { op: Op::HookTimeout, errno: timeout as i32 }),
                [_, _, true, _] => return Err(Fault { op: Op::HookContainer, errno: libc::ESRCH }),
                _ => {
                    if !output.read(pipe)? {
                        pipe = -1;
                    }
                }
            }
        }
    }

    /// Why it did not become the hook, if it did not.
    fn failed(&self) -> Result<Option<Fault>> {
        let mut bytes = [0; Record::SIZE];
        if job::receive_now(self.report.fd(), &mut bytes)? != Record::SIZE {
            return Ok(None);
        }
        let record = Record::from_bytes(&bytes);
        let op = op::from_number(record.op).unwrap_or(Op::Decode);
        Ok(Some(Fault { op, errno: record.errno }))
    }
}
