//! `cargo xtask …`: the project's task runner.

use std::process::ExitCode;

use integration::xtask::{Error, Result, build, demo, fuzz, install, packages, symbols, test, vm};
use integration::{bench, clients, conformance};
use lexopt::prelude::*;

const USAGE: &str = "\
usage: cargo xtask TASK

  build      build the static release binary of runc-shim
  install    build it and install it with manual pages and completions [--prefix DIR] [--runc]
  demo       build it, make a bundle, and run a container from it
  test       run every check and test of the project
  bench      compare with the other runtimes on this host [--runs N] [--only NAME,…] [--json FILE] [--check]
  bench-seccomp
             compare the seccomp compiler with libseccomp
  clients    drive it by Debian's container managers, this host's and newer ones
             [containerd|cri|docker|podman]… [--release host|forky]… [--only PART]… [--runtime PATH]
  conformance
             run the OCI validation suite [--host plain|v1net|v2]… [--only TEST,…] [--runtime PATH]
  fuzz       look for a config.json or a profile that breaks us [--target config|seccomp] [--seconds N]
  packages   install the Debian packages that `clients` and `conformance` need; `test` skips these without them
  vm         run tests in an emulated machine with systemd, cgroup v2 and AppArmor [NAME…] [--sh COMMAND]
  symbols    show that the container's first process cannot allocate or panic
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = lexopt::Parser::from_env();
    let task = match args.next().map_err(usage)? {
        Some(Value(task)) => task.string().map_err(usage)?,
        Some(Short('h') | Long("help")) => {
            print!("{USAGE}");
            return Ok(());
        }
        Some(other) => return Err(usage(other.unexpected())),
        None => return Err(Error::Missing(USAGE.to_owned())),
    };
    if task == "bench" {
        return bench::run(&bench::Options::parse(args).map_err(usage)?);
    }
    if task == "clients" {
        return clients::run(&clients::Options::parse(args).map_err(usage)?);
    }
    if task == "conformance" {
        return conformance::run(&conformance::Options::parse(args).map_err(usage)?);
    }
    if task == "install" {
        return install::run(&install::Options::parse(args).map_err(usage)?);
    }
    if task == "vm" {
        return vm::run(&vm::Options::parse(args).map_err(usage)?);
    }
    if task == "fuzz" {
        return fuzz::run(&fuzz::Options::parse(args).map_err(usage)?);
    }
    if let Some(extra) = args.next().map_err(usage)? {
        return Err(usage(extra.unexpected()));
    }
    match task.as_str() {
        "bench-seccomp" => bench::seccomp::run(),
        "build" => build::shim().map(drop),
        "demo" => demo::run(),
        "test" => test::run(),
        "packages" => packages::ensure(&[&conformance::PACKAGES[..], &clients::packages()].concat()),
        "symbols" => symbols::run(),
        _ => Err(Error::Missing(format!("no task is named `{task}`\n{USAGE}"))),
    }
}

fn usage(error: lexopt::Error) -> Error {
    Error::Missing(format!("{error}\n{USAGE}"))
}
