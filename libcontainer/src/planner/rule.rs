//! What must hold of every plan.

use std::fmt;

use super::{Entry, Plan};
use crate::{Error, ErrorKind};

macro_rules! rules {
    ($($name:ident: $text:literal,)+) => {
        /// Something that must hold of every plan. Prints as the sentence that holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $(#[doc = concat!("\"", $text, "\"")] $name,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The sentence that holds.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

rules! {
    ActorExists: "an actor exists before its first entry",
    ActorFits: "the host does host steps and children do child steps",
    BornOnce: "each process is cloned once",
    Adopted: "only a process that was cloned is adopted",
    ProcessExists: "a process exists before the host works on it",
    GateStartsTurn: "waiting for start begins a turn, as the host does not wait for its end",
    NoHostAfterGate: "between gate or startContainer hook and exec the host only sends a listener",
    Meanwhile: "what is done beside the child's turn needs nothing of it",
    SignalsFirst: "signals are given back before the filter and exec",
    LastIsExec: "the program is executed",
    NothingAfterExec: "nothing but poststart hooks follows exec",
    HooksInOrder: "hooks run in the order of their kinds",
    HooksInPlace: "a hook runs at the moment of its kind",
    Claimed: "the name is taken before the host is changed",
    Recorded: "the container is recorded before its program can start",
    ClosedBeforeJoin: "descriptors are closed and memory is hidden before a namespace of others is joined",
    ClocksFirst: "clocks are set before the first process enters the time namespace",
    SlotFilled: "a slot is filled before it is used",
    SlotFilledOnce: "a slot is filled once",
    SlotFilledEarly: "the host fills slots before the clone, but for trees and networks that have their turn later",
    CgroupExists: "a cgroup is made before it is used",
    PlacedFirst: "the process is placed before it makes or joins a cgroup namespace",
    MapsFit: "maps belong to a new user namespace",
    LockedFirst: "mounts are locked before they are lent",
    IdNamespaceMade: "a user namespace for ids is made before a mount gets its maps",
    MapsFirst: "the maps are written before becoming root",
    RootFirst: "the process becomes root of its user namespace before it makes other namespaces",
    ClosedFirst: "a child closes what it has inherited before it does or waits for anything",
    HiddenEarly: "a process is hidden from ptrace before it does anything in the container",
    OwnNames: "names are set in a uts namespace of the container",
    OwnNetwork: "network devices are moved and brought up in a network namespace of the container",
    NetworkBegun: "the host begins to make a network namespace before it sends it",
    NetworkFirst: "the network namespace that the host makes is joined before anything can show or change it",
    OwnMounts: "nothing is mounted before the mount namespace",
    PropagationFirst: "propagation is set before the first mount",
    MountsInOrder: "what a mount namespace lists is made in the order of the configuration",
    RootOfContainer: "the root of a container is opened once, in its mount namespace",
    RootIsBuilt: "the root is built after it is attached and before the pivot",
    RootDetached: "a root that is attached nowhere is that of a container in the host's mount namespace",
    RootAttached: "the root is attached before it is used",
    HiddenLast: "paths are hidden after the pivot, when nothing can be put over them",
    UserInside: "the user changes after the pivot",
    UserLast: "bounding set and groups come before the change of user",
    LimitsPrivileged: "limits are set while capabilities are there",
    FoundAsUser: "the program is looked for as the user",
    CapabilitiesAsUser: "the final sets follow the change of user",
    NoNewPrivilegesFirst: "no_new_privs is set before the filter",
    FilterOrder: "the filter is loaded when the capabilities have gone",
    FilterExists: "a filter that is loaded has instructions",
    FilterLoaded: "a filter is loaded before exec",
    ListenerSent: "the listener of a filter, and no other, is sent to its agent right after the loading",
    FoundFirst: "the program is found before it is executed",
    CapabilitiesFirst: "capabilities go before exec",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Index of the entry that breaks it.
    pub index: usize,
    /// The rule.
    pub rule: Rule,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.index, self.rule)
    }
}

/// The error of a plan that must not be executed. Only a mistake in the planner leads to it.
pub(super) fn bug(plan: &Plan, violation: Violation) -> Error {
    let Violation { index, rule } = violation;
    let total = plan.entries.len();
    let show = |entry: &Entry| format!("{} {}", entry.actor.as_str(), plan.describe(entry));
    let entry = plan.entries.get(index).map_or_else(|| "the end".to_owned(), show);
    let message = format!(
        "this is a bug in the planner, please report it with your config.json: \
         step {index} of {total} ({entry}) breaks the rule that {rule}"
    );
    Error::new(ErrorKind::Internal, message)
}
