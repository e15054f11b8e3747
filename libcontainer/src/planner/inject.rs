//! Failures put into a plan, so that tests can fail, kill or watch at any place of a real one.

use libcontainer_init::Step;

use super::{Action, Actor, Entry, HostStep, Plan};

/// A failure, and where it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    /// The entry fails with this errno instead of doing its work.
    Fail {
        /// Which entry.
        index: usize,
        /// The errno.
        errno: i32,
    },
    /// The calling process is killed before the entry.
    KillHost {
        /// Which entry.
        before: usize,
    },
    /// The child is killed before the entry: by the host where the actor changes, else it ends without a word.
    KillChild {
        /// Which entry.
        before: usize,
    },
    /// The child loads a filter that ends it on any call that an allocator or a lock makes, before its first entry.
    Trap,
    /// The child makes such a call before its last entry, to show that the trap works.
    Trip,
}

impl Plan {
    /// The plan with these failures, which are put into it one after the other.
    pub(crate) fn injected(mut self, injections: &[Injection]) -> Self {
        injections.iter().for_each(|injection| self.inject(*injection));
        self
    }

    /// Puts a failure into the plan. Indices are those of the plan as it is then.
    pub fn inject(&mut self, injection: Injection) {
        match injection {
            Injection::Fail { index, errno } => self.fail(index, errno),
            Injection::KillHost { before } => self.kill_host(before),
            Injection::KillChild { before } => match self.actor_around(before) {
                Actor::Host => self.insert(before, Actor::Host, Action::Host(HostStep::KillChild)),
                actor => self.insert(before, actor, Action::Child(Step::Die)),
            },
            Injection::Trap => {
                let first = self.entries.iter().position(|entry| entry.actor != Actor::Host);
                let actor =
                    first.and_then(|index| self.entries.get(index)).map_or(Actor::Init, |entry| entry.actor);
                self.insert(first.unwrap_or_default(), actor, Action::Child(Step::Trap));
            }
            Injection::Trip => {
                let last = self.entries.len().saturating_sub(1);
                self.insert(last, Actor::Init, Action::Child(Step::Trip));
            }
        }
    }

    /// A child that was just cloned waits for nobody before it has closed what it has inherited, so it has not to wait
    /// here either.
    fn kill_host(&mut self, before: usize) {
        let closes = |entry: &Entry| matches!(entry.action, Action::Child(Step::CloseFds));
        let at_birth = self.entries.get(before).is_some_and(closes);
        let place = if at_birth { before + 1 } else { before };
        self.insert(place, Actor::Host, Action::Host(HostStep::Die));
        if let Some(entry) = self.entries.get_mut(place).filter(|_| at_birth) {
            entry.meanwhile = true;
        }
    }

    fn fail(&mut self, index: usize, errno: i32) {
        let Some(instead_of) = self.entries.get(index).map(|entry| self.describe(entry)) else { return };
        let text = self.pool.text(&instead_of);
        if let Some(entry) = self.entries.get_mut(index) {
            entry.action = match entry.action {
                Action::Host(_) => Action::Host(HostStep::Fail { errno, instead_of }),
                Action::Child(_) => Action::Child(Step::Fail { errno, instead_of: text }),
            };
        }
    }

    /// Who has the turn before and at the entry, the host at a change.
    fn actor_around(&self, index: usize) -> Actor {
        let actor_at = |index: usize| self.entries.get(index).map_or(Actor::Host, |entry| entry.actor);
        let actor = actor_at(index);
        if index.checked_sub(1).map(actor_at) == Some(actor) { actor } else { Actor::Host }
    }

    fn insert(&mut self, index: usize, actor: Actor, action: Action) {
        if index <= self.entries.len() {
            self.entries.insert(index, Entry { actor, action, pointer: None, meanwhile: false });
        }
    }

    /// The indices at which another actor takes over.
    #[must_use]
    pub fn changes(&self) -> Vec<usize> {
        let pairs = self.entries.iter().zip(self.entries.iter().skip(1)).enumerate();
        pairs.filter(|(_, (one, next))| one.actor != next.actor).map(|(index, _)| index + 1).collect()
    }
}
