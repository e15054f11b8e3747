//! The plan under construction.

use std::collections::{BTreeMap, VecDeque};

use libcontainer_init::{Slot, Step, Text, slot};

use super::entry::{Action, Actor, Entry, HostStep, Source, Tree};
use super::pool::Pool;
use super::request::Request;
use super::{mounts, taken};
use crate::spec::{IdMaps, Warning};

/// Where a tree is attached.
pub(super) struct Place {
    pub(super) target: Text,
    /// Whether a file, not a folder, is made there where there is nothing.
    pub(super) file: bool,
    /// As in [`Step::Attach`].
    pub(super) strict: bool,
}

impl Place {
    fn attach(self, tree: Slot) -> Step {
        let Self { target, file, strict } = self;
        Step::Attach { tree, target, file, strict }
    }
}

/// What is lent when all that comes before it is mounted.
#[derive(Default)]
struct Turn {
    /// The host's entries.
    lend: Vec<Entry>,
    /// What `Init` does with what they lend.
    attach: Vec<Entry>,
    /// Whether it follows another one directly.
    goes_on: bool,
}

/// How many trees are lent before the first is attached.
const AT_ONCE: usize = 16;

fn entry(actor: Actor, action: Action, pointer: Option<String>) -> Entry {
    Entry { actor, action, pointer, meanwhile: false }
}

pub(super) struct Build<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) pool: Pool,
    pub(super) entries: Vec<Entry>,
    pub(super) warnings: Vec<Warning>,
    next_slot: u16,
    /// Trees that the host lends before the clone and `Init` has not yet put anywhere, in order.
    lent: VecDeque<Slot>,
    turn: Turn,
    /// Trees that `Init` takes itself, as the host may not lend them.
    pub(super) taken: Vec<(Tree, Option<String>)>,
    /// The trees of binds, by index in `/mounts`.
    binds: BTreeMap<usize, Slot>,
    /// Where the network namespace is put that the host has yet to make.
    pub(super) network: Option<Slot>,
    /// The maps of the user namespaces that are made for idmapped mounts, by number.
    id_namespaces: Vec<IdMaps>,
    /// The first of `/mounts` that may be attached below a shared one.
    pub(super) below_shared: usize,
}

impl<'a> Build<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        let warnings = request.config.warnings.clone();
        Self {
            request,
            pool: Pool::default(),
            entries: Vec::new(),
            warnings,
            next_slot: slot::FIRST_FREE,
            lent: VecDeque::new(),
            turn: Turn::default(),
            taken: Vec::new(),
            binds: BTreeMap::new(),
            network: None,
            id_namespaces: Vec::new(),
            below_shared: mounts::below_shared(request.config),
        }
    }

    /// Lends a tree before the clone, to be attached later.
    pub(super) fn lend(&mut self, tree: Tree, pointer: Option<String>) {
        let tree = self.with_slot(tree);
        self.lent.push_back(tree.slot);
        self.provide(tree, pointer);
    }

    /// In a slot of its own. 65,000 of them are more descriptors than a process may have.
    fn with_slot(&mut self, tree: Tree) -> Tree {
        let slot = Slot(self.next_slot);
        self.next_slot = self.next_slot.saturating_add(1);
        if let Source::Mount(index) = tree.source {
            self.binds.insert(index, slot);
        }
        Tree { slot, ..tree }
    }

    /// Attaches a tree that the host lends now, or else the one that was lent first and is not yet attached: they are
    /// attached in the order of lending. Returns its slot.
    pub(super) fn attach(&mut self, tree: Option<Tree>, place: Place, pointer: Option<String>) -> Slot {
        let Some(tree) = tree else {
            let slot = self.lent.pop_front().unwrap_or(slot::ROOT);
            self.push(Actor::Init, Action::Child(place.attach(slot)), pointer);
            return slot;
        };
        if self.turn.lend.len() == AT_ONCE {
            self.take_turn();
            self.turn.goes_on = true;
        }
        let tree = self.with_slot(tree);
        let slot = tree.slot;
        self.turn.attach.push(entry(Actor::Init, Action::Child(place.attach(slot)), pointer.clone()));
        self.turn.lend.push(entry(Actor::Host, Action::Host(HostStep::LendTree(tree)), pointer));
        slot
    }

    /// Trees that are attached one after the other are lent together, or if there are many, while those before them
    /// are being attached.
    fn take_turn(&mut self) {
        let Turn { lend, attach, goes_on: meanwhile } = &mut self.turn;
        let meanwhile = std::mem::take(meanwhile);
        self.entries.extend(lend.drain(..).map(|entry| Entry { meanwhile, ..entry }));
        self.entries.append(attach);
    }

    /// Has the host lend a tree in the slot that it names, or `Init` take it.
    pub(super) fn provide(&mut self, tree: Tree, pointer: Option<String>) {
        if taken::applies(self) {
            self.taken.push((tree, pointer));
        } else {
            self.push(Actor::Host, Action::Host(HostStep::LendTree(tree)), pointer);
        }
    }

    /// The slot of the tree of bind `index`.
    pub(super) fn lent_for(&self, index: usize) -> Option<Slot> {
        self.binds.get(&index).copied()
    }

    /// The number of a user namespace with these maps, made if there is none yet.
    pub(super) fn id_namespace(&mut self, maps: &IdMaps, pointer: String) -> usize {
        if let Some(number) = self.id_namespaces.iter().position(|made| made == maps) {
            return number;
        }
        let number = self.id_namespaces.len();
        self.id_namespaces.push(maps.clone());
        self.host_for(HostStep::IdNamespace { number, maps: maps.clone() }, pointer);
        number
    }

    pub(super) fn slots(&self) -> usize {
        usize::from(self.next_slot)
    }

    pub(super) fn host(&mut self, step: HostStep) {
        self.push(Actor::Host, Action::Host(step), None);
    }

    pub(super) fn host_for(&mut self, step: HostStep, pointer: impl Into<String>) {
        self.push(Actor::Host, Action::Host(step), Some(pointer.into()));
    }

    /// Clones a child that closes what it has inherited before it does or waits for anything.
    pub(super) fn clone(&mut self, actor: Actor, flags: u32, into_cgroup: bool) {
        self.host_for(HostStep::Clone { actor, flags, into_cgroup }, "/linux/namespaces");
        self.push(actor, Action::Child(Step::CloseFds), None);
    }

    pub(super) fn enter(&mut self, step: Step, pointer: Option<String>) {
        self.push(Actor::Enter, Action::Child(step), pointer);
    }

    pub(super) fn init(&mut self, step: Step) {
        self.push(Actor::Init, Action::Child(step), None);
    }

    pub(super) fn init_for(&mut self, step: Step, pointer: impl Into<String>) {
        self.push(Actor::Init, Action::Child(step), Some(pointer.into()));
    }

    /// Has `Init` write a file of the host's procfs.
    pub(super) fn write_proc(&mut self, path: &str, value: &str, pointer: impl Into<String>) {
        let (path, value) = (self.pool.text(path), self.pool.text(value));
        self.init_for(Step::ProcWrite { path, value }, pointer);
    }

    pub(super) fn warn(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Warning { pointer: pointer.into(), message: message.into() });
    }

    fn push(&mut self, actor: Actor, action: Action, pointer: Option<String>) {
        self.take_turn();
        self.entries.push(entry(actor, action, pointer));
    }

    /// As [`Self::meanwhile`], of all entries from `index` on.
    pub(super) fn meanwhile_from(&mut self, index: usize) {
        for entry in self.entries.iter_mut().skip(index) {
            entry.meanwhile = true;
        }
    }

    /// The last entry is the host's and needs nothing of the child's entries before it.
    pub(super) fn meanwhile(&mut self) {
        if let Some(entry) = self.entries.last_mut() {
            entry.meanwhile = true;
        }
    }
}
