//! Each rule is shown to be able to fail: a real plan is damaged until it breaks it.

use libcontainer_init::step::Hook;
use libcontainer_init::{Slot, Step};

use super::super::tests::golden;
use super::super::{Action, Actor, Entry, HostStep, Plan, Source, Tree, rule};
use super::{Rule, verify};
use crate::ErrorKind;
use crate::spec::HookKind;

macro_rules! child {
    ($step:pat) => {
        |entry: &Entry| matches!(entry.action, Action::Child($step))
    };
}

macro_rules! host {
    ($step:pat) => {
        |entry: &Entry| matches!(entry.action, Action::Host($step))
    };
}

type Which = fn(&Entry) -> bool;

/// A way to damage a plan.
enum Damage {
    Remove(Which),
    /// The first one goes directly before the second.
    Move(Which, Which),
    Repeat(Which),
    Change(fn(&mut Plan)),
}

use Damage::{Change, Move, Remove, Repeat};

impl Damage {
    fn strike(&self, plan: &mut Plan) {
        let find = |plan: &Plan, which: &Which| plan.entries.iter().position(which).expect("the entry");
        match self {
            Remove(which) => drop(plan.entries.remove(find(plan, which))),
            Move(which, before) => {
                let entry = plan.entries.remove(find(plan, which));
                plan.entries.insert(find(plan, before), entry);
            }
            Repeat(which) => {
                let index = find(plan, which);
                plan.entries.insert(index, plan.entries[index].clone());
            }
            Change(change) => change(plan),
        }
    }
}

/// A plan of the host, the process or both.
fn actors() -> Vec<(Rule, &'static str, Damage)> {
    let exec: Which = child!(Step::Exec);
    let clone: Which = host!(HostStep::Clone { .. });
    let record: Which = host!(HostStep::Record { .. });
    let wait: Which = child!(Step::WaitForStart);
    let claim: Which = host!(HostStep::Claim { .. });
    let cgroup: Which = host!(HostStep::CreateCgroup { .. });
    let prestart: Which = host!(HostStep::RunHook { kind: HookKind::Prestart, .. });
    let start_container: Which = child!(Step::Hook(Hook { confined: true, .. }));
    vec![
        (Rule::ActorExists, "v2", Remove(clone)),
        (Rule::ActorExists, "joined-user-and-pid", Remove(host!(HostStep::Adopt))),
        (Rule::ActorExists, "joined-user-and-pid", Repeat(child!(Step::CloneInit { .. }))),
        (Rule::ActorFits, "v2", Change(|plan| plan.entries[0].actor = Actor::Init)),
        (Rule::BornOnce, "v2", Repeat(clone)),
        (Rule::BornOnce, "joined-user-and-pid", Repeat(child!(Step::CloneInit { .. }))),
        (Rule::Adopted, "joined-user-and-pid", Remove(child!(Step::CloneInit { .. }))),
        (Rule::ProcessExists, "v2", Move(record, clone)),
        (Rule::ProcessExists, "v1", Move(host!(HostStep::JoinCgroup), clone)),
        (Rule::ProcessExists, "joined-pid-hybrid", Move(host!(HostStep::JoinCgroup), host!(HostStep::Adopt))),
        (Rule::ProcessExists, "resource-groups", Move(host!(HostStep::JoinRdtGroups(_)), clone)),
        (Rule::GateStartsTurn, "v2", Move(wait, exec)),
        (Rule::NoHostAfterGate, "v2", Move(record, exec)),
        (Rule::Meanwhile, "v2", Move(host!(HostStep::Devices(_)), host!(HostStep::LendTree(_)))),
        (
            Rule::Meanwhile,
            "v2",
            Change(|plan| plan.entries.iter_mut().for_each(|entry| entry.meanwhile = true)),
        ),
        (
            Rule::Meanwhile,
            "v1",
            Change(|plan| {
                let writes = plan.entries.iter_mut().find(|entry| host!(HostStep::Devices(_))(entry));
                writes.unwrap().meanwhile = true;
            }),
        ),
        (Rule::Meanwhile, "docker-v2", Change(lend_beside_file_systems)),
        (Rule::NoHostAfterGate, "hooks-at-once", Move(record, exec)),
        (
            Rule::HooksInOrder,
            "hooks",
            Move(host!(HostStep::RunHook { kind: HookKind::CreateRuntime, .. }), prestart),
        ),
        (Rule::HooksInOrder, "hooks", Move(child!(Step::Hook(_)), prestart)),
        (Rule::HooksInPlace, "hooks", Move(prestart, child!(Step::AttachRoot { .. }))),
        (Rule::HooksInPlace, "hooks", Move(child!(Step::Hook(_)), child!(Step::Hostname { .. }))),
        (Rule::HooksInPlace, "hooks", Move(child!(Step::Capabilities { .. }), start_container)),
        (Rule::HooksInPlace, "hooks", Move(start_container, child!(Step::Find { .. }))),
        (Rule::HooksInPlace, "hooks", Move(host!(HostStep::RunHook { kind: HookKind::Poststart, .. }), exec)),
        (Rule::LastIsExec, "v2", Remove(exec)),
        (Rule::NothingAfterExec, "v2", Move(exec, child!(Step::NoNewPrivileges))),
        (Rule::Claimed, "v2", Remove(claim)),
        (Rule::Claimed, "at-once", Move(claim, host!(HostStep::LendTree(_)))),
        (Rule::Claimed, "resource-groups", Move(claim, host!(HostStep::LendTree(_)))),
        (Rule::Recorded, "v2", Remove(record)),
        (Rule::Recorded, "no-process", Change(drop_gate_and_record)),
        (Rule::SlotFilled, "v2", Remove(host!(HostStep::LendTree(_)))),
        (Rule::SlotFilled, "v2", Remove(host!(HostStep::Gate))),
        (Rule::SlotFilled, "terminal", Remove(host!(HostStep::ConnectConsole { .. }))),
        (Rule::SlotFilled, "docker-v2", Remove(host!(HostStep::LendProc))),
        (Rule::SlotFilled, "joined-pod", Remove(host!(HostStep::LendNamespace { .. }))),
        (Rule::SlotFilled, "unprivileged", Remove(child!(Step::TakeTree { .. }))),
        (Rule::SlotFilled, "v2", Change(|plan| plan.slots = 0)),
        (Rule::SlotFilledOnce, "v2", Repeat(host!(HostStep::LendTree(_)))),
        (Rule::SlotFilledOnce, "unprivileged", Repeat(child!(Step::TakeTree { .. }))),
        (Rule::SlotFilledOnce, "v2", Change(lend_outside)),
        (Rule::SlotFilledEarly, "v2", Move(host!(HostStep::Gate), wait)),
        (Rule::CgroupExists, "v2", Remove(cgroup)),
        (Rule::CgroupExists, "v1", Remove(cgroup)),
        (Rule::CgroupExists, "limits-v2", Move(host!(HostStep::Limit(_)), cgroup)),
    ]
}

fn namespaces() -> Vec<(Rule, &'static str, Damage)> {
    let unshare: Which = child!(Step::Unshare { .. });
    let clone: Which = host!(HostStep::Clone { .. });
    let root: Which = child!(Step::BecomeRoot);
    let attach: Which = child!(Step::AttachRoot { .. });
    let pivot: Which = child!(Step::Pivot);
    vec![
        (Rule::ClosedBeforeJoin, "joined-user-and-pid", Remove(child!(Step::Hide))),
        (Rule::HiddenEarly, "v2", Remove(child!(Step::Hide))),
        (Rule::ClosedBeforeJoin, "joined-user-and-pid", Move(child!(Step::Join { .. }), child!(Step::Hide))),
        (Rule::ClocksFirst, "time-offsets", Remove(host!(HostStep::TimeOffsets(_)))),
        (Rule::ClocksFirst, "time-offsets", Move(host!(HostStep::TimeOffsets(_)), unshare)),
        (Rule::ClocksFirst, "time-offsets", Move(host!(HostStep::TimeOffsets(_)), host!(HostStep::Adopt))),
        (Rule::PlacedFirst, "containerd-v1", Remove(host!(HostStep::JoinCgroup))),
        (
            Rule::PlacedFirst,
            "containerd-v1",
            Move(host!(HostStep::JoinCgroup), host!(HostStep::Record { .. })),
        ),
        (
            Rule::MapsFit,
            "user-namespace-v2",
            Move(host!(HostStep::IdMaps { .. }), host!(HostStep::Clone { .. })),
        ),
        (Rule::IdNamespaceMade, "special-mounts", Remove(host!(HostStep::IdNamespace { .. }))),
        (Rule::IdNamespaceMade, "special-mounts", Repeat(host!(HostStep::IdNamespace { .. }))),
        (
            Rule::LockedFirst,
            "user-namespace-v2",
            Move(host!(HostStep::LockMounts), host!(HostStep::Clone { .. })),
        ),
        (Rule::MapsFirst, "user-namespace-v2", Remove(host!(HostStep::IdMaps { .. }))),
        (Rule::RootFirst, "user-namespace-v2", Remove(root)),
        (Rule::RootFirst, "joined-user-and-pid", Move(root, child!(Step::AttachRoot { .. }))),
        (Rule::ClosedBeforeJoin, "exec-v2", Remove(child!(Step::CloseFds))),
        (Rule::PlacedFirst, "exec-hybrid", Remove(host!(HostStep::EnterCgroup { .. }))),
        (Rule::RootOfContainer, "exec-v2", Remove(child!(Step::JoinProcess { .. }))),
        (Rule::RootOfContainer, "exec-v2", Repeat(child!(Step::OpenRoot))),
        (Rule::UserInside, "exec-v2", Remove(child!(Step::OpenRoot))),
        (Rule::SlotFilled, "exec-v2", Remove(host!(HostStep::LendContainer))),
        (Rule::CgroupExists, "exec-v2", Remove(host!(HostStep::OpenCgroup { .. }))),
        (Rule::ClosedFirst, "v2", Remove(child!(Step::CloseFds))),
        (Rule::ClosedFirst, "v1", Move(child!(Step::CloseFds), child!(Step::Hide))),
        (Rule::OwnNames, "v2", Move(child!(Step::Hostname { .. }), unshare)),
        (Rule::OwnNames, "joined-pod", Remove(child!(Step::Join { .. }))),
        (Rule::OwnNetwork, "network-devices", Move(child!(Step::LoopbackUp), unshare)),
        (Rule::NetworkBegun, "v2", Remove(host!(HostStep::BeginNetwork))),
        (Rule::NetworkFirst, "v2", Move(child!(Step::Join { .. }), child!(Step::Node { .. }))),
        (Rule::NetworkFirst, "hooks", Move(host!(HostStep::RunHook { .. }), child!(Step::Join { .. }))),
        (Rule::NetworkFirst, "v2", Change(forget_network)),
        (Rule::OwnNetwork, "network-devices", Move(host!(HostStep::MoveNetDevice(_)), unshare)),
        (Rule::OwnMounts, "v2", Remove(unshare)),
        (Rule::OwnMounts, "v2", Move(child!(Step::Propagate { .. }), unshare)),
        (
            Rule::PropagationFirst,
            "unprivileged",
            Move(child!(Step::TakeTree { .. }), child!(Step::Propagate { .. })),
        ),
        (
            Rule::MountsInOrder,
            "docker-v2",
            Move(host!(HostStep::LendTree(Tree { source: Source::Mount(_), .. })), clone),
        ),
        (Rule::PropagationFirst, "v2", Remove(child!(Step::Propagate { .. }))),
        (Rule::RootIsBuilt, "v2", Move(child!(Step::Mount { .. }), attach)),
        (Rule::RootIsBuilt, "v2", Move(pivot, child!(Step::Link { .. }))),
        (Rule::RootIsBuilt, "no-pivot", Move(child!(Step::MoveRoot), child!(Step::Node { .. }))),
        (Rule::RootIsBuilt, "terminal", Move(pivot, child!(Step::Terminal { .. }))),
        (Rule::RootIsBuilt, "docker-v2", Move(pivot, child!(Step::Attach { .. }))),
        (Rule::RootIsBuilt, "host-mounts", Move(child!(Step::ChangeRoot), child!(Step::Node { .. }))),
        (Rule::RootIsBuilt, "host-mounts", Move(child!(Step::ChangeRoot), child!(Step::Cover { .. }))),
        (Rule::RootIsBuilt, "host-mounts", Remove(host!(HostStep::LendTree(_)))),
        (Rule::HiddenLast, "host-mounts", Remove(child!(Step::ChangeRoot))),
        (Rule::OwnMounts, "host-mounts", Change(attach_to_host)),
        (Rule::OwnMounts, "host-mounts", Change(mount_by_path)),
        (Rule::RootDetached, "host-mounts", Change(attach_to_host)),
        (Rule::RootDetached, "host-mounts", Repeat(child!(Step::ChangeRoot))),
        (Rule::RootDetached, "v2", Change(change_root_instead)),
        (Rule::SlotFilled, "exec-host-mounts", Remove(host!(HostStep::LendRoot))),
        (Rule::UserInside, "exec-host-mounts", Remove(child!(Step::ChangeRoot))),
        (Rule::RootAttached, "v2", Remove(attach)),
        (Rule::RootAttached, "v2", Move(child!(Step::Attributes { .. }), attach)),
        (Rule::HiddenLast, "v2", Remove(pivot)),
        (Rule::HiddenLast, "v2", Move(child!(Step::Mask { .. }), pivot)),
        (Rule::HiddenLast, "v2", Move(child!(Step::ReadOnly { .. }), pivot)),
    ]
}

fn privileges() -> Vec<(Rule, &'static str, Damage)> {
    let user: Which = child!(Step::User { .. });
    let filter: Which = child!(Step::Seccomp { .. });
    let capabilities: Which = child!(Step::Capabilities { .. });
    let no_new: Which = child!(Step::NoNewPrivileges);
    let rlimit: Which = child!(Step::Rlimit { .. });
    let exec: Which = child!(Step::Exec);
    let (privileged, unprivileged) = ("seccomp-with-privileges", "seccomp-no-new-privileges");
    let listener: Which = host!(HostStep::SendListener(_));
    vec![
        (Rule::UserInside, "v2", Move(user, child!(Step::Pivot))),
        (Rule::UserLast, "v2", Move(user, child!(Step::Groups { .. }))),
        (Rule::UserLast, "v2", Move(user, child!(Step::Bounding { .. }))),
        (Rule::LimitsPrivileged, "v2", Move(capabilities, rlimit)),
        (Rule::FoundAsUser, "v2", Move(child!(Step::Find { .. }), user)),
        (Rule::CapabilitiesAsUser, "v2", Move(capabilities, user)),
        (Rule::SignalsFirst, "v2", Remove(child!(Step::Signals))),
        (Rule::SignalsFirst, unprivileged, Move(child!(Step::Signals), exec)),
        (Rule::NoNewPrivilegesFirst, unprivileged, Move(filter, no_new)),
        (Rule::FilterOrder, unprivileged, Move(filter, capabilities)),
        (Rule::FilterOrder, privileged, Move(filter, capabilities)),
        (Rule::FilterExists, unprivileged, Change(|plan| plan.filter.clear())),
        (Rule::FilterLoaded, unprivileged, Remove(filter)),
        (Rule::ListenerSent, "seccomp-listener", Remove(listener)),
        (Rule::ListenerSent, "seccomp-listener", Remove(filter)),
        (Rule::ListenerSent, "seccomp-listener", Move(exec, listener)),
        (Rule::FilterLoaded, "docker-v2", Remove(filter)),
        (Rule::FoundFirst, "v2", Remove(child!(Step::Find { .. }))),
        (Rule::CapabilitiesFirst, "v2", Remove(capabilities)),
    ]
}

fn lend_beside_file_systems(plan: &mut Plan) {
    let of_mount = host!(HostStep::LendTree(Tree { source: Source::Mount(_), .. }));
    plan.entries.iter_mut().find(|entry| of_mount(entry)).unwrap().meanwhile = true;
}

fn drop_gate_and_record(plan: &mut Plan) {
    let dropped = [child!(Step::WaitForStart), host!(HostStep::Record { .. })];
    plan.entries.retain(|entry| !dropped.iter().any(|which| which(entry)));
}

fn change_root_instead(plan: &mut Plan) {
    let pivot = plan.entries.iter_mut().find(|entry| child!(Step::Pivot)(entry)).unwrap();
    pivot.action = Action::Child(Step::ChangeRoot);
}

/// Attaches the root before anything else is done in it.
fn attach_to_host(plan: &mut Plan) {
    let index = plan.entries.iter().position(child!(Step::Mount { .. })).unwrap();
    let at = plan.pool.text("/bundle/rootfs");
    let action = Action::Child(Step::AttachRoot { at });
    plan.entries.insert(index, Entry { action, ..plan.entries[index].clone() });
}

fn mount_by_path(plan: &mut Plan) {
    let mount = plan.entries.iter_mut().find(|entry| child!(Step::Mount { .. })(entry)).unwrap();
    let text = plan.pool.text("x");
    let step = Step::MountText { fstype: text, source: text, options: text, flags: 0, target: text };
    mount.action = Action::Child(step);
}

fn forget_network(plan: &mut Plan) {
    let is_taken =
        |entry: &Entry| host!(HostStep::SendNetwork { .. })(entry) || child!(Step::Join { .. })(entry);
    plan.entries.retain(|entry| !is_taken(entry));
}

fn lend_outside(plan: &mut Plan) {
    for entry in &mut plan.entries {
        if let Action::Host(HostStep::LendTree(tree)) = &mut entry.action {
            tree.slot = Slot(9_999);
        }
    }
}

fn cases() -> Vec<(Rule, &'static str, Damage)> {
    [actors(), namespaces(), privileges()].into_iter().flatten().collect()
}

#[test]
fn a_damaged_plan_breaks_the_rule() {
    for (number, (rule, case, damage)) in cases().into_iter().enumerate() {
        let mut plan = golden(case);
        assert_eq!(verify(&plan), [], "{case}");
        damage.strike(&mut plan);
        let broken = verify(&plan);
        assert!(broken.iter().any(|one| one.rule == rule), "case {number} of {rule:?}: {broken:?}\n{plan}");
    }
}

#[test]
fn every_rule_can_be_broken() {
    let broken: Vec<Rule> = cases().into_iter().map(|(rule, ..)| rule).collect();
    let unproven: Vec<&Rule> = Rule::ALL.iter().filter(|rule| !broken.contains(rule)).collect();
    assert!(unproven.is_empty(), "{unproven:?}");
}

#[test]
fn a_violation_is_a_bug_that_names_the_entry() {
    let mut plan = golden("v2");
    Remove(child!(Step::Pivot)).strike(&mut plan);
    let violations = verify(&plan);
    let error = rule::bug(&plan, violations[0]);
    assert_eq!(error.kind(), &ErrorKind::Internal);
    let text = error.to_string();
    assert!(text.starts_with("this is a bug in the planner"), "{text}");
    let entry =
        format!("step {} of {} (init make /proc/bus read-only)", violations[0].index, plan.entries.len());
    assert!(text.contains(&entry) && text.ends_with(Rule::HiddenLast.as_str()), "{text}");
}
