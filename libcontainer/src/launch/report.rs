//! Failures in words.

use libcontainer_init::{Record, Step, op};
use rustix::io::Errno;

use super::hooks::{end, one_line};
use super::{Failure, Fault, end_of_turn};
use crate::error::HookFailure;
use crate::planner::{Action, Entry, HostStep, Plan, Tree};
use crate::spec::hook_place;
use crate::{Error, ErrorKind, StepFailure};

/// What a child's message says.
pub(super) fn child(plan: &Plan, record: Record, output: Vec<u8>) -> Failure {
    let index = usize::try_from(record.index).unwrap_or(usize::MAX);
    let is_hook = |entry: &&Entry| matches!(entry.action, Action::Child(Step::Hook(_)));
    let entry = plan.entries().get(index).filter(is_hook);
    let pointer = entry.and_then(|entry| entry.pointer.as_deref());
    let fault = match hook_failure(pointer, entry.and_then(|entry| plan.subject(entry)), record, output) {
        Some(failure) => Fault::Hook(Box::new(failure)),
        None => Fault::Call(op::name(record.op), Errno::from_raw_os_error(record.errno)),
    };
    (index, fault)
}

/// How a hook of the container's first process failed, if `pointer` leads to one: that and `subject`, the path, are of
/// the plan's entry.
pub(crate) fn hook_failure(
    pointer: Option<&str>,
    subject: Option<String>,
    record: Record,
    output: Vec<u8>,
) -> Option<HookFailure> {
    let (kind, number) = hook_place(pointer?)?;
    Some(HookFailure {
        kind: kind.to_owned(),
        number,
        path: subject.unwrap_or_default(),
        end: end(record.op, record.errno),
        output: one_line(output),
    })
}

/// The error of entry `index`.
pub(super) fn error(plan: &Plan, index: usize, fault: Fault) -> Error {
    let what = plan.title();
    let total = plan.entries().len();
    let entry = plan.entries().get(index);
    let step = entry.map_or_else(String::new, |entry| plan.describe(entry));
    let (operation, errno) = match fault {
        Fault::Call(operation, errno) => (operation, errno),
        // These errors have a kind that callers match on, and the words for it.
        Fault::Error(error)
            if !matches!(error.kind(), ErrorKind::Os | ErrorKind::Cgroup | ErrorKind::Criu) =>
        {
            return error;
        }
        Fault::Error(error) => {
            let pointer = entry.and_then(|entry| entry.pointer.as_ref());
            let pointer = pointer.map_or_else(String::new, |pointer| format!(", {pointer}"));
            return error.context(format_args!("{what}: step {index} of {total}{pointer}: {step}"));
        }
        Fault::Hook(failure) => {
            let pointer = entry.and_then(|entry| entry.pointer.as_deref()).unwrap_or_default();
            let message = format!("{what}: step {index} of {total}, {pointer}: {step}: {failure}");
            return Error::new(ErrorKind::Hook(*failure), message);
        }
        Fault::Died(how) => {
            let place = turn(plan, index);
            let who = plan.process_name();
            return Error::new(ErrorKind::Os, format!("{what}: {place}: {who} {how}"));
        }
    };
    let failure = StepFailure {
        index,
        total,
        pointer: entry.and_then(|entry| entry.pointer.clone()),
        step,
        subject: entry.and_then(|entry| plan.subject(entry)),
        operation,
        errno: errno.raw_os_error(),
        hint: entry.and_then(|entry| hint(entry, operation, errno)),
    };
    let message = format!("{what}: {failure}");
    Error::new(ErrorKind::Setup(failure), message)
}

const NAMESPACE_LIMIT: &str = "a limit of namespaces is reached: see /proc/sys/user/max_*_namespaces";

/// What to try after a step of the host.
fn host_hint(step: &HostStep, operation: &str, errno: Errno) -> Option<&'static str> {
    match (step, operation, errno) {
        (
            HostStep::Clone { .. } | HostStep::IdNamespace { .. } | HostStep::LockMounts,
            "clone3",
            Errno::NOSPC,
        ) => Some(NAMESPACE_LIMIT),
        (HostStep::BeginNetwork, "clone", Errno::AGAIN) => Some(
            "it takes a thread: see ulimit -u and pids.max of the caller's cgroup; a caller that has unshared its pid \
             namespace, or is the last in one, can make none",
        ),
        (HostStep::SendNetwork { .. }, "unshare", Errno::NOSPC) => Some(NAMESPACE_LIMIT),
        (HostStep::LendTree(tree), ..) => tree_hint(tree, operation, errno),
        (HostStep::IdMaps { .. }, "write", Errno::PERM) => Some(
            "an id on the host's side is not the caller's to give: see /proc/self/uid_map and /proc/self/gid_map; \
             mapping 0 needs CAP_SETFCAP",
        ),
        (HostStep::TimeOffsets(_), _, Errno::RANGE) => {
            Some("a clock can be neither negative nor more than 146 years ahead")
        }
        (HostStep::Schedule(_), _, Errno::PERM) => Some(
            "real-time policies and a negative nice value need CAP_SYS_NICE; SCHED_DEADLINE needs the whole machine's \
             CPUs, and a real-time policy on cgroup v1 a cpu.rt_runtime_us",
        ),
        (HostStep::Schedule(_), _, Errno::BUSY) => Some("the CPUs have no time left for this SCHED_DEADLINE"),
        (HostStep::Schedule(_), _, Errno::OPNOTSUPP | Errno::INVAL) => {
            Some("the kernel does not have this policy or flag")
        }
        (HostStep::IoPriority(_), _, Errno::PERM) => Some("IOPRIO_CLASS_RT needs CAP_SYS_NICE"),
        _ => None,
    }
}

/// The steps among which a child ended that said no word: those of its turn.
fn turn(plan: &Plan, first: usize) -> String {
    let total = plan.entries().len();
    let step =
        |index: usize| plan.entries().get(index).map_or_else(String::new, |entry| plan.describe(entry));
    let last = end_of_turn(plan, first).saturating_sub(1);
    if last <= first {
        return format!("step {first} of {total}: {}", step(first));
    }
    format!("steps {first} to {last} of {total}, {} to {}", step(first), step(last))
}

/// What to try, where it is known.
fn hint(entry: &Entry, operation: &str, errno: Errno) -> Option<&'static str> {
    if errno == Errno::NOSYS {
        return Some("this needs Linux 5.14 or newer, and a sandbox around the runtime must allow the call");
    }
    let step = match &entry.action {
        Action::Host(step) => return host_hint(step, operation, errno),
        Action::Child(step) => step,
    };
    match (step, operation, errno) {
        (Step::CloneInit { .. } | Step::Unshare { .. }, _, Errno::NOSPC) => Some(NAMESPACE_LIMIT),
        (Step::JoinProcess { .. }, "setns", Errno::SRCH)
        | (Step::CloneInit { .. }, "clone3", Errno::NOMEM) => Some("the container's first process has ended"),
        (Step::Join { .. }, "setns", Errno::PERM) => {
            Some("its user namespace gives this container no privilege over it: join that one as well")
        }
        (Step::MemoryPolicy { .. }, _, Errno::INVAL) => {
            Some("the machine or the cpuset does not have these memory nodes, or the kernel not this mode")
        }
        (Step::Attributes { .. }, "mount_setattr", Errno::INVAL)
        | (Step::Reconfigure { .. } | Step::Cover { .. }, "fspick", _) => {
            Some("nothing is mounted there: only a mount can be changed")
        }
        (Step::Attributes { .. }, "mount_setattr", Errno::PERM) => Some(LOCKED),
        (Step::Mount { .. } | Step::Attach { .. }, "verify", _) => {
            Some("it must be mounted on an ordinary directory: the image has a symlink there, or a file")
        }
        (Step::Mount { .. }, "fsopen", Errno::NODEV) => {
            Some("this kernel does not have the file system type")
        }
        (Step::Mount { .. }, "fsconfig", Errno::INVAL) => Some(OPTION),
        (Step::Mount { .. }, "fsmount" | "fsconfig", Errno::PERM) => {
            Some("in a user namespace, sysfs needs a network namespace and proc a pid namespace of its own")
        }
        (Step::Attach { .. }, "move_mount", Errno::NOTDIR) => {
            Some("a file can only be mounted on a file, and a folder on a folder")
        }
        (Step::Mask { .. }, "verify", _) => Some("/dev/null in the container is not the null device"),
        (Step::Pivot, "pivot_root", Errno::INVAL) => Some("on a ramdisk use --no-pivot"),
        (Step::Rlimit { .. }, _, Errno::PERM) => Some("raising a hard limit needs CAP_SYS_RESOURCE"),
        (Step::ProcWrite { .. }, "openat2", Errno::XDEV) => {
            Some("something is mounted over this file of /proc")
        }
        (Step::Node { .. }, _, Errno::EXIST) => Some("the image has another file of that name"),
        (Step::Groups { .. }, _, Errno::PERM) => Some("setgroups is denied in this user namespace"),
        (Step::Seccomp { .. }, _, Errno::INVAL) => Some("this kernel does not know one of the flags"),
        (Step::Seccomp { .. }, _, Errno::BUSY) => {
            Some("a filter around the runtime has a listener already, and the kernel allows one")
        }
        (Step::Seccomp { .. }, _, Errno::ACCESS) => {
            Some("set process.noNewPrivileges, or grant CAP_SYS_ADMIN")
        }
        _ => None,
    }
}

const OPTION: &str =
    "the file system does not know one of the options, or an id in them has no place in the user namespace";

const LOCKED: &str = "a flag that a more privileged mount namespace has set is locked: do not clear it";

/// Of mounts that the host prepares.
fn tree_hint(tree: &Tree, operation: &str, errno: Errno) -> Option<&'static str> {
    match (operation, errno) {
        ("mount_setattr", Errno::INVAL) if tree.idmap.is_some() => {
            Some("its file system, or this kernel for it, has no idmapped mounts")
        }
        ("mount_setattr", Errno::PERM) if tree.idmap.is_some() => {
            Some("it is idmapped already, or its file system belongs to another user namespace")
        }
        ("mount_setattr", Errno::PERM) => Some(LOCKED),
        ("open_tree", Errno::PERM) => {
            Some("mounting needs root, or a user namespace in the configuration: see spec --rootless")
        }
        ("open_tree", Errno::INVAL) if !tree.recursive => {
            Some("mounts below it are locked in this user namespace: use rbind")
        }
        ("fsopen", Errno::NODEV) => Some("this kernel does not have the file system type"),
        ("fsconfig", Errno::INVAL) => Some(OPTION),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::Actor;

    #[test]
    fn a_missing_system_call_leads_to_the_kernel() {
        let entry = |actor, action| Entry { actor, action, pointer: None, meanwhile: false };
        let host = entry(Actor::Host, Action::Host(HostStep::LendProc));
        let init = entry(Actor::Init, Action::Child(Step::Pivot));
        for entry in [host, init] {
            assert!(hint(&entry, "openat2", Errno::NOSYS).is_some_and(|hint| hint.contains("Linux 5.14")));
            assert_eq!(hint(&entry, "openat2", Errno::NOENT), None);
        }
    }

    #[test]
    fn a_thread_that_cannot_be_made_leads_to_the_limits() {
        let action = Action::Host(HostStep::BeginNetwork);
        let entry = Entry { actor: Actor::Host, action, pointer: None, meanwhile: false };
        assert!(hint(&entry, "clone", Errno::AGAIN).is_some_and(|hint| hint.contains("pids.max")));
    }
}
