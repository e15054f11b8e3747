//! `exec`: one more program in a container that exists.
//!
//! `Enter` is born in the container's cgroup, joins all namespaces of its first process at once, and clones the process
//! that will be the program: only children are in a joined pid namespace. From there on it is as for the container's own
//! program.

use std::path::{Component, Path, PathBuf};

use libcontainer_init::{Step, slot};

use super::build::Build;
use super::entry::{Actor, HostStep};
use super::process::{Cwd, become_program, become_user};
use super::request::{Request, SubCgroup};
use super::{Plan, Purpose, finished, host_mounts, resctrl, rootfs, scheduling};
use crate::facts::{Container, Member};
use crate::spec::{Membership, Process};
use crate::{Error, ErrorKind, Result};

pub(super) fn plan(request: &Request<'_>) -> Result<Plan> {
    let missing = || Error::new(ErrorKind::Internal, "exec was planned without a container and a process");
    let container = request.facts.container.as_ref().ok_or_else(missing)?;
    let process = request.config.process.as_ref().ok_or_else(missing)?;
    let mut build = Build::new(request);
    lend(&mut build, container)?;
    enter(&mut build, container, process);
    announce(&mut build, container, process);
    settle(&mut build, process);
    let ready = become_user(&mut build, process, Cwd::MustExist)?;
    let prepared = become_program(&mut build, process, ready)?;
    Ok(finished(build, Purpose::Exec, prepared))
}

fn lend(build: &mut Build<'_>, container: &Container) -> Result<()> {
    let options = build.request.options;
    if rootfs::program_needs_proc(build.request.config) {
        build.host(HostStep::LendProc);
    }
    if host_mounts::applies(build.request.config) {
        build.host(HostStep::LendRoot);
    }
    build.host(HostStep::LendContainer);
    let dirs = places(&container.cgroups, &options.sub_cgroups)?;
    // A container of a caller that may make none has no cgroup.
    if !dirs.is_empty() {
        build.host(HostStep::OpenCgroup { dirs });
    }
    if let Some(path) = &options.console_socket {
        build.host_for(HostStep::ConnectConsole { path: path.clone() }, "/process/terminal");
    }
    if options.streams {
        build.host(HostStep::LendStreams);
    }
    Ok(())
}

/// The way in. With CPUs to begin on, the process must be on them before it is in the cgroup.
fn enter(build: &mut Build<'_>, container: &Container, process: &Process) {
    let unified = container.cgroups.iter().any(|member| member.unified);
    let has_v1 = container.cgroups.iter().any(|member| !member.unified);
    let initial = process.exec_affinity.initial.as_ref();
    let into_cgroup = unified && initial.is_none();
    build.clone(Actor::Enter, 0, into_cgroup);
    if let Some(cpus) = initial {
        let cpus = scheduling::mask(build, cpus);
        build.enter(Step::Affinity { cpus }, Some("/process/execCPUAffinity/initial".into()));
        if !container.cgroups.is_empty() {
            build.host(HostStep::EnterCgroup { all: true });
        }
    } else if has_v1 {
        build.host(HostStep::EnterCgroup { all: false });
        build.meanwhile();
    }
    build.enter(Step::Hide, None);
    // A container may have none but the caller's.
    if container.namespaces != 0 {
        build.enter(Step::JoinProcess { slot: slot::CONTAINER, kinds: container.namespaces }, None);
    }
    build.enter(Step::CloneInit { flags: 0 }, None);
    build.host(HostStep::Adopt);
}

/// What the host does for the new process, and whom it tells of it. It waits meanwhile, and needs no other turn.
fn announce(build: &mut Build<'_>, container: &Container, process: &Process) {
    let (config, options) = (build.request.config, build.request.options);
    resctrl::join(build, container.resctrl.clone());
    let has_user = config.namespaces.user.membership != Membership::Host;
    if let Some(value) = process.oom_score_adj.filter(|_| has_user) {
        build.host_for(HostStep::OomScore { value }, "/process/oomScoreAdj");
    }
    scheduling::by_host(build, process);
    if let Some(path) = &options.pidfd_socket {
        build.host(HostStep::SendPidfd { path: path.clone() });
    }
    if let Some(path) = &options.pid_file {
        build.host(HostStep::PidFile { path: path.clone() });
    }
}

/// Everything up to a process at home in the container, with streams of its own.
fn settle(build: &mut Build<'_>, process: &Process) {
    let (config, options) = (build.request.config, build.request.options);
    if config.namespaces.user.membership != Membership::Host {
        build.init(Step::BecomeRoot);
    }
    build.init(if host_mounts::applies(config) { Step::ChangeRoot } else { Step::OpenRoot });
    match &process.exec_affinity.last {
        Some(cpus) => {
            let cpus = scheduling::mask(build, cpus);
            build.init_for(Step::Affinity { cpus }, "/process/execCPUAffinity/final");
        }
        None if process.exec_affinity.initial.is_none() => build.init(Step::ResetAffinity),
        // The kernel has decided when the process came into the cgroup.
        None => {}
    }
    build.init(Step::NewSession);
    if !options.no_new_keyring {
        rootfs::keyring(build);
    }
    if process.terminal {
        let (rows, columns) = process.console_size.unwrap_or_default();
        let plain_lines = options.plain_lines;
        let step = Step::Terminal { console: false, plain_lines, uid: process.uid, rows, columns };
        build.init_for(step, "/process/terminal");
    }
    if options.streams {
        build.init(Step::Streams);
    }
}

/// Where the program goes in each hierarchy.
fn places(members: &[Member], subs: &[SubCgroup]) -> Result<Vec<PathBuf>> {
    let has = |member: &Member, name: &String| member.controllers.contains(name);
    for name in subs.iter().filter_map(|sub| sub.controller.as_ref()) {
        if !members.iter().any(|member| has(member, name)) {
            return Err(refused(format!("unknown controller {name} in the sub-cgroups")));
        }
    }
    let place = |member: &Member| {
        let fits = |sub: &&SubCgroup| sub.controller.as_ref().is_none_or(|name| has(member, name));
        match subs.iter().find(fits) {
            Some(sub) => below(&member.dir, &sub.path),
            None => Ok(member.occupied.clone().unwrap_or_else(|| member.dir.clone())),
        }
    };
    members.iter().map(place).collect()
}

fn below(dir: &Path, sub: &str) -> Result<PathBuf> {
    let mut path = dir.to_owned();
    for part in Path::new(sub).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(refused(format!("bad sub cgroup path: {sub}: it leads up")));
            }
        }
    }
    Ok(path)
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidOption, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(dir: &str, controllers: &[&str]) -> Member {
        let controllers = controllers.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        Member { dir: dir.into(), unified: controllers.is_empty(), controllers, occupied: None }
    }

    fn sub(controller: Option<&str>, path: &str) -> SubCgroup {
        SubCgroup { controller: controller.map(str::to_owned), path: path.into() }
    }

    fn shown(members: &[Member], subs: &[SubCgroup]) -> Vec<String> {
        places(members, subs).unwrap().iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn a_program_goes_where_the_container_is_or_below() {
        let members = [member("/cg/cpu/c", &["cpu", "cpuacct"]), member("/cg/unified/c", &[])];
        assert_eq!(shown(&members, &[]), ["/cg/cpu/c", "/cg/unified/c"]);
        assert_eq!(shown(&members, &[sub(None, "a//b")]), ["/cg/cpu/c/a/b", "/cg/unified/c/a/b"]);
        assert_eq!(shown(&members, &[sub(None, "/")]), ["/cg/cpu/c", "/cg/unified/c"]);
        assert_eq!(shown(&members, &[sub(Some("cpuacct"), "/a")]), ["/cg/cpu/c/a", "/cg/unified/c"]);
        for wrong in
            [sub(None, ".."), sub(None, "a/../../b"), sub(Some("cpu"), "/../x"), sub(Some("io"), "a")]
        {
            let error = places(&members, &[wrong]).unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::InvalidOption, "{error}");
        }
    }

    #[test]
    fn a_cgroup_that_cannot_take_it_is_left_for_that_of_the_first_process() {
        let busy = Member { occupied: Some("/cg/c/init".into()), ..member("/cg/c", &[]) };
        assert_eq!(shown(std::slice::from_ref(&busy), &[]), ["/cg/c/init"]);
        assert_eq!(shown(&[busy], &[sub(None, "/")]), ["/cg/c"]);
    }
}
