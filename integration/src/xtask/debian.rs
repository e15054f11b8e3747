//! Root file systems of Debian releases.

use std::path::Path;
use std::process::Command;

use super::Result;
use super::process::capture;

/// Where the packages are.
pub const MIRROR: &str = "http://deb.debian.org/debian";

/// Makes the folder `root`, with these packages and what they need, without documentation. `more` are further options
/// of `mmdebstrap`.
pub fn bootstrap(release: &str, packages: &[&str], more: &[&str], root: &Path) -> Result<()> {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "mmdebstrap", "--variant=apt", "--format=directory"]);
    command.arg(format!("--include={}", packages.join(",")));
    for documents in ["doc", "man", "locale", "info"] {
        command.arg(format!("--dpkgopt=path-exclude=/usr/share/{documents}/*"));
    }
    // Read by the kernel package's script.
    command.env("INITRD", "No");
    capture(command.args(more).arg(release).arg(root).arg(MIRROR)).map(drop)
}
