//! The host's entries.

use libcontainer_init::slot;

use super::{Rule, World};
use crate::planner::{Actor, HostStep, IdNamespace, Source, Template, Tree};

impl World {
    pub(super) fn host(&mut self, step: &HostStep) {
        match step {
            HostStep::Claim { .. } => self.claimed = true,
            HostStep::LendProc => self.fill(slot::PROC),
            HostStep::LendRoot => self.fill(slot::ROOT),
            HostStep::LendContainer => self.fill(slot::CONTAINER),
            HostStep::LendStreams => slot::STREAMS.into_iter().for_each(|slot| self.fill(slot)),
            HostStep::LockMounts => {
                let has_lent = self.slots.get(usize::from(slot::ROOT.0)) == Some(&true);
                self.require(!has_lent, Rule::LockedFirst);
            }
            HostStep::IdNamespace { number, .. } => {
                self.require(*number == self.id_namespaces, Rule::IdNamespaceMade);
                self.id_namespaces += 1;
            }
            HostStep::LendTree(tree) => {
                self.id_namespace(tree);
                if let Source::New(new) = &tree.source
                    && let Some(Template { tree: Some(holder), .. }) = new.template
                {
                    self.has(holder);
                }
                self.require(!self.has_enter || self.adopted, Rule::ActorExists);
                self.fill_once(tree.slot);
            }
            HostStep::LendNamespace { slot, .. } => self.fill(*slot),
            HostStep::BeginNetwork => self.network_begun = true,
            HostStep::SendNetwork { slot } => {
                self.require(self.network_begun, Rule::NetworkBegun);
                self.require(self.has_init && !self.has_enter, Rule::ProcessExists);
                self.fill_once(*slot);
            }
            HostStep::ConnectConsole { .. } => self.fill(slot::CONSOLE),
            HostStep::Gate => {
                self.require(self.claimed, Rule::Claimed);
                self.fill(slot::GATE);
            }
            HostStep::CreateCgroup { .. } | HostStep::OpenCgroup { .. } => {
                self.require(self.claimed, Rule::Claimed);
                self.has_cgroup = true;
            }
            HostStep::CreateRdtGroup(_) | HostStep::NotifyFolder { .. } => {
                self.require(self.claimed, Rule::Claimed);
            }
            HostStep::Limit(_) | HostStep::Devices(_) | HostStep::DelegateCgroup { .. } => {
                self.require(self.has_cgroup, Rule::CgroupExists)
            }
            HostStep::StartCriu { .. } => {
                self.require(self.claimed, Rule::Claimed);
                self.require(!self.has_enter && !self.has_init, Rule::BornOnce);
                self.has_init = true;
            }
            HostStep::Clone { actor, flags, into_cgroup } => self.clone(*actor, *flags, *into_cgroup),
            _ => self.host_on_process(step),
        }
    }

    fn id_namespace(&mut self, tree: &Tree) {
        match tree.idmap.map(|idmap| idmap.namespace) {
            Some(IdNamespace::Made(number)) => {
                self.require(number < self.id_namespaces, Rule::IdNamespaceMade);
            }
            Some(IdNamespace::Joined) => self.has(slot::namespace(0)),
            None => {}
        }
    }

    pub(super) fn clone(&mut self, actor: Actor, flags: u32, into_cgroup: bool) {
        self.require(self.claimed, Rule::Claimed);
        self.require(!self.has_enter && !self.has_init, Rule::BornOnce);
        self.require(!into_cgroup || self.has_cgroup, Rule::CgroupExists);
        self.in_cgroup |= into_cgroup;
        self.born(flags);
        match actor {
            Actor::Enter => self.has_enter = true,
            Actor::Host | Actor::Init => self.has_init = true,
        }
    }

    pub(super) fn born(&mut self, flags: u32) {
        self.namespaces |= flags;
        self.new_user |= flags & libc::CLONE_NEWUSER as u32 != 0;
    }

    /// Host steps that need the container's process.
    fn host_on_process(&mut self, step: &HostStep) {
        let has_process = self.has_init && (!self.has_enter || self.adopted);
        match step {
            HostStep::TimeOffsets(_) => {
                self.require(self.clock_made && !self.cloned, Rule::ClocksFirst);
                self.clock_set = true;
                return;
            }
            HostStep::EnterCgroup { .. } => {
                self.require(self.has_cgroup, Rule::CgroupExists);
                self.require(self.has_enter && !self.cloned, Rule::ActorExists);
                self.in_cgroup = true;
                return;
            }
            HostStep::Adopt => {
                self.require(self.cloned, Rule::Adopted);
                self.adopted = true;
                return;
            }
            HostStep::StartUnit(_) => {
                self.require(self.has_cgroup, Rule::CgroupExists);
                self.in_cgroup = true;
            }
            HostStep::JoinCgroup => {
                self.require(self.has_cgroup, Rule::CgroupExists);
                self.in_cgroup = true;
                self.has_cgroup_to_join = false;
            }
            HostStep::IdMaps { .. } => {
                self.require(self.new_user, Rule::MapsFit);
                self.is_mapped = true;
            }
            HostStep::MoveNetDevice(_) => self.require(self.owns(libc::CLONE_NEWNET), Rule::OwnNetwork),
            HostStep::Record { .. } => self.recorded = true,
            HostStep::RestoreNamespaces { .. } => {
                self.require(self.in_cgroup, Rule::PlacedFirst);
                self.root_attached = true;
            }
            HostStep::RestoreProcesses => {
                self.require(self.has_root(), Rule::RootAttached);
                self.pivoted = true;
            }
            HostStep::ResumeProcesses => {
                self.require(self.pivoted, Rule::RootAttached);
                self.require(self.recorded, Rule::Recorded);
                self.executed = true;
            }
            HostStep::RunHook { kind, .. } => self.hook(*kind),
            _ => {}
        }
        self.require(has_process, Rule::ProcessExists);
    }
}
