//! Security modules and their labels.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Write};

use crate::spec::Config;

/// The security modules of the running kernel, if the configuration has anything for them.
pub(super) fn needed_by(config: &Config) -> Vec<String> {
    if has_label(config) { active() } else { Vec::new() }
}

fn has_label(config: &Config) -> bool {
    let process = config.process.as_ref();
    config.mount_label.is_some()
        || process
            .is_some_and(|process| process.apparmor_profile.is_some() || process.selinux_label.is_some())
}

/// The kernel's own list, from securityfs; where that is not mounted, what only an active module makes.
fn active() -> Vec<String> {
    if let Ok(list) = std::fs::read_to_string("/sys/kernel/security/lsm") {
        return list.trim().split(',').map(str::to_owned).collect();
    }
    // An active SELinux has a file system, mounted or not; AppArmor says itself whether it is on.
    let signs = [
        ("apparmor", "/sys/module/apparmor/parameters/enabled", "Y"),
        ("selinux", "/proc/filesystems", "selinuxfs"),
    ];
    let is_on = |path: &str, sign: &str| {
        std::fs::read_to_string(path).is_ok_and(|text| text.split_whitespace().any(|word| word == sign))
    };
    let active = signs.iter().filter(|(_, path, sign)| is_on(path, sign));
    active.map(|(name, ..)| (*name).to_owned()).collect()
}

/// Where SELinux says whether its policy knows a label.
const CHECK: &str = "/sys/fs/selinux/context";

/// The labels of `config` that SELinux's policy does not know. What cannot be asked is left to who applies the label.
pub(super) fn unknown_labels(config: &Config) -> BTreeSet<String> {
    let process = config.process.as_ref().and_then(|process| process.selinux_label.as_ref());
    let labels = process.into_iter().chain(&config.mount_label);
    labels.filter(|label| is_unknown(label)).cloned().collect()
}

fn is_unknown(label: &str) -> bool {
    let checked =
        File::options().write(true).open(CHECK).and_then(|mut file| file.write_all(label.as_bytes()));
    checked.is_err_and(|error| error.kind() == ErrorKind::InvalidInput)
}
