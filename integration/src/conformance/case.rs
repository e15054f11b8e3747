//! One test of the suite, run by itself.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Host;
use super::outcome::{Verdict, judge};
use super::suite::Suite;
use crate::xtask::{Error, Result, workspace};

/// How long a test may take. The slowest takes 25 seconds, nearly all of it asleep.
const PATIENCE: Duration = Duration::from_secs(240);

/// What tests are run with.
pub(super) struct Bench<'a> {
    pub(super) suite: &'a Suite,
    pub(super) runtime: &'a Path,
    pub(super) host: Host,
}

/// What one test did.
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) time: Duration,
    /// All that was printed, errors last.
    pub(super) output: String,
}

impl Outcome {
    /// The last of what was printed.
    pub(super) fn end(&self) -> String {
        let lines: Vec<_> = self.output.lines().collect();
        lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n")
    }
}

impl Bench<'_> {
    /// Runs the test of this name in a mount namespace of its own.
    pub(super) fn run(&self, name: &str) -> Result<Outcome> {
        let scratch = tempfile::tempdir().map_err(Error::io("cannot make a temporary folder"))?;
        // The root of a user namespace must be able to reach the bundles in it.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(scratch.path(), open).map_err(Error::io("cannot change a mode"))?;
        let mut test = isolated("isolate.sh");
        test.arg(self.host.name()).arg(PATIENCE.as_secs().to_string()).arg(self.suite.folder.join(name));
        test.env("SUITE_RUNTIME", self.runtime).env("SUITE_TEST", name).env("RUNTIME", fixture("runtime.sh"));
        test.env("SUITE_ROOT", scratch.path().join("root")).env("TMPDIR", scratch.path());
        test.current_dir(&self.suite.folder).stdin(Stdio::null());
        // Files, not pipes: what a test leaves running must not keep us waiting.
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| scratch.path().join(name));
        test.stdout(create(&stdout)?).stderr(create(&stderr)?);
        let begin = Instant::now();
        let status = test.status().map_err(Error::io("cannot start unshare"))?;
        let time = begin.elapsed();
        let stdout = read(&stdout)?;
        let verdict = judge(status.success(), &stdout);
        Ok(Outcome { verdict, time, output: format!("{stdout}{}({status})\n", read(&stderr)?) })
    }
}

fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(Error::io(format!("cannot create {}", path.display())))
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(Error::io(format!("cannot read {}", path.display())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The script of this name, in a mount namespace of its own.
pub(super) fn isolated(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]).arg(fixture(script));
    command
}

fn fixture(name: &str) -> PathBuf {
    workspace().join("fixtures/conformance").join(name)
}
