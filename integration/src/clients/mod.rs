//! `cargo xtask clients`: drives the runtime by Debian's containerd (by `ctr` and as Kubernetes does), Docker and Podman:
//! this host's, and those of a newer release. A test has systemd make the cgroups, where there is one.
//!
//! Each check runs with the runc of the same release too, as the control: what passes with runc must pass with ours.
//! After each check nothing may be left: no container, process, mount or cgroup.

mod archive;
mod basics;
mod containerd;
mod cri;
mod docker;
mod engine;
mod image;
mod isolation;
mod judge;
mod limits;
mod living;
mod podman;
mod readme;
mod release;
mod stage;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use lexopt::prelude::*;

use crate::xtask::{Error, Result, build, is_root, packages, workspace};
use engine::{Engine, expect};
use image::Image;
use judge::{Check, Driver, Report, judge};
pub use release::Release;
use stage::Stage;
use systemd::Cgroups;
pub use systemd::{on_systemd, without_systemd};

/// A container manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// containerd, by `ctr`.
    Containerd,
    /// containerd, by the container runtime interface.
    Cri,
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl Client {
    const ALL: [Self; 4] = [Self::Containerd, Self::Cri, Self::Docker, Self::Podman];

    fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Cri => "cri",
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// Its programs, whose versions are worth knowing.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Containerd | Self::Cri => &["containerd", "containerd-shim-runc-v2", "runc"],
            Self::Docker => &["dockerd", "docker", "containerd", "containerd-shim-runc-v2", "runc"],
            Self::Podman => &["podman", "runc"],
        }
    }
}

/// A runtime, as the managers' configurations name it.
#[derive(Clone, Debug)]
struct Runtime {
    name: &'static str,
    path: PathBuf,
}

/// What the managers are set up with. The stages see all of it at the same place.
struct Setup {
    image: Image,
    /// Calls the container runtime interface.
    cri: PathBuf,
    /// runc, then ours.
    runtimes: [Runtime; 2],
}

/// What the command line asks for.
#[derive(Debug, Default)]
pub struct Options {
    clients: Vec<Client>,
    releases: Vec<Release>,
    /// Only checks whose names contain one of these.
    only: Vec<String>,
    /// A binary that is already built.
    runtime: Option<PathBuf>,
    cgroups: Cgroups,
}

impl Options {
    /// All checks of all clients of a release with the binary at `runtime`.
    #[must_use]
    pub fn all(release: Release, runtime: &Path) -> Self {
        Self {
            clients: Client::ALL.to_vec(),
            releases: vec![release],
            runtime: Some(runtime.to_owned()),
            ..Self::default()
        }
    }

    /// Reads the rest of the command line.
    pub fn parse(mut args: lexopt::Parser) -> std::result::Result<Self, lexopt::Error> {
        let mut options = Self::default();
        while let Some(arg) = args.next()? {
            match arg {
                Value(name) => {
                    let name = name.string()?;
                    let client = Client::ALL.into_iter().find(|client| client.name() == name);
                    options.clients.push(client.ok_or_else(|| format!("no client is named `{name}`"))?);
                }
                Long("release") => {
                    let name = args.value()?.string()?;
                    let release = Release::ALL.into_iter().find(|release| release.name() == name);
                    options.releases.push(release.ok_or_else(|| format!("no release is named `{name}`"))?);
                }
                Long("only") => options.only.push(args.value()?.string()?),
                Long("runtime") => options.runtime = Some(args.value()?.into()),
                _ => return Err(arg.unexpected()),
            }
        }
        if options.clients.is_empty() {
            options.clients = Client::ALL.to_vec();
        }
        if options.releases.is_empty() {
            options.releases = Release::ALL.to_vec();
        }
        Ok(options)
    }

    /// Of what passes, an emulated machine, slow as it is, needs no control.
    fn control_first(&self) -> bool {
        self.cgroups == Cgroups::Direct
    }

    fn wants(&self, check: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| check.contains(part.as_str()))
    }
}

/// What is to be installed for all of them.
#[must_use]
pub fn packages() -> Vec<&'static str> {
    Release::ALL.into_iter().flat_map(Release::packages).collect()
}

/// Why a release's clients cannot run here as part of all tests, if they cannot.
#[must_use]
pub fn obstacle(release: Release) -> Option<String> {
    packages::obstacle(&release.packages())
}

/// Installs what is missing, runs all checks and prints a table.
pub fn run(options: &Options) -> Result<()> {
    if !is_root() {
        return Err(Error::Missing("the clients make containers: run this as root".to_owned()));
    }
    // All of them before the first check runs, lest its result is lost.
    let roots = options.releases.iter().map(|release| Ok((*release, prepare(*release)?)));
    let roots = roots.collect::<Result<Vec<_>>>()?;
    let ours = match &options.runtime {
        Some(path) => path.clone(),
        None => build::shim()?,
    };
    let folder = tempfile::tempdir().map_err(Error::io("cannot make a temporary folder"))?;
    open_to_all(folder.path())?;
    let copy = |from: &Path, name: &str| {
        let to = folder.path().join(name);
        fs::copy(from, &to).map(|_| to).map_err(Error::io(format!("cannot copy {}", from.display())))
    };
    let setup = Setup {
        image: Image::make(folder.path())?,
        cri: copy(&workspace().join("fixtures/clients/cri.py"), "cri.py")?,
        runtimes: [
            Runtime { name: "runc", path: PathBuf::from("/usr/sbin/runc") },
            Runtime { name: readme::NAME, path: copy(&ours, readme::NAME)? },
        ],
    };
    let mut all = Report::default();
    roots.iter().for_each(|(release, root)| all.add(run_release(*release, root, &setup, options)));
    all.summarise()
}

/// Installs what is missing for a release, and returns its root file system.
fn prepare(release: Release) -> Result<PathBuf> {
    packages::ensure(&release.packages())?;
    release.root()
}

/// Drives the clients of a release beside each other.
fn run_release(release: Release, root: &Path, setup: &Setup, options: &Options) -> Report {
    let mut all = Report::default();
    thread::scope(|scope| {
        let start = |client: &Client| {
            let client = *client;
            (client, scope.spawn(move || drive(client, release, root, setup, options)))
        };
        let started: Vec<_> = options.clients.iter().map(start).collect();
        for (client, thread) in started {
            let panicked = |_| Err(Error::NotMet("its thread panicked".to_owned()));
            match thread.join().unwrap_or_else(panicked) {
                Ok(report) => all.add(report),
                Err(error) => {
                    let client = label(client, release);
                    eprintln!("{client}: {error}");
                    all.failed.push(format!("{client} as a whole"));
                }
            }
        }
    });
    all
}

/// What the client of a release is called in the table.
fn label(client: Client, release: Release) -> String {
    match release {
        Release::Host => client.name().to_owned(),
        Release::Forky => format!("{}-{}", client.name(), release.name()),
    }
}

/// The root of a user namespace must be able to reach what is in it.
fn open_to_all(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder, open).map_err(Error::io("cannot change a mode"))
}

fn drive(client: Client, release: Release, root: &Path, setup: &Setup, options: &Options) -> Result<Report> {
    let stage = Arc::new(Stage::open(&label(client, release), root, options.cgroups)?);
    println!("{}: {}", stage.name(), versions(&stage, client)?);
    match client {
        Client::Containerd => containerd::drive(&stage, setup, options),
        Client::Cri => cri::drive(&stage, setup, options),
        Client::Docker => docker::drive(&stage, setup, options),
        Client::Podman => podman::drive(&stage, setup, options),
    }
}

/// The checks that Docker and Podman have in common, those of them that this host can pass.
fn of_engines(stage: &Stage) -> Vec<&'static [Check<Engine>]> {
    let mut checks = vec![basics::CHECKS, living::CHECKS, limits::CHECKS, isolation::CHECKS];
    if stage.cgroups() == Cgroups::Systemd {
        checks.push(systemd::CHECKS);
    }
    let has_apparmor = fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    if has_apparmor.is_ok_and(|answer| answer.trim() == "Y") {
        checks.push(isolation::BY_APPARMOR);
    }
    checks
}

/// The client's programs with their versions.
fn versions(stage: &Stage, client: Client) -> Result<String> {
    let programs = client.programs().iter();
    let versions = programs.map(|program| Ok(format!("{program} {}", version(stage, program)?)));
    Ok(versions.collect::<Result<Vec<_>>>()?.join(", "))
}

fn version(stage: &Stage, program: &str) -> Result<String> {
    let output = expect(0, stage.run(&[program, "-v"], "")?)?;
    Ok(version_in(&output.stdout).to_owned())
}

/// The part before the first point of the version of a program on the stage.
fn major(stage: &Stage, program: &str) -> Result<u32> {
    let version = version(stage, program)?;
    let major = version.split('.').next().and_then(|major| major.parse().ok());
    major.ok_or_else(|| Error::NotMet(format!("{program} says that its version is `{version}`")))
}

/// The first word that begins as a version does.
fn version_in(text: &str) -> &str {
    let mut words = text.split_whitespace();
    let version = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    version.unwrap_or_default().trim_end_matches(',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_name() {
        let parse = |args: &[&str]| Options::parse(lexopt::Parser::from_args(args));
        assert_eq!(parse(&[]).unwrap().clients, Client::ALL);
        assert_eq!(parse(&["podman", "docker"]).unwrap().clients, [Client::Podman, Client::Docker]);
        assert!(parse(&["lxc"]).is_err());
        assert_eq!(parse(&[]).unwrap().releases, Release::ALL);
        assert_eq!(parse(&["--release", "forky"]).unwrap().releases, [Release::Forky]);
        assert!(parse(&["--release", "potato"]).is_err());
        let some = parse(&["--only", "exec", "--only", "pause"]).unwrap();
        assert!(some.wants("exec in a paused container") && !some.wants("stop"));
    }

    #[test]
    fn a_version_is_found_in_what_programs_say() {
        assert_eq!(version_in("Docker version 28.5.2+dfsg4, build 3ef3c07"), "28.5.2+dfsg4");
        assert_eq!(version_in("containerd-shim-runc-v2:\n  Version:  2.1.9+unknown\n"), "2.1.9+unknown");
        assert_eq!(version_in("containerd github.com/containerd/containerd/v2 2.1.9"), "2.1.9");
        assert_eq!(version_in("none"), "");
    }
}
