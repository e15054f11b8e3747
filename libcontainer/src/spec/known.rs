//! What a configuration may contain, taken from the tables that read it. For `features`.

use super::{check, mount};

/// The kinds of hooks that are run.
pub const HOOKS: &[&str] =
    &["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// Whether `/mounts/N/uidMappings` and the options `idmap` and `ridmap` are applied.
pub const IDMAPPED_MOUNTS: bool = true;

/// Whether `/linux/netDevices` are moved into the container.
pub const NET_DEVICES: bool = true;

/// The modes of `/linux/memoryPolicy`.
pub const MEMORY_POLICY_MODES: &[&str] = &check::MEMORY_POLICY_MODES;

/// The flags of `/linux/memoryPolicy`.
pub const MEMORY_POLICY_FLAGS: &[&str] = &check::MEMORY_POLICY_FLAGS;

/// What is applied of `/linux/intelRdt`.
pub const INTEL_RDT: IntelRdt = IntelRdt { enabled: true, schemata: true, monitoring: true };

/// The parts of `/linux/intelRdt` that differ between runtimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntelRdt {
    /// The block itself.
    pub enabled: bool,
    /// `schemata`
    pub schemata: bool,
    /// `enableMonitoring`
    pub monitoring: bool,
}

/// The types of `/linux/namespaces/N/type`.
#[must_use]
pub fn namespaces() -> Vec<&'static str> {
    check::NAMESPACES.map(|(name, _)| name).to_vec()
}

/// The names of `/process/capabilities`, by their number.
#[must_use]
pub fn capabilities() -> &'static [&'static str] {
    &check::CAPABILITIES
}

/// The words of `/mounts/N/options` with a meaning of their own, sorted; others are data of the file system.
#[must_use]
pub fn mount_options() -> Vec<String> {
    mount::known_options()
}
