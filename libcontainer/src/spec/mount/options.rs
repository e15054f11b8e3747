use super::data;
use crate::spec::check::{PROPAGATIONS, c_string, propagation};
use crate::spec::config::{Attributes, Propagation, attr};
use crate::spec::problem::Checked;

/// The options of one mount by what they are for. Of two that contradict each other the later one counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `bind` (false) or `rbind` (true).
    pub(super) bind: Option<bool>,
    pub(super) attributes: Attributes,
    pub(super) recursive_attributes: Attributes,
    pub(super) propagation: Option<Propagation>,
    /// For the file system: `mode=755` and flags of the superblock such as `sync`.
    pub(super) data: Vec<(String, Option<String>)>,
    pub(super) remount: bool,
    /// The place of `tmpcopyup` in the list.
    pub(super) copy_up: Option<usize>,
    /// `idmap` (false) or `ridmap` (true), and its place in the list.
    pub(super) idmap: Option<(bool, usize)>,
    /// `iversion` or `noiversion`, which the mount API has no flag for.
    pub(super) iversion: Option<usize>,
}

pub(super) fn sort(list: &[String], mount: usize) -> Checked<Options> {
    let mut options = Options::default();
    for (index, option) in list.iter().enumerate() {
        c_string(option, format_args!("/mounts/{mount}/options/{index}"))?;
        options.add(option, index);
    }
    Ok(options)
}

/// Every option with a meaning of its own, sorted; any other is data of the file system.
pub(in crate::spec) fn known() -> Vec<String> {
    let changes = CHANGES.iter().flat_map(|(name, _)| [(*name).to_owned(), format!("r{name}")]);
    let flags = SUPERBLOCK_FLAGS.iter().map(|(name, _)| (*name).to_owned());
    let words = PROPAGATIONS.iter().map(|(name, _)| *name).chain(WORDS).map(str::to_owned);
    let mut known: Vec<String> = changes.chain(flags).chain(words).collect();
    known.sort_unstable();
    known
}

/// The options that [`Options::add_special`] knows.
const WORDS: [&str; 11] = [
    "bind",
    "rbind",
    "remount",
    "tmpcopyup",
    "idmap",
    "ridmap",
    "iversion",
    "noiversion",
    "defaults",
    "silent",
    "loud",
];

impl Options {
    fn add(&mut self, option: &str, index: usize) {
        if let Some(change) = change(option) {
            change.apply(&mut self.attributes);
        } else if let Some(change) = option.strip_prefix('r').and_then(change) {
            change.apply(&mut self.recursive_attributes);
        } else if let Some(propagation) = propagation(option) {
            self.propagation = Some(propagation);
        } else if let Some(flag) = superblock_flag(option) {
            flag.apply(&mut self.data);
        } else {
            self.add_special(option, index);
        }
    }

    fn add_special(&mut self, option: &str, index: usize) {
        match option {
            "bind" => self.bind = self.bind.or(Some(false)),
            "rbind" => self.bind = Some(true),
            "remount" => self.remount = true,
            "tmpcopyup" => self.copy_up = Some(index),
            "idmap" | "ridmap" => self.idmap = Some((option == "ridmap", index)),
            "iversion" | "noiversion" => self.iversion = Some(index),
            // `defaults` asks for nothing. The other two only choose whether the kernel logs a failed mount, for
            // which the mount API has no flag.
            "defaults" | "silent" | "loud" => {}
            other => data::add(&mut self.data, other),
        }
    }
}

/// What an attribute option does; with an `r` before its name it does so to all mounts below, too.
#[derive(Clone, Copy)]
enum Change {
    Set(u64),
    Clear(u64),
    Atime(u64),
    /// `norelatime`: only takes back an earlier `relatime`.
    ForgetRelatime,
}

/// The attribute options.
const CHANGES: [(&str, Change); 18] = [
    ("ro", Change::Set(attr::RDONLY)),
    ("rw", Change::Clear(attr::RDONLY)),
    ("nosuid", Change::Set(attr::NOSUID)),
    ("suid", Change::Clear(attr::NOSUID)),
    ("nodev", Change::Set(attr::NODEV)),
    ("dev", Change::Clear(attr::NODEV)),
    ("noexec", Change::Set(attr::NOEXEC)),
    ("exec", Change::Clear(attr::NOEXEC)),
    ("nodiratime", Change::Set(attr::NODIRATIME)),
    ("diratime", Change::Clear(attr::NODIRATIME)),
    ("nosymfollow", Change::Set(attr::NOSYMFOLLOW)),
    ("symfollow", Change::Clear(attr::NOSYMFOLLOW)),
    ("noatime", Change::Atime(attr::NOATIME)),
    ("strictatime", Change::Atime(attr::STRICTATIME)),
    // relatime is what the kernel does if nothing else is asked for, which is what these two mean.
    ("relatime", Change::Atime(attr::RELATIME)),
    ("atime", Change::Atime(attr::RELATIME)),
    ("nostrictatime", Change::Atime(attr::RELATIME)),
    ("norelatime", Change::ForgetRelatime),
];

fn change(option: &str) -> Option<Change> {
    CHANGES.iter().find(|(name, _)| *name == option).map(|(_, change)| *change)
}

impl Change {
    fn apply(self, attributes: &mut Attributes) {
        match self {
            Self::Set(bit) => {
                attributes.set |= bit;
                attributes.clear &= !bit;
            }
            Self::Clear(bit) => {
                attributes.set &= !bit;
                attributes.clear |= bit;
            }
            Self::Atime(choice) => {
                attributes.set = attributes.set & !attr::ATIME | choice;
                attributes.clear |= attr::ATIME;
            }
            Self::ForgetRelatime => {
                if attributes.set & attr::ATIME == attr::RELATIME {
                    attributes.clear &= !attr::ATIME;
                }
            }
        }
    }
}

/// Flags of the superblock, which fsconfig(2) takes as keys without a value.
#[derive(Clone, Copy)]
enum SuperblockFlag {
    On(&'static str),
    /// The default, so that only an earlier opposite has to go.
    Off(&'static str),
}

const SUPERBLOCK_FLAGS: [(&str, SuperblockFlag); 7] = [
    ("sync", SuperblockFlag::On("sync")),
    ("async", SuperblockFlag::Off("sync")),
    ("dirsync", SuperblockFlag::On("dirsync")),
    ("mand", SuperblockFlag::On("mand")),
    ("nomand", SuperblockFlag::Off("mand")),
    ("lazytime", SuperblockFlag::On("lazytime")),
    ("nolazytime", SuperblockFlag::Off("lazytime")),
];

fn superblock_flag(option: &str) -> Option<SuperblockFlag> {
    SUPERBLOCK_FLAGS.iter().find(|(name, _)| *name == option).map(|(_, flag)| *flag)
}

impl SuperblockFlag {
    fn apply(self, data: &mut Vec<(String, Option<String>)>) {
        let (Self::On(name) | Self::Off(name)) = self;
        data.retain(|(key, _)| key != name);
        if let Self::On(name) = self {
            data.push((name.to_owned(), None));
        }
    }
}
