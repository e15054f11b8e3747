//! The program: who it runs as, what it may do, and the order in which privileges go.
//!
//! The order is the point. Limits and the change of user need privileges, so they come first. The filter is the very
//! last thing, so that it need not allow anything of ours but `execve` (and two calls on the link, if it has a listener).

use libcontainer_init::step::Instruction;
use libcontainer_init::{Step, Text};

use super::build::Build;
use super::entry::HostStep;
use super::hooks;
use super::notify;
use super::rehearsal;
use super::request::Options;
use super::scheduling;
use crate::cgroup::Devices;
use crate::spec::{Capabilities, Membership, Process};
use crate::{Error, ErrorKind, Result, seccomp};

/// What the steps of the program point to.
#[derive(Default)]
pub(super) struct Prepared {
    pub(super) filter: Vec<Instruction>,
    pub(super) argv: Vec<Text>,
    pub(super) envp: Vec<Text>,
}

/// What a shell searches if `PATH` is not set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) fn plan(build: &mut Build<'_>, devices: Devices) -> Result<Prepared> {
    let Some(process) = &build.request.config.process else {
        created(build, devices);
        if !build.request.options.at_once {
            build.init(Step::WaitForStart);
        }
        build.init(Step::Signals);
        build.init_for(Step::Exec, "/process");
        return Ok(Prepared::default());
    };
    let ready = become_user(build, process, Cwd::Made)?;
    created(build, devices);
    if !build.request.options.at_once {
        build.init(Step::WaitForStart);
    }
    hooks::before_program(build);
    let prepared = become_program(build, process, ready)?;
    hooks::after_program(build);
    Ok(prepared)
}

/// What becomes of a working folder that is missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cwd {
    /// It is made.
    Made,
    /// It is an error.
    MustExist,
}

/// What is left to be done for a process that is its user already.
pub(super) struct Ready {
    capabilities: Capabilities,
    filter: Option<seccomp::Filter>,
    envp: Vec<Text>,
}

/// Up to a process that has its user, its limits and its place, and privileges still.
pub(super) fn become_user(build: &mut Build<'_>, process: &Process, cwd: Cwd) -> Result<Ready> {
    let capabilities = grantable(build, process);
    label(build, process)?;
    identity(build, process, &capabilities, cwd);
    let envp = environment(build, process);
    limits(build, process);
    let filter = filter(build)?;
    Ok(Ready { capabilities, filter, envp })
}

/// The rest of the way.
pub(super) fn become_program(build: &mut Build<'_>, process: &Process, ready: Ready) -> Result<Prepared> {
    let Ready { capabilities, filter, envp } = ready;
    build.init(Step::Signals);
    give_up_privileges(build, process, &capabilities, filter.as_ref());
    build.init_for(Step::Exec, "/process/args/0");
    if let Some(filter) = &filter {
        rehearsal::rehearse(build, &filter.instructions)?;
    }
    let argv = process.args.iter().map(|arg| build.pool.text(arg)).collect();
    let filter = filter.map(|filter| filter.instructions).unwrap_or_default();
    Ok(Prepared { filter, argv, envp })
}

/// The host's last turn: what holds for the program, and what tells others that the container exists.
fn created(build: &mut Build<'_>, devices: Devices) {
    let options = build.request.options;
    if options.at_once {
        // Nobody acts on a container that runs before its `run` has said so; one that is created may be started.
        build.host(HostStep::Record { running: true });
        build.meanwhile();
        restrict(build, devices);
        schedule(build);
    } else {
        restrict(build, devices);
        schedule(build);
        build.host(HostStep::Record { running: false });
    }
    if let Some(path) = &options.pidfd_socket {
        build.host(HostStep::SendPidfd { path: path.clone() });
    }
    if let Some(path) = &options.pid_file {
        build.host(HostStep::PidFile { path: path.clone() });
    }
}

/// The set-up is over and has run as fast as it could.
fn schedule(build: &mut Build<'_>) {
    if let Some(process) = &build.request.config.process {
        scheduling::by_host(build, process);
    }
}

fn restrict(build: &mut Build<'_>, devices: Devices) {
    // A program is there or not; of several writes the first denies all, and the child may be making its nodes.
    let at_one_stroke = matches!(devices, Devices::Program(_));
    if devices != Devices::Unrestricted {
        build.host_for(HostStep::Devices(devices), "/linux/resources/devices");
        if at_one_stroke {
            build.meanwhile();
        }
    }
}

/// The sets without what this host cannot give; one warning names all that was dropped.
fn grantable(build: &mut Build<'_>, process: &Process) -> Capabilities {
    let own = build.request.facts.grantable_capabilities(build.request.config);
    let asked = process.capabilities;
    let dropped = (asked.bounding | asked.effective | asked.inheritable | asked.permitted) & !own;
    if dropped != 0 {
        let names: Vec<String> =
            (0..64).filter(|bit| dropped & (1 << bit) != 0).map(capability_name).collect();
        let message = format!("cannot be granted here and were dropped: {}", names.join(", "));
        let pointer = "/process/capabilities";
        match build.warnings.iter_mut().find(|warning| warning.pointer == pointer) {
            Some(warning) => warning.message = format!("{}; {message}", warning.message),
            None => build.warn(pointer, message),
        }
    }
    let permitted = asked.permitted & own;
    let inheritable = asked.inheritable & own;
    Capabilities {
        bounding: asked.bounding & own,
        effective: asked.effective & permitted,
        permitted,
        inheritable,
        ambient: asked.ambient & permitted & inheritable,
    }
}

fn capability_name(number: u8) -> String {
    let all = caps::all();
    let known = all.iter().find(|capability| capability.index() == number);
    known.map_or_else(|| format!("capability {number}"), ToString::to_string)
}

/// Labels and the OOM score go through the host's procfs while the process is still root.
fn label(build: &mut Build<'_>, process: &Process) -> Result<()> {
    let lsms = build.request.facts.lsms.clone();
    let has = |name: &str| lsms.iter().any(|lsm| lsm == name);
    if let Some(profile) = &process.apparmor_profile {
        if has("apparmor") {
            write(build, "self/attr/apparmor/exec", &format!("exec {profile}"), "/process/apparmorProfile");
        } else {
            build.warn(
                "/process/apparmorProfile",
                "the running kernel has no AppArmor: the profile is NOT applied",
            );
        }
    }
    if let Some(context) = &process.selinux_label {
        if has("selinux") {
            write(build, "self/attr/exec", context, "/process/selinuxLabel");
        } else {
            build
                .warn("/process/selinuxLabel", "the running kernel has no SELinux: the label is NOT applied");
        }
    }
    let has_user = build.request.config.namespaces.user.membership != Membership::Host;
    if let Some(score) = process.oom_score_adj.filter(|_| !has_user) {
        write(build, "self/oom_score_adj", &score.to_string(), "/process/oomScoreAdj");
    }
    Ok(())
}

fn write(build: &mut Build<'_>, path: &str, value: &str, pointer: &str) {
    let (path, value) = (build.pool.text(path), build.pool.text(value));
    build.init_for(Step::ProcWrite { path, value }, pointer);
}

/// Bounding set, groups, working folder, user: what was root's becomes the user's.
fn identity(build: &mut Build<'_>, process: &Process, capabilities: &Capabilities, cwd: Cwd) {
    let make = cwd == Cwd::Made;
    let last = build.request.facts.last_capability;
    build.init_for(Step::Bounding { keep: capabilities.bounding, last }, "/process/capabilities/bounding");
    let groups = build.pool.words(&process.additional_gids);
    let is_mapped = build.request.facts.nested_user
        || build.request.config.namespaces.user.membership != Membership::Host;
    let or_keep = is_mapped && process.additional_gids.is_empty();
    build.init_for(Step::Groups { groups, or_keep }, "/process/user/additionalGids");
    let cwd = build.pool.text(&process.cwd);
    build.init_for(Step::Cwd { path: cwd, make }, "/process/cwd");
    if let Some(place) = missing_home(process) {
        build.init_for(Step::Home { uid: process.uid, place }, "/process/env");
    }
    let has_user = build.request.config.namespaces.user.membership != Membership::Host;
    // A terminal is made for the user.
    if (process.uid != 0 || has_user) && !process.terminal {
        build.init_for(Step::OwnStreams { uid: process.uid }, "/process/user/uid");
    }
    build.init_for(Step::User { uid: process.uid, gid: process.gid }, "/process/user");
    build.init_for(Step::CwdAgain { path: cwd }, "/process/cwd");
    let in_path = process.args.first().is_some_and(|program| !program.contains('/'));
    let candidates = build.pool.list(candidates(process));
    build.init_for(Step::Find { candidates, in_path }, "/process/args/0");
}

/// Where in the environment `HOME` belongs, if it has to be looked up: after the rest if it is not there.
fn missing_home(process: &Process) -> Option<u32> {
    match process.env.iter().position(|entry| entry.starts_with("HOME=")) {
        Some(place) if process.env.get(place).is_some_and(|entry| entry == "HOME=") => Some(place as u32),
        Some(_) => None,
        None => Some(process.env.len() as u32),
    }
}

/// A program with a slash is itself; any other is looked for in the container's `PATH`.
fn candidates(process: &Process) -> Vec<String> {
    let Some(program) = process.args.first() else { return Vec::new() };
    if program.contains('/') {
        return vec![program.clone()];
    }
    let path = process.env.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
    let folders = path.split(':').map(|folder| if folder.is_empty() { "." } else { folder });
    folders.map(|folder| format!("{folder}/{program}")).collect()
}

/// What tells the program of the sockets that it is started with (sd_listen_fds(3)), and of the one that it tells its
/// state to. Its pid is 1 to itself, or else the sockets are not meant for it.
fn announced(options: &Options) -> Vec<String> {
    let mut announced = Vec::new();
    if options.listen_fds > 0 {
        announced.extend([format!("LISTEN_FDS={}", options.listen_fds), "LISTEN_PID=1".to_owned()]);
        announced.extend(options.listen_names.iter().map(|names| format!("LISTEN_FDNAMES={names}")));
    }
    announced.extend(options.notify.then(notify::variable));
    announced
}

/// The environment; a place for `HOME` holds an empty text until the passwd file was read.
fn environment(build: &mut Build<'_>, process: &Process) -> Vec<Text> {
    let announced = announced(build.request.options);
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let ours = |entry: &str| announced.iter().find(|other| name(other) == name(entry));
    let mut envp: Vec<Text> = Vec::with_capacity(process.env.len() + 1 + announced.len());
    for entry in &process.env {
        envp.push(build.pool.text(ours(entry).unwrap_or(entry)));
    }
    if missing_home(process) == Some(envp.len() as u32) {
        envp.push(build.pool.text("HOME=/"));
    }
    for entry in &announced {
        if !process.env.iter().any(|other| name(other) == name(entry)) {
            envp.push(build.pool.text(entry));
        }
    }
    envp
}

/// Limits come late, since the set-up itself must work under them, but while hard limits can still be raised.
fn limits(build: &mut Build<'_>, process: &Process) {
    if process.uid != 0 {
        let permitted = build.request.facts.grantable_capabilities(build.request.config);
        build.init_for(Step::Regain { permitted }, "/process/capabilities");
    }
    for (index, limit) in process.rlimits.iter().enumerate() {
        let step = Step::Rlimit { resource: limit.resource, soft: limit.soft, hard: limit.hard };
        build.init_for(step, format!("/process/rlimits/{index}"));
    }
    build.init_for(Step::Umask { mask: process.umask }, "/process/user/umask");
    scheduling::by_init(build);
}

fn filter(build: &mut Build<'_>) -> Result<Option<seccomp::Filter>> {
    let Some(profile) = &build.request.config.seccomp else { return Ok(None) };
    let Some(arch) = seccomp::native_arch() else {
        let message =
            "/linux/seccomp: this machine's architecture has no syscall table here (drop linux.seccomp)";
        return Err(Error::new(ErrorKind::Unsupported { pointer: "/linux/seccomp".into() }, message));
    };
    let filter = seccomp::compile(profile, arch)?;
    build.warnings.extend(filter.warnings.iter().cloned());
    Ok(Some(filter))
}

/// Loading a filter needs `CAP_SYS_ADMIN` unless no_new_privs is set. It is kept for that in the process's own sets, which
/// end with exec: the kernel makes the program's sets of the bounding, inheritable and ambient ones, whatever the
/// permitted and effective ones were (capabilities(7), "Transformation of capabilities during execve()").
const SYS_ADMIN: u64 = 1 << 21;

fn give_up_privileges(
    build: &mut Build<'_>,
    process: &Process,
    capabilities: &Capabilities,
    filter: Option<&seccomp::Filter>,
) {
    let &Capabilities { effective, permitted, inheritable, ambient, .. } = capabilities;
    let needed = if filter.is_some() && !process.no_new_privileges { SYS_ADMIN } else { 0 };
    let kept = needed & build.request.facts.grantable_capabilities(build.request.config);
    let (effective, permitted) = (effective | kept, permitted | kept);
    build
        .init_for(Step::Capabilities { effective, permitted, inheritable, ambient }, "/process/capabilities");
    if process.no_new_privileges {
        build.init_for(Step::NoNewPrivileges, "/process/noNewPrivileges");
    }
    let Some(filter) = filter else { return };
    build.init_for(Step::Seccomp { flags: filter.flags }, "/linux/seccomp");
    if let Some(listener) = &filter.listener {
        build.host_for(HostStep::SendListener(listener.clone()), "/linux/seccomp/listenerPath");
    }
}
