//! The loop over the steps.

use crate::buffer::Buffer;
use crate::hook::{Hook, Started};
use crate::kernel::Kernel;
use crate::link::{self, Record};
use crate::op::Op;
use crate::output::Output;
use crate::program::{CText, Program};
use crate::resolve::Parent;
use crate::slot::{CGROUP, GATE, PROC};
use crate::step::Step;
use crate::sys::{self, Clone, Handle, Side};
use crate::{Fault, Result, console, cwd, device, exec, hook, ids, mask, mount, pivot};

/// What steps leave to later steps.
struct Context<'p, 'a> {
    program: &'p mut Program<'a>,
    /// Who is told of failures: the creator, and after the gate `start`.
    link: i32,
    /// The program to execute, once found.
    found: Option<CText<'a>>,
    /// Whether root could enter the working folder.
    entered: bool,
    /// The folder of the node or link that was made last.
    parent: Option<Parent<'a>>,
    /// The folder of what was attached last.
    beside: Option<Parent<'a>>,
    /// The mounts at `/proc` and `/sys`.
    kernel: Kernel,
    /// The text of `HOME=`, which the environment points to.
    home: Buffer,
    /// The hook that this process will become instead of the program: a copy of the first process made for it.
    hook: Option<Hook>,
    /// What the hook that failed has printed.
    output: Output,
    /// The listener of the filter, which the host gets when the turn ends. It is left open until exec: under the filter
    /// no call is made that is not needed.
    listener: Option<i32>,
}

/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`, `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV`.
const NEW_LISTENER: u32 = 1 << 3;
const LISTENER_FLAGS: u32 = NEW_LISTENER | 1 << 5;

/// What the loop does after a step.
enum Next {
    /// The step after this one.
    Step,
    /// As above, but in the process that `Enter` cloned, which has nothing to report.
    Cloned,
}

/// Executes the child's part of a plan. To be called in a child that [`sys::clone`] made, and in no other process.
pub fn run(program: &mut Program<'_>) -> ! {
    let host_link = program.host_link as u32;
    if program.host_link >= 0 && sys::close_range(host_link, host_link).is_err() {
        sys::exit(1);
    }
    let entries = program.entries;
    let mut next = program.cloned_by.wrapping_add(1);
    let mut has_news = false;
    let link = program.link;
    let mut context = Context {
        program,
        link,
        found: None,
        entered: false,
        parent: None,
        beside: None,
        kernel: Kernel::default(),
        home: Buffer::new(),
        hook: None,
        output: Output::new(),
        listener: None,
    };
    for entry in entries {
        // The process that becomes a hook has no host: what it goes through is the first process's way once more.
        if entry.index != next && context.hook.is_none() {
            context.turn(next.wrapping_sub(1), has_news);
        }
        match context.take(entry.index, &entry.step) {
            // A process that was just cloned has nothing to report.
            Ok(after) => has_news = !matches!(after, Next::Cloned),
            Err(fault) => {
                // Nobody may be there to hear it; the exit says the same, with fewer words.
                let record = Record::failed(entry.index, fault);
                let _: Result<()> = link::send_failure(context.link, record, &context.output);
                sys::exit(1);
            }
        }
        next = entry.index.wrapping_add(1);
    }
    sys::exit(0)
}

impl<'a> Context<'_, 'a> {
    /// The host's turn. Without a host (it was killed) the child ends, whatever it has made so far with it.
    fn turn(&mut self, index: u32, has_news: bool) {
        let link = self.link;
        if has_news && link::send(link, Record::done(index), self.listener.take()).is_err() {
            sys::exit(1);
        }
        if link::await_go(link, self.program).is_err() {
            sys::exit(1);
        }
    }

    fn take(&mut self, index: u32, step: &Step) -> Result<Next> {
        if let Step::CloneInit { flags } = *step {
            return self.clone_init(index, flags);
        }
        if !matches!(step, Step::Node { .. } | Step::Link { .. }) {
            self.parent = None;
        }
        if !matches!(step, Step::Attach { .. }) {
            self.beside = None;
        }
        self.namespaces(step)
            .or_else(|| self.file_system(step))
            .or_else(|| self.identity(step))
            .unwrap_or_else(|| self.program(step))?;
        Ok(Next::Step)
    }

    fn namespaces(&mut self, step: &Step) -> Option<Result<()>> {
        Some(match *step {
            Step::CloseFds => self.close_fds(),
            Step::Hide => sys::prctl(libc::PR_SET_DUMPABLE, 0, 0),
            Step::Join { slot, kind } => self.program.slot(slot).and_then(|fd| sys::setns(fd, kind)),
            Step::JoinProcess { slot, kinds } => {
                self.program.slot(slot).and_then(|process| sys::setns(process, kinds))
            }
            Step::Unshare { flags } => sys::unshare(flags),
            Step::BecomeRoot => ids::become_root(),
            Step::ResetAffinity => sys::reset_affinity(),
            Step::Affinity { cpus } => self.program.words(cpus).and_then(sys::set_affinity),
            Step::NewSession => sys::setsid(),
            Step::Keyring { name } => match self.program.text(name).and_then(sys::join_session_keyring) {
                // A kernel without keyrings has nothing that could be shared.
                Err(Fault { errno: libc::ENOSYS, .. }) => Ok(()),
                joined => joined,
            },
            Step::LoopbackUp => sys::loopback_up(),
            Step::ProcWrite { path, value } => self.proc_write(path, value),
            Step::Hostname { name } => {
                self.program.text(name).and_then(|name| sys::sethostname(name.bytes()))
            }
            Step::Domainname { name } => {
                self.program.text(name).and_then(|name| sys::setdomainname(name.bytes()))
            }
            _ => return None,
        })
    }

    fn file_system(&mut self, step: &Step) -> Option<Result<()>> {
        let program = &mut *self.program;
        Some(match *step {
            Step::Propagate { propagation, detach_parent } => {
                pivot::propagate(program, propagation, detach_parent)
            }
            Step::TakeTree { path, slot, recursive } => mount::take(program, path, slot, recursive),
            Step::SetTree { tree, ref attr, recursive } => {
                program.slot(tree).and_then(|tree| sys::mount_setattr(tree, recursive, attr))
            }
            Step::AttachRoot { at } => pivot::attach(program, at),
            Step::OpenRoot => pivot::open_root(program),
            Step::Mount { ref fs, ref attr, target, strict } => {
                mount::mount(program, &mut self.kernel, fs, attr, target, strict)
            }
            Step::MountText { fstype, source, options, flags, target } => {
                mount::mount_text(program, &mount::Texts { fstype, source, options, flags }, target)
            }
            Step::Reconfigure { config, target } => mount::reconfigure(program, config, target),
            Step::Attach { tree, target, file, strict } => {
                mount::attach(program, &mut self.beside, tree, target, file, strict)
                    .and_then(|()| self.kernel.attached(program, target, tree))
            }
            Step::Attributes { target, ref attr, recursive } => {
                mount::attributes(program, target, attr, recursive)
            }
            Step::Cover { target, ref attr, recursive } => {
                mount::cover(program, &mut self.kernel, target, attr, recursive)
            }
            Step::Node { path, mode, device, uid, gid } => {
                device::node(program, &mut self.parent, &device::Node { path, mode, device, uid, gid })
            }
            Step::Link { path, target } => device::link(program, &mut self.parent, path, target),
            Step::Terminal { console, plain_lines, uid, rows, columns } => {
                console::terminal(program, &console::Terminal { console, plain_lines, uid, rows, columns })
            }
            Step::Pivot => pivot::pivot(program),
            Step::MoveRoot => pivot::move_root(program),
            Step::ChangeRoot => pivot::change_root(program),
            Step::Label { target, label } => mount::label(program, target, label),
            Step::Mask { path, folder } => mask::mask(program, &self.kernel, path, folder),
            Step::ReadOnly { path } => mask::read_only(program, &mut self.kernel, path),
            _ => return None,
        })
    }

    fn identity(&mut self, step: &Step) -> Option<Result<()>> {
        Some(match *step {
            Step::Umask { mask } => sys::umask(mask),
            Step::Rlimit { resource, soft, hard } => sys::setrlimit(resource, soft, hard),
            Step::Bounding { keep, last } => ids::bounding(keep, last),
            Step::Groups { groups, or_keep } => {
                self.program.words(groups).and_then(|groups| ids::groups(groups, or_keep))
            }
            Step::Personality { domain } => sys::personality(domain),
            Step::MemoryPolicy { mode, nodes } => {
                self.program.words(nodes).and_then(|nodes| sys::set_mempolicy(mode, nodes))
            }
            Step::MakeCwd { path } => cwd::make(self.program, path),
            Step::Cwd { path, make } => {
                cwd::enter(self.program, path, make).map(|entered| self.entered = entered)
            }
            Step::Streams => ids::streams(self.program),
            Step::NullStreams => ids::null_streams(self.program),
            Step::OwnStreams { uid } => ids::own_streams(uid),
            Step::User { uid, gid } => ids::user(uid, gid),
            Step::CwdAgain { path } => cwd::enter_again(self.program, path, self.entered),
            Step::Regain { permitted } => ids::regain(permitted),
            Step::Capabilities { effective, permitted, inheritable, ambient } => {
                ids::capabilities(effective, permitted, inheritable, ambient)
            }
            Step::NoNewPrivileges => sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0),
            _ => return None,
        })
    }

    fn program(&mut self, step: &Step) -> Result<()> {
        match *step {
            Step::Home { uid, place } => self.home(uid, place),
            Step::Find { candidates, in_path } => {
                self.found = Some(exec::find(self.program, candidates, in_path)?);
                Ok(())
            }
            Step::WaitForStart => self.wait_for_start(),
            Step::Signals => exec::signals(),
            Step::Seccomp { flags } => self.load_filter(flags),
            Step::Hook(ref hook) => self.hook(hook),
            Step::Exec => Err(self.exec()),
            // It is the program's way that fails, and not the hook's.
            #[cfg(feature = "fault-injection")]
            Step::Fail { .. } if self.hook.is_some() => Ok(()),
            #[cfg(feature = "fault-injection")]
            Step::Fail { errno, .. } => Err(Fault { op: Op::Verify, errno }),
            #[cfg(feature = "fault-injection")]
            Step::Die => sys::exit(137),
            #[cfg(feature = "fault-injection")]
            Step::Trap => sys::load_filter(&crate::trap::FILTER, 0).map(drop),
            #[cfg(feature = "fault-injection")]
            Step::Trip => sys::trip(),
            _ => Err(Fault { op: Op::Decode, errno: libc::ENOSYS }),
        }
    }

    /// Closes the gaps between the descriptors to keep.
    fn close_fds(&self) -> Result<()> {
        let mut first = 0u32;
        for &fd in self.program.keep {
            let fd = fd as u32;
            if fd > first {
                sys::close_range(first, fd.wrapping_sub(1))?;
            }
            first = fd.wrapping_add(1);
        }
        sys::close_range(first, u32::MAX)
    }

    /// In `Enter` this reports the new process and ends; in the new process it returns.
    fn clone_init(&mut self, index: u32, flags: u32) -> Result<Next> {
        let flags = u64::from(flags) | libc::CLONE_PARENT as u64;
        let cgroup = self.program.slot(CGROUP).ok();
        match sys::clone_in_child(Clone { flags, cgroup })? {
            Side::Child => Ok(Next::Cloned),
            Side::Parent(pid, pidfd) => {
                let record = Record { pid, ..Record::done(index) };
                let told = sys::send(self.link, &record.to_bytes(), Some(pidfd.fd()));
                sys::exit(if told.is_ok() { 0 } else { 1 })
            }
        }
    }

    /// Nobody listens for a hook: the calls of which the listener would be asked do not exist for it.
    fn load_filter(&mut self, flags: u32) -> Result<()> {
        let flags = if self.hook.is_some() { flags & !LISTENER_FLAGS } else { flags };
        let listener = sys::load_filter(self.program.filter, flags)?;
        self.listener = (flags & NEW_LISTENER != 0).then_some(listener);
        Ok(())
    }

    fn proc_write(&self, path: crate::Text, value: crate::Text) -> Result<()> {
        let path = self.program.text(path)?;
        let resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_XDEV | libc::RESOLVE_NO_MAGICLINKS;
        let file: Handle = sys::openat2(self.program.slot(PROC)?, path, libc::O_WRONLY, resolve)?;
        sys::write(file.fd(), self.program.text(value)?.bytes())
    }

    fn home(&mut self, uid: u32, place: u32) -> Result<()> {
        crate::passwd::home(self.program, uid, &mut self.home)?;
        let text = self.home.text()?.as_ptr();
        match self.program.envp.get_mut(place as usize) {
            Some(entry) => {
                *entry = text;
                Ok(())
            }
            None => Err(Fault { op: Op::Decode, errno: libc::EFAULT }),
        }
    }

    /// In the process that waits for the hook this returns when it has ended. The process that becomes a confined hook
    /// goes on with the steps, to give up what the program would, and leaves the other hooks to the first process.
    fn hook(&mut self, hook: &Hook) -> Result<()> {
        if self.hook.is_some() {
            return Ok(());
        }
        self.output = Output::new();
        match hook::start_step(self.program, hook)? {
            Started::Parent(running) => running.finish(hook.timeout, None, &mut self.output),
            Started::Child { report, prepared } => {
                self.link = report;
                self.hook = Some(*hook);
                prepared?;
                if hook.confined {
                    return Ok(());
                }
                // What the set-up makes has exactly the modes asked for; a hook expects what is usual.
                sys::umask(0o022)?;
                Err(hook::execute(self.program, hook))
            }
        }
    }

    fn exec(&self) -> Fault {
        match (&self.hook, self.found) {
            (Some(hook), _) => hook::execute(self.program, hook),
            (None, Some(path)) => sys::execve(path, self.program.argv, self.program.envp),
            (None, None) => Fault { op: Op::Exec, errno: libc::ENOENT },
        }
    }

    /// A connection that says nothing is `state` asking whether anybody still waits.
    fn wait_for_start(&mut self) -> Result<()> {
        let gate = self.program.slot(GATE)?;
        loop {
            let caller = sys::accept(gate)?;
            if link::await_go(caller.fd(), self.program).is_ok() {
                self.link = caller.keep();
                return Ok(());
            }
        }
    }
}
