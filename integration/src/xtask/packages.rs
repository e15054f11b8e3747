//! Debian packages that a task needs.

use std::collections::BTreeSet;
use std::process::Command;

use super::process::run;
use super::{Error, Result, find_in_path, is_root};

/// Those of the packages that are not installed; an error where the host has no `dpkg`.
pub fn missing<'a>(names: &[&'a str]) -> Result<Vec<&'a str>> {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Abbrev} ${Package}\n"]).args(names);
    // It fails if it does not know one of them, and lists the others.
    let output = query.output().map_err(|error| {
        Error::Missing(format!("this needs packages of Debian, and dpkg-query does not start: {error}"))
    })?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let installed: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("ii ")).map(str::trim).collect();
    Ok(names.iter().copied().filter(|name| !installed.contains(name)).collect())
}

/// Why a task that needs root and these packages cannot run here, if it cannot.
#[must_use]
pub fn obstacle(names: &[&str]) -> Option<String> {
    if !is_root() {
        return Some("not root".to_owned());
    }
    match missing(names) {
        Ok(missing) if missing.is_empty() => None,
        Ok(missing) => Some(format!("not installed: {}", missing.join(" "))),
        Err(error) => Some(error.to_string()),
    }
}

/// Installs those of the packages that are not installed, or says how.
pub fn ensure(names: &[&str]) -> Result<()> {
    let missing = missing(names)?;
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root() || find_in_path("apt-get").is_none() {
        return Err(Error::Missing(format!("install first: apt-get install {}", missing.join(" "))));
    }
    run(apt().args(["update"]))?;
    run(apt().args(["install", "--yes", "--no-install-recommends"]).args(missing))
}

/// Waits for others who install; starts no service of what it installs.
fn apt() -> Command {
    let mut apt = Command::new("apt-get");
    apt.args(["--quiet", "--option", "DPkg::Lock::Timeout=600"]);
    // invoke-rc.d takes this for a host that is being set up.
    apt.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    apt
}
