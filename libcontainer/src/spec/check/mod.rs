//! The rules for everything but mounts. A rule is a function that takes the raw value and gives the checked one.

mod capabilities;
mod devices;
mod env;
mod hooks;
mod idmap;
mod intel_rdt;
mod memory;
mod namespaces;
mod net_devices;
mod numbers;
mod personality;
mod process;
mod propagation;
mod rlimits;
mod scheduling;
mod sysctl;
mod text;
mod time;
mod top;
mod unsupported;

use std::path::Path;

use super::config::Config;
use super::problem::Checked;
use super::raw::Spec;
use super::{mount, seccomp};

pub(super) use capabilities::CAPABILITIES;
pub(super) use idmap::lists as id_maps;
pub(super) use memory::{FLAGS as MEMORY_POLICY_FLAGS, MODES as MEMORY_POLICY_MODES};
pub(super) use namespaces::NAMESPACES;
pub(super) use process::{changed, executed};
pub(super) use propagation::{PROPAGATIONS, propagation};
pub(super) use text::{c_string, entries, path as path_text};

/// Checks a whole document.
pub(super) fn config(raw: Spec, bundle: &Path) -> Checked<Config> {
    unsupported::refuse(&raw)?;
    let mut warnings = Vec::new();
    let linux = raw.linux;
    let namespaces = namespaces::namespaces(&linux.namespaces)?;
    top::names(&raw.hostname, &raw.domainname, &namespaces)?;
    let (uid_maps, gid_maps) = idmap::maps(&linux.uid_mappings, &linux.gid_mappings, &namespaces)?;
    let sysctl = sysctl::sysctl(linux.sysctl, &namespaces, &raw.domainname)?;
    let config = Config {
        version: top::version(raw.oci_version)?,
        root: top::root(raw.root, bundle)?,
        process: raw.process.map(|process| process::process(process, &mut warnings)).transpose()?,
        hostname: text::present(raw.hostname),
        domainname: text::present(raw.domainname),
        mounts: mount::mounts(raw.mounts, &namespaces, bundle, &mut warnings)?,
        uid_maps,
        gid_maps,
        sysctl,
        devices: devices::devices(linux.devices)?,
        net_devices: net_devices::net_devices(linux.net_devices, &namespaces)?,
        intel_rdt: intel_rdt::intel_rdt(linux.intel_rdt)?,
        masked_paths: text::absolute_paths(linux.masked_paths, "/linux/maskedPaths")?,
        readonly_paths: text::absolute_paths(linux.readonly_paths, "/linux/readonlyPaths")?,
        rootfs_propagation: top::rootfs_propagation(&linux.rootfs_propagation)?,
        mount_label: top::mount_label(linux.mount_label)?,
        cgroups_path: top::cgroups_path(linux.cgroups_path)?,
        resources: linux.resources.map(Into::into),
        seccomp: seccomp::profile(linux.seccomp)?,
        personality: linux.personality.as_ref().map(personality::personality).transpose()?,
        memory_policy: linux.memory_policy.as_ref().map(memory::policy).transpose()?,
        time_offsets: time::offsets(&linux.time_offsets, &namespaces)?,
        hooks: hooks::hooks(raw.hooks)?,
        annotations: raw.annotations,
        namespaces,
        warnings,
    };
    Ok(config)
}
