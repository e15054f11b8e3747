//! `spec`: writes a configuration to start from.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid};

use super::{Command, Context};
use crate::cli::Arguments;
use crate::failure::Failure;
use crate::messages;

pub(super) const COMMAND: Command = Command {
    name: "spec",
    summary: "write a config.json to start from",
    usage: "[OPTIONS]",
    options: &[
        ("--bundle DIR, -b DIR", "folder to write to (default: the current one)"),
        ("--rootless", "a configuration for a user without privileges"),
    ],
    seals: false,
    run: spec,
};

// Kept as the text that runc writes, tabs and order included: people compare and patch it.
const DEFAULT: &str = include_str!("default.json");
const ROOTLESS: &str = include_str!("rootless.json");
const CGROUP_NAMESPACE: &str = ",\n\t\t\t{\n\t\t\t\t\"type\": \"cgroup\"\n\t\t\t}";

fn spec(context: &Context, arguments: &mut Arguments) -> Result<u8, Failure> {
    let (mut folder, mut rootless) = (PathBuf::new(), false);
    let [] = context.words(arguments, 0..=0, |flag, arguments| {
        match flag {
            "--bundle" | "-b" => folder = arguments.path()?,
            "--rootless" => rootless = arguments.switch()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    write_new(&folder.join("config.json"), &config(rootless, cgroup_is_v2()))?;
    Ok(0)
}

/// A cgroup namespace is of use only where the container sees a v2 tree.
fn config(rootless: bool, cgroup_v2: bool) -> String {
    let text = if rootless {
        ROOTLESS
            .replace("@UID@", &geteuid().as_raw().to_string())
            .replace("@GID@", &getegid().as_raw().to_string())
    } else {
        DEFAULT.to_owned()
    };
    if cgroup_v2 { text } else { text.replace(CGROUP_NAMESPACE, "") }
}

fn cgroup_is_v2() -> bool {
    /// `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
    const CGROUP2: u64 = 0x6367_7270;
    rustix::fs::statfs("/sys/fs/cgroup").is_ok_and(|stat| u64::try_from(stat.f_type) == Ok(CGROUP2))
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let mut file = File::create_new(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::Other(messages::CONFIG_EXISTS.to_owned()),
        _ => Failure::system(messages::opening(path), error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| Failure::system(messages::writing(path), error))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn namespaces(text: &str) -> Vec<String> {
        let config: Value = serde_json::from_str(text).unwrap();
        let list = config["linux"]["namespaces"].as_array().unwrap();
        list.iter().map(|entry| entry["type"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn namespaces_follow_the_cgroup_version_and_the_user() {
        assert_eq!(namespaces(&config(false, false)), ["pid", "network", "ipc", "uts", "mount"]);
        assert_eq!(namespaces(&config(false, true)), ["pid", "network", "ipc", "uts", "mount", "cgroup"]);
        assert_eq!(namespaces(&config(true, false)), ["pid", "ipc", "uts", "mount", "user"]);
        assert_eq!(namespaces(&config(true, true)), ["pid", "ipc", "uts", "mount", "cgroup", "user"]);
    }

    #[test]
    fn all_variants_are_valid_for_an_independent_reader() {
        for (rootless, v2) in [(false, false), (false, true), (true, false), (true, true)] {
            let text = config(rootless, v2);
            let spec: oci_spec::runtime::Spec = serde_json::from_str(&text).unwrap();
            assert_eq!(spec.version(), libcontainer::SPEC_VERSION);
            assert!(!text.contains('@'));
        }
    }

    #[test]
    fn the_mapping_of_a_user_is_its_own() {
        let config: Value = serde_json::from_str(&config(true, false)).unwrap();
        assert_eq!(config["linux"]["uidMappings"][0]["hostID"], geteuid().as_raw());
        assert_eq!(config["linux"]["gidMappings"][0]["hostID"], getegid().as_raw());
    }
}
