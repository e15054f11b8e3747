//! What a plan says of labels, sockets, id maps and the order of joins.

use libcontainer_init::Step;

use super::tests::Input;
use super::{Action, Actor, Entry, HostStep, MapWriter, Plan};
use crate::ErrorKind;
use crate::facts::Unprivileged;
use crate::spec::{IdMap, Membership, Namespace};

fn warned(plan: &Plan, pointer: &str) -> bool {
    plan.warnings()
        .iter()
        .any(|warning| warning.pointer == pointer && warning.message.contains("NOT applied"))
}

#[test]
fn labels_are_written_where_the_kernel_has_the_module_and_warned_of_where_not() {
    let mut input = Input::read("v2");
    let process = input.config.process.as_mut().unwrap();
    process.apparmor_profile = Some("web".into());
    process.selinux_label = Some("u:r:t:s0".into());
    let lines = [
        ("/process/apparmorProfile", "write \"exec web\" to /proc/self/attr/apparmor/exec"),
        ("/process/selinuxLabel", "write \"u:r:t:s0\" to /proc/self/attr/exec"),
    ];
    for modules in [vec![], vec!["apparmor"], vec!["selinux"], vec!["capability", "selinux", "apparmor"]] {
        input.facts.lsms = modules.iter().map(|name| (*name).to_owned()).collect();
        let plan = input.plan().unwrap();
        for (name, (pointer, line)) in ["apparmor", "selinux"].iter().zip(lines) {
            let has = modules.contains(name);
            assert_eq!(plan.to_string().contains(line), has, "{name} of {modules:?}");
            assert_eq!(warned(&plan, pointer), !has, "{name} of {modules:?}");
            assert_eq!(plan.to_string().contains(&format!("warning: {pointer}: ")), !has);
        }
    }
}

/// `VALUE` of each `NAME=VALUE` in the environment.
fn environment(plan: &Plan) -> Vec<String> {
    plan.envp.iter().map(|text| plan.pool.show(*text)).collect()
}

#[test]
fn sockets_are_announced_in_place_of_what_the_configuration_says() {
    let mut input = Input::read("v2");
    input.config.process.as_mut().unwrap().env =
        ["LISTEN_PID=7", "A=1", "LISTEN_FDS=9"].map(String::from).into();
    let plain = ["LISTEN_PID=7", "A=1", "LISTEN_FDS=9", "HOME=/"];
    assert_eq!(environment(&input.plan().unwrap()), plain);
    input.options.listen_fds = 2;
    let announced = ["LISTEN_PID=1", "A=1", "LISTEN_FDS=2", "HOME=/"];
    assert_eq!(environment(&input.plan().unwrap()), announced);
    input.options.listen_names = Some("a:b".into());
    assert_eq!(environment(&input.plan().unwrap()).last().unwrap(), "LISTEN_FDNAMES=a:b");
}

/// A container with a new user namespace and a caller that may not write its maps.
fn unprivileged() -> Input {
    let mut input = Input::read("id-map-own");
    let found = |name: &str| Some(format!("/usr/bin/{name}").into());
    input.facts.unprivileged = Some(Unprivileged {
        uid: 1000,
        gid: 100,
        newuidmap: found("newuidmap"),
        newgidmap: found("newgidmap"),
    });
    input.config.uid_maps = vec![IdMap { container: 0, host: 1000, size: 1 }];
    input.config.gid_maps = vec![IdMap { container: 0, host: 100, size: 1 }];
    input
}

fn writers(plan: &Plan) -> (MapWriter, MapWriter) {
    let found = plan.entries().iter().find_map(|entry| match &entry.action {
        Action::Host(HostStep::IdMaps { uid_writer, gid_writer, .. }) => {
            Some((uid_writer.clone(), gid_writer.clone()))
        }
        _ => None,
    });
    found.unwrap()
}

#[test]
fn ones_own_id_is_mapped_without_help_and_anything_else_with_it() {
    let mut input = unprivileged();
    assert_eq!(writers(&input.plan().unwrap()), (MapWriter::Direct, MapWriter::AfterDeny));
    let helper = |name: &str| MapWriter::Helper(format!("/usr/bin/{name}").into());
    for others in [
        vec![IdMap { container: 0, host: 1000, size: 2 }],
        vec![IdMap { container: 0, host: 7, size: 1 }],
        vec![IdMap { container: 0, host: 1000, size: 1 }, IdMap { container: 1, host: 100_000, size: 9 }],
    ] {
        input.config.uid_maps = others.clone();
        assert_eq!(writers(&input.plan().unwrap()), (helper("newuidmap"), MapWriter::AfterDeny));
        input.config.gid_maps = others;
        assert_eq!(writers(&input.plan().unwrap()), (helper("newuidmap"), helper("newgidmap")));
        input.config.gid_maps = vec![IdMap { container: 0, host: 100, size: 1 }];
    }
    input.facts.unprivileged = None;
    assert_eq!(writers(&input.plan().unwrap()), (MapWriter::Direct, MapWriter::Direct));
}

#[test]
fn what_an_unprivileged_caller_cannot_have_is_an_error_with_the_pointer() {
    let pointer_of = |input: &Input| match input.plan().unwrap_err().kind() {
        ErrorKind::Unsupported { pointer } => pointer.clone(),
        other => panic!("{other:?}"),
    };
    let mut groups = unprivileged();
    groups.config.process.as_mut().unwrap().additional_gids = vec![0];
    assert_eq!(pointer_of(&groups), "/process/user/additionalGids");
    let mut users = unprivileged();
    users.config.uid_maps = vec![IdMap { container: 0, host: 100_000, size: 1 }];
    users.facts.unprivileged.as_mut().unwrap().newuidmap = None;
    assert_eq!(pointer_of(&users), "/linux/uidMappings");
    let mut ranges = unprivileged();
    ranges.config.gid_maps = vec![IdMap { container: 0, host: 100_000, size: 1 }];
    ranges.facts.unprivileged.as_mut().unwrap().newgidmap = None;
    assert_eq!(pointer_of(&ranges), "/linux/gidMappings");
}

const USER: u32 = libc::CLONE_NEWUSER as u32;
const UTS: u32 = libc::CLONE_NEWUTS as u32;
const IPC: u32 = libc::CLONE_NEWIPC as u32;
const PID: u32 = libc::CLONE_NEWPID as u32;

/// Who joins what, in order.
fn joins(plan: &Plan) -> Vec<(Actor, u32)> {
    let join = |entry: &Entry| match entry.action {
        Action::Child(Step::Join { kind, .. }) => Some((entry.actor, kind)),
        _ => None,
    };
    plan.entries().iter().filter_map(join).collect()
}

#[test]
fn namespaces_are_joined_from_where_they_can_be_reached() {
    let joined = || Namespace { membership: Membership::Join("/proc/1/ns/x".into()), index: 0 };
    let new = || Namespace { membership: Membership::New, index: 0 };
    let mut input = Input::read("user-namespace-v2");
    let namespaces = &mut input.config.namespaces;
    (namespaces.uts, namespaces.ipc, namespaces.pid) = (joined(), joined(), joined());
    // What a new user namespace does not own is out of reach from inside.
    namespaces.user = new();
    let before = [(Actor::Enter, PID), (Actor::Enter, UTS), (Actor::Enter, IPC)];
    assert_eq!(joins(&input.plan().unwrap()), before);
    // What a joined one owns needs its privileges; the rest comes before.
    input.config.namespaces.user = joined();
    input.facts.owned_by_joined_user = [PID, UTS].into();
    let around = [(Actor::Enter, IPC), (Actor::Enter, USER), (Actor::Enter, PID), (Actor::Init, UTS)];
    assert_eq!(joins(&input.plan().unwrap()), around);
    // Without one only what holds for children needs a process of its own.
    input.config.namespaces.user = Namespace::default();
    let plain = [(Actor::Enter, PID), (Actor::Init, UTS), (Actor::Init, IPC)];
    assert_eq!(joins(&input.plan().unwrap()), plain);
}
