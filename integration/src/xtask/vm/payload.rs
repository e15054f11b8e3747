//! The second disk of a run: the programs, what they read, and the script that runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::process::capture;
use super::super::tally::Program;
use super::super::{Error, Result, workspace};
use super::image::make_disk;
use crate::conformance;

/// The tests to run, by their programs.
pub(super) type Selection = BTreeMap<Program, BTreeSet<String>>;

/// The last line of a complete run.
pub(super) const DONE: &str = "vm: done";

/// Begins the line that says how a program ended: its name and exit code follow.
pub(super) const ENDED: &str = "vm: ended: ";

/// CRIU without hardware breakpoints. For each the kernel rewrites its scheduler, and with two processors QEMU 7.2 now and
/// then executes what was there before, which is the kernel's end.
const CRIU: &str = "#!/bin/sh\nexport CRIU_FAULT=130\nexec /usr/sbin/criu \"$@\"\n";

/// What tests need.
pub struct Binaries<'a> {
    /// The runtime.
    pub shim: &'a Path,
    /// The reporter that tests run inside containers.
    pub probe: &'a Path,
}

/// What is to be done in the machine.
pub(super) struct Work<'a> {
    /// What its tests need.
    pub(super) binaries: &'a Binaries<'a>,
    /// Tests to run.
    pub(super) tests: &'a Selection,
    /// A line of shell to run.
    pub(super) command: Option<&'a str>,
}

impl Work<'_> {
    /// Makes the disk in `folder`.
    pub(super) fn disk(&self, folder: &Path) -> Result<PathBuf> {
        let root = folder.join("payload");
        let bin = root.join("workspace/bin");
        // Tests look for fixtures from their package's folder.
        for path in [bin.clone(), root.join("workspace/integration"), root.join("workspace/libcontainer")] {
            fs::create_dir_all(&path).map_err(Error::io(format!("cannot make {}", path.display())))?;
        }
        // README.md has the configurations of container managers.
        for name in ["fixtures", "README.md"] {
            capture(Command::new("cp").arg("-a").arg(workspace().join(name)).arg(root.join("workspace")))?;
        }
        let programs = self.tests.keys().map(|program| (program.path(), program.file_name()));
        let binaries =
            [(self.binaries.shim, "runc-shim".to_owned()), (self.binaries.probe, "probe".to_owned())];
        for (from, name) in programs.chain(binaries) {
            // What debuggers need is most of a test program.
            capture(Command::new("strip").arg("--strip-debug").arg("-o").arg(bin.join(name)).arg(from))?;
        }
        let criu = bin.join("criu");
        fs::write(&criu, CRIU)
            .and_then(|()| fs::set_permissions(&criu, Permissions::from_mode(0o755)))
            .map_err(Error::io(format!("cannot make {}", criu.display())))?;
        let suite = root.join("workspace/suite");
        fs::create_dir_all(&suite).map_err(Error::io(format!("cannot make {}", suite.display())))?;
        // Where it is not to be had, the tests that want it say so.
        for file in conformance::of_labels().unwrap_or_default() {
            capture(Command::new("cp").arg(file).arg(&suite))?;
        }
        fs::write(root.join("run"), self.script()).map_err(Error::io("cannot write the machine's script"))?;
        let disk = folder.join("disk");
        make_disk(&root, &disk)?;
        Ok(disk)
    }

    /// What the machine runs: everything is where it is on this host, and every program says how it ended.
    fn script(&self) -> String {
        let workspace = quoted(&workspace().display().to_string());
        let mut script = format!(
            "workspace={workspace}\n\
             mkdir -p \"$workspace\" && mount --bind /mnt/workspace \"$workspace\"\n\
             cd \"$workspace/integration\"\n\
             export HOME=/root TMPDIR=/var/tmp RUNC_SHIM=\"$workspace/bin/runc-shim\" PROBE=\"$workspace/bin/probe\"\n\
             export SUITE=\"$workspace/suite\" CRIU=\"$workspace/bin/criu\"\n"
        );
        for (program, tests) in self.tests {
            let (name, file, path) = (program.name(), program.file_name(), program.path().display());
            let tests: Vec<_> = tests.iter().map(String::as_str).collect();
            let tests = tests.join(" ");
            // As cargo announces it.
            script += &format!("echo 'Running {name} ({path})'\n");
            script += &format!(
                "\"$workspace/bin/{file}\" --test-threads=2 --exact {tests}; echo \"{ENDED}{name} $?\"\n"
            );
        }
        if let Some(command) = self.command {
            script += &format!("sh -c {}; echo \"{ENDED}command $?\"\n", quoted(command));
        }
        script + &format!("echo '{DONE}'\n")
    }
}

/// As one word of shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
