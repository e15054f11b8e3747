//! Device rules for the v1 controller, which knows one default and a list of exceptions from it.

use super::{ANY, Effective, Kind, MKNOD, READ, Rule, WRITE, Write, pointer};
use crate::cgroup::CgroupError;

/// What is excepted from the default, and which rule said so.
struct Exception {
    device: Device,
    access: u8,
    rule: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Device {
    kind: Kind,
    major: Option<u32>,
    minor: Option<u32>,
}

/// The writes that bring rules into force in a cgroup of unknown state.
///
/// # Errors
/// The controller ignores, in silence, a rule that takes a part out of an earlier exception, for
/// example `deny c 10:200` after `allow c 10:*`. Such a rule is an error that names it.
pub(super) fn writes(effective: &Effective<'_>) -> Result<Vec<Write>, CgroupError> {
    let mut exceptions = Vec::new();
    for (offset, rule) in effective.rules.iter().enumerate() {
        for device in devices(rule) {
            if rule.allow == effective.allow {
                remove(&mut exceptions, device, rule.access, effective.first + offset)?;
            } else {
                add(&mut exceptions, device, rule.access, effective.first + offset);
            }
        }
    }
    let reset = Write::new(file(effective.allow), "a", super::POINTER);
    let except = exceptions.iter().map(|exception| {
        let value = text(exception.device, exception.access);
        Write::new(file(!effective.allow), value, super::POINTER)
    });
    Ok(std::iter::once(reset).chain(except).collect())
}

/// Those of `writes` that a cgroup needs whose `devices.list` reads `current`: what is to be allowed first, then what is
/// not allowed any more.
pub(in crate::cgroup) fn transition(current: &str, writes: &[Write]) -> Vec<Write> {
    let Some((reset, exceptions)) = writes.split_first() else { return Vec::new() };
    let old: Option<Vec<_>> = current.lines().map(entry).collect();
    // The list of a cgroup that allows by default does not show its exceptions.
    let (false, Some(old)) = (reset.file == file(true) || current.contains("a *:* "), old) else {
        return writes.to_vec();
    };
    let new: Vec<_> = exceptions.iter().filter_map(|write| entry(&write.value)).collect();
    let access = |list: &[(&str, u8)], device: &str| {
        list.iter().filter(|(other, _)| *other == device).fold(0, |all, (_, access)| all | access)
    };
    let change = |file: &str, (device, access): (&str, u8)| {
        (access != 0).then(|| Write::new(file, format_args!("{device} {}", letters(access)), super::POINTER))
    };
    let added = new
        .iter()
        .filter_map(|(device, wanted)| change("devices.allow", (device, wanted & !access(&old, device))));
    let removed =
        old.iter().filter_map(|(device, had)| change("devices.deny", (device, had & !access(&new, device))));
    added.chain(removed).collect()
}

/// `c 1:3 rwm` as the device and the access.
fn entry(line: &str) -> Option<(&str, u8)> {
    let (device, access) = line.trim().rsplit_once(' ')?;
    Some((device, super::access(access, 0).ok()?))
}

fn file(allow: bool) -> &'static str {
    if allow { "devices.allow" } else { "devices.deny" }
}

/// A rule about all types is two for the controller, for which `a` would mean everything.
fn devices(rule: &Rule) -> impl Iterator<Item = Device> {
    let kinds: &[Kind] = match rule.kind {
        Kind::All => &[Kind::Block, Kind::Char],
        Kind::Block => &[Kind::Block],
        Kind::Char => &[Kind::Char],
    };
    let (major, minor) = (rule.major, rule.minor);
    kinds.iter().map(move |kind| Device { kind: *kind, major, minor })
}

fn add(exceptions: &mut Vec<Exception>, device: Device, access: u8, rule: usize) {
    match exceptions.iter_mut().find(|exception| exception.device == device) {
        Some(exception) => exception.access |= access,
        None => exceptions.push(Exception { device, access, rule }),
    }
}

fn remove(
    exceptions: &mut Vec<Exception>,
    device: Device,
    access: u8,
    rule: usize,
) -> Result<(), CgroupError> {
    for exception in exceptions.iter_mut().filter(|exception| exception.access & access != 0) {
        if device.covers(exception.device) {
            exception.access &= !access;
        } else if device.overlaps(exception.device) {
            let reason = format!(
                "takes a part out of rule {} ({}), which the v1 devices controller cannot do",
                exception.rule,
                text(exception.device, exception.access)
            );
            return Err(CgroupError::unsupported(pointer(rule), reason));
        }
    }
    exceptions.retain(|exception| exception.access != 0);
    Ok(())
}

impl Device {
    fn covers(self, other: Self) -> bool {
        let covers = |mine: Option<u32>, theirs| mine.is_none() || mine == theirs;
        self.kind == other.kind && covers(self.major, other.major) && covers(self.minor, other.minor)
    }

    fn overlaps(self, other: Self) -> bool {
        let meets =
            |mine: Option<u32>, theirs: Option<u32>| mine.is_none() || theirs.is_none() || mine == theirs;
        self.kind == other.kind && meets(self.major, other.major) && meets(self.minor, other.minor)
    }
}

/// `c 1:3 rwm`
fn text(device: Device, access: u8) -> String {
    let kind = if device.kind == Kind::Block { 'b' } else { 'c' };
    let number = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
    format!("{kind} {}:{} {}", number(device.major), number(device.minor), letters(access))
}

fn letters(access: u8) -> String {
    let letters = [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')];
    debug_assert!(access & !ANY == 0);
    letters.iter().filter(|(bit, _)| access & bit != 0).map(|(_, letter)| *letter).collect()
}
