//! The values at the top of the document and the single ones of `/linux`.

use std::fmt::Arguments;
use std::path::Path;

use super::{propagation, text};
use crate::spec::config::{Membership, Namespaces, Propagation, Root};
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

/// `__NEW_UTS_LEN`: what sethostname(2) takes.
const MAX_UTS_BYTES: usize = 64;

pub(super) fn version(version: String) -> Checked<String> {
    let pointer = "/ociVersion";
    if version.is_empty() {
        return Err(Problem::invalid(pointer, "the version is missing; give for example \"1.3.0\""));
    }
    match major(&version) {
        Some(1) => Ok(version),
        Some(other) => {
            let message =
                format!("version {other} of the runtime-spec is not implemented; write the bundle for 1.x");
            Err(Problem::unsupported(pointer, message))
        }
        None => {
            let message = format!("{version:?} is not a semantic version; give for example \"1.3.0\"");
            Err(Problem::invalid(pointer, message))
        }
    }
}

/// The major number of `MAJOR.MINOR.PATCH[-PRE][+BUILD]`.
fn major(version: &str) -> Option<u64> {
    let core = version.split(['-', '+']).next()?;
    let extra = version.get(core.len()..)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
    if !extra.chars().all(allowed) || matches!(extra, "-" | "+") {
        return None;
    }
    let mut numbers = core.split('.').map(number);
    let major = numbers.next()??;
    numbers.next()??;
    numbers.next()??;
    numbers.next().is_none().then_some(major)
}

fn number(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    plain.then(|| digits.parse().ok()).flatten()
}

pub(super) fn root(root: Option<raw::Root>, bundle: &Path) -> Checked<Root> {
    let missing = "the root file system is missing; give \"root\": {\"path\": \"rootfs\"}";
    let root = root.ok_or_else(|| Problem::invalid("/root", missing))?;
    let pointer = format_args!("/root/path");
    if root.path.is_empty() {
        return Err(Problem::invalid(pointer, "the path is empty; name the folder of the root file system"));
    }
    text::path(&root.path, pointer)?;
    Ok(Root { path: bundle.join(root.path), readonly: root.readonly })
}

pub(super) fn names(hostname: &str, domainname: &str, namespaces: &Namespaces) -> Checked {
    uts_name(hostname, format_args!("/hostname"), namespaces)?;
    uts_name(domainname, format_args!("/domainname"), namespaces)
}

fn uts_name(name: &str, pointer: Arguments<'_>, namespaces: &Namespaces) -> Checked {
    if name.is_empty() {
        return Ok(());
    }
    if namespaces.uts.membership == Membership::Host {
        let message = "setting a name needs a UTS namespace, or the host would be renamed; \
                       add {\"type\": \"uts\"} to /linux/namespaces or remove the name";
        return Err(Problem::invalid(pointer, message));
    }
    if name.len() > MAX_UTS_BYTES {
        let message = format!("the name has {} bytes; Linux takes at most {MAX_UTS_BYTES}", name.len());
        return Err(Problem::invalid(pointer, message));
    }
    text::c_string(name, pointer)
}

pub(super) fn rootfs_propagation(word: &str) -> Checked<Option<Propagation>> {
    if word.is_empty() {
        return Ok(None);
    }
    propagation(word).map(Some).ok_or_else(|| {
        let message =
            format!("{word:?} is not known; use shared, slave, private, unbindable or one of them after r");
        Problem::invalid("/linux/rootfsPropagation", message)
    })
}

pub(super) fn mount_label(label: String) -> Checked<Option<String>> {
    text::c_string(&label, format_args!("/linux/mountLabel"))?;
    Ok(text::present(label))
}

pub(super) fn cgroups_path(path: String) -> Checked<Option<String>> {
    text::path(&path, format_args!("/linux/cgroupsPath"))?;
    Ok(text::present(path))
}
