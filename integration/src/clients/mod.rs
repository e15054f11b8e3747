//! `cargo xtask clients`: drives the runtime by Debian's containerd (by `ctr` and as Kubernetes does), Docker and Podman.
//!
//! Each check runs with Debian's runc too, as the control: what passes with runc must pass with ours. After each check
//! nothing may be left: no container, process, mount or cgroup.

mod archive;
mod basics;
mod containerd;
mod cri;
mod docker;
mod engine;
mod image;
mod isolation;
mod limits;
mod living;
mod podman;
mod readme;
mod stage;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use lexopt::prelude::*;

use crate::xtask::{Error, Result, build, is_root, packages};
use image::Image;
use stage::Stage;

/// What is installed for the clients: busybox makes the image, Python calls what has no program of its own, tini reaps
/// what daemons leave behind.
pub const PACKAGES: [&str; 9] = [
    "busybox-static",
    "containerd",
    "docker.io",
    "iproute2",
    "podman",
    "python3-grpcio",
    "python3-protobuf",
    "runc",
    "tini",
];

/// A container manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Containerd,
    Cri,
    Docker,
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
}

/// A runtime, as the managers' configurations name it.
#[derive(Clone, Debug)]
struct Runtime {
    name: &'static str,
    path: PathBuf,
}

/// What the managers are set up with.
struct Setup {
    image: Image,
    /// runc, then ours.
    runtimes: [Runtime; 2],
}

/// What the command line asks for.
#[derive(Debug, Default)]
pub struct Options {
    clients: Vec<Client>,
    /// Only checks whose names contain one of these.
    only: Vec<String>,
    /// A binary that is already built.
    runtime: Option<PathBuf>,
}

impl Options {
    /// All checks of all clients with the binary at `runtime`.
    #[must_use]
    pub fn all(runtime: &Path) -> Self {
        Self { clients: Client::ALL.to_vec(), only: Vec::new(), runtime: Some(runtime.to_owned()) }
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
                Long("only") => options.only.push(args.value()?.string()?),
                Long("runtime") => options.runtime = Some(args.value()?.into()),
                _ => return Err(arg.unexpected()),
            }
        }
        if options.clients.is_empty() {
            options.clients = Client::ALL.to_vec();
        }
        Ok(options)
    }

    fn wants(&self, check: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| check.contains(part.as_str()))
    }
}

/// Why the clients cannot run here as part of all tests, if they cannot.
#[must_use]
pub fn obstacle() -> Option<String> {
    packages::obstacle(&PACKAGES)
}

/// Installs what is missing, runs all checks and prints a table.
pub fn run(options: &Options) -> Result<()> {
    if !is_root() {
        return Err(Error::Missing("the clients make containers: run this as root".to_owned()));
    }
    packages::ensure(&PACKAGES)?;
    let ours = match &options.runtime {
        Some(path) => std::path::absolute(path).map_err(Error::io("cannot resolve the runtime's path"))?,
        None => build::shim()?,
    };
    let folder = tempfile::tempdir().map_err(Error::io("cannot make a temporary folder"))?;
    open_to_all(folder.path())?;
    let setup = Setup {
        image: Image::make(folder.path())?,
        runtimes: [
            Runtime { name: "runc", path: PathBuf::from("/usr/sbin/runc") },
            Runtime { name: readme::NAME, path: ours },
        ],
    };
    let reports = thread::scope(|scope| {
        let clients: Vec<_> = options
            .clients
            .iter()
            .map(|client| {
                scope.spawn(|| drive(*client, &setup, options).map_err(|error| (client.name(), error)))
            })
            .collect();
        let join = |client: thread::ScopedJoinHandle<'_, _>| {
            client
                .join()
                .unwrap_or_else(|_| Err(("a client", Error::NotMet("its thread panicked".to_owned()))))
        };
        clients.into_iter().map(join).collect::<Vec<_>>()
    });
    summarise(reports)
}

/// The root of a user namespace must be able to reach what is in it.
fn open_to_all(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder, open).map_err(Error::io("cannot change a mode"))
}

/// How many checks passed with ours, and the names of those that had to and did not.
#[derive(Default)]
struct Report {
    passed: usize,
    failed: Vec<String>,
    /// Not judged, as runc does not pass it here either.
    unjudged: Vec<String>,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.unjudged.extend(other.unjudged);
    }
}

fn drive(client: Client, setup: &Setup, options: &Options) -> Result<Report> {
    let name = format!("clients-{}-{}", client.name(), std::process::id());
    let stage = Arc::new(Stage::open(&name)?);
    match client {
        Client::Containerd => containerd::drive(&stage, setup, options),
        Client::Cri => cri::drive(&stage, setup, options),
        Client::Docker => docker::drive(&stage, setup, options),
        Client::Podman => podman::drive(&stage, setup, options),
    }
}

/// A check by a name that says what it shows.
struct Check<C> {
    name: &'static str,
    run: fn(&C) -> Result<()>,
}

/// What runs checks needs to know of a client that uses one runtime.
trait Driver {
    /// Removes all containers, whatever state they are in.
    fn clean(&self) -> Result<()>;
    /// Fails if something is left behind.
    fn leaks(&self) -> Result<()>;
    /// What is known to be wrong with the daemon.
    fn log(&self) -> String;
}

/// Runs each check with the control and with ours, and prints a line for each.
fn judge<C: Driver>(
    client: &str,
    drivers: &[C; 2],
    checks: &[Check<C>],
    options: &Options,
) -> Result<Report> {
    let mut report = Report::default();
    for check in checks.iter().filter(|check| options.wants(check.name)) {
        let begin = Instant::now();
        let title = format!("{client}: {}", check.name);
        let [control, mut ours] = drivers.each_ref().map(|driver| attempt(driver, check));
        // Managers lose output and answers of their own, the more the busier the machine is.
        if let (Ok(()), Err(error), [_, driver]) = (&control, &ours, drivers) {
            println!("once more: {title}, which gave: {error}");
            ours = attempt(driver, check);
        }
        let seconds = begin.elapsed().as_secs_f64();
        let [control_word, our_word] =
            [&control, &ours].map(|result| if result.is_ok() { "ok" } else { "FAILED" });
        let mut line = format!("{title:60} runc {control_word:6}  ours {our_word:6} {seconds:5.1} s");
        match (&control, &ours) {
            (Ok(()), Err(error)) => {
                line.push_str(&format!("\n{error}"));
                report.failed.push(title);
            }
            (Err(error), _) => {
                line.push_str(&format!("\nnot judged, for with runc: {error}"));
                report.unjudged.push(title);
            }
            (Ok(()), Ok(())) => report.passed += 1,
        }
        println!("{line}");
    }
    Ok(report)
}

/// One check with one runtime, and whether it left something behind. Cleans up after a failure.
fn attempt<C: Driver>(driver: &C, check: &Check<C>) -> Result<()> {
    let result = (check.run)(driver).and_then(|()| driver.leaks());
    result.map_err(|error| {
        let log = driver.log();
        let cleaning = match driver.clean().and_then(|()| driver.leaks()) {
            Ok(()) => String::new(),
            Err(error) => format!("\nafter cleaning up: {error}"),
        };
        Error::NotMet(format!("{error}\n{log}{cleaning}"))
    })
}

fn summarise(reports: Vec<std::result::Result<Report, (&str, Error)>>) -> Result<()> {
    let mut all = Report::default();
    for report in reports {
        match report {
            Ok(report) => all.add(report),
            Err((client, error)) => {
                eprintln!("{client}: {error}");
                all.failed.push(format!("{client} as a whole"));
            }
        }
    }
    let Report { passed, failed, unjudged } = all;
    println!("\n{passed} checks passed, {} failed, {} not judged.", failed.len(), unjudged.len());
    if !unjudged.is_empty() {
        println!("runc does not pass: {}", unjudged.join("; "));
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Error::NotMet(format!("failed: {}", failed.join("; "))))
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
        let some = parse(&["--only", "exec", "--only", "pause"]).unwrap();
        assert!(some.wants("exec in a paused container") && !some.wants("stop"));
    }
}
