//! `/mounts`: what each one shows, where, and what each of its options is for.

mod data;
mod options;
mod procfs;
mod special;

use std::path::{Path, PathBuf};

use super::check::{c_string, entries, path_text};
use super::config::{Mount, MountKind, Namespaces, Warning};
use super::problem::{Checked, Problem};
use super::raw;
use options::Options;

pub(super) use options::known as known_options;

pub(super) fn mounts(
    list: Vec<raw::Mount>,
    namespaces: &Namespaces,
    bundle: &Path,
    warnings: &mut Vec<Warning>,
) -> Checked<Vec<Mount>> {
    entries(list.len(), "/mounts")?;
    list.into_iter().enumerate().map(|(index, raw)| mount(raw, index, namespaces, bundle, warnings)).collect()
}

fn mount(
    raw: raw::Mount,
    index: usize,
    namespaces: &Namespaces,
    bundle: &Path,
    warnings: &mut Vec<Warning>,
) -> Checked<Mount> {
    let destination = destination(&raw.destination, index)?;
    c_string(&raw.fstype, format_args!("/mounts/{index}/type"))?;
    path_text(&raw.source, format_args!("/mounts/{index}/source"))?;
    let options = options::sort(&raw.options, index)?;
    special::check(&raw, &options, index, warnings)?;
    let idmap = special::idmap(&raw, &options, &namespaces.user.membership, index)?;
    let (attributes, recursive) = (options.attributes, options.recursive_attributes);
    let propagation = options.propagation;
    let kind = kind(&raw, options, index, bundle, warnings)?;
    procfs::allowed(&destination, &kind, index)?;
    Ok(Mount { index, destination, kind, attributes, recursive, propagation, idmap })
}

/// Absolute, without `.` and empty components. `..` stays: what is above a folder is only known in the root itself.
fn destination(raw: &str, index: usize) -> Checked<String> {
    let pointer = format_args!("/mounts/{index}/destination");
    if raw.is_empty() {
        return Err(Problem::invalid(pointer, "the destination is missing; give an absolute path"));
    }
    path_text(raw, pointer)?;
    let mut path = String::with_capacity(raw.len() + 1);
    for part in raw.split('/').filter(|part| !matches!(*part, "" | ".")) {
        path.push('/');
        path.push_str(part);
    }
    if path.is_empty() {
        path.push('/');
    }
    Ok(path)
}

fn kind(
    raw: &raw::Mount,
    options: Options,
    index: usize,
    bundle: &Path,
    warnings: &mut Vec<Warning>,
) -> Checked<MountKind> {
    if options.remount {
        return Ok(MountKind::Remount { data: special::remount_data(options, index, warnings) });
    }
    if let Some(recursive) = options.bind.or((raw.fstype == "bind").then_some(false)) {
        warn_of_unused(&options, "a bind mount", index, warnings);
        return Ok(MountKind::Bind { source: bind_source(&raw.source, index, bundle)?, recursive });
    }
    match raw.fstype.as_str() {
        "" | "none" => Err(Problem::invalid(
            format_args!("/mounts/{index}/type"),
            "no type of file system; name one, or give the option \"bind\"",
        )),
        "cgroup" | "cgroup2" => {
            warn_of_unused(&options, "the cgroup mount", index, warnings);
            Ok(MountKind::Cgroup)
        }
        fstype => {
            let source = if raw.source.is_empty() { fstype } else { &raw.source };
            Ok(MountKind::Filesystem {
                fstype: fstype.to_owned(),
                source: source.to_owned(),
                data: options.data,
                copy_up: options.copy_up.is_some(),
            })
        }
    }
}

fn bind_source(source: &str, index: usize, bundle: &Path) -> Checked<PathBuf> {
    if source.is_empty() {
        return Err(Problem::invalid(
            format_args!("/mounts/{index}/source"),
            "a bind mount needs a source; name a file or folder of the host",
        ));
    }
    Ok(bundle.join(source))
}

/// mount(2) ignores these for a bind; so do we, but not silently.
fn warn_of_unused(options: &Options, what: &str, index: usize, warnings: &mut Vec<Warning>) {
    if options.data.is_empty() {
        return;
    }
    let names: Vec<&str> = options.data.iter().map(|(name, _)| name.as_str()).collect();
    warnings.push(Warning {
        pointer: format!("/mounts/{index}/options"),
        message: format!("options for a file system have no effect on {what}: {}", names.join(", ")),
    });
}
