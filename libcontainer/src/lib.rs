//! A library that creates, starts, kills and deletes OCI containers on Linux.
//!
//! The work is split in three: [`facts`] asks the host what it can do, [`planner`] turns a bundle's
//! configuration and those facts into a [`Plan`] without touching anything, and `launch` executes
//! that plan with an undo for every change it makes on the host.
//!
//! ```no_run
//! use libcontainer::{Bundle, ContainerId, CreateOptions, Delete, Runtime, Signals};
//!
//! # fn main() -> libcontainer::Result<()> {
//! libcontainer::exe::seal()?; // first line of main
//! let runtime = Runtime::new("/run/mycontainers");
//! let id = ContainerId::new("web")?;
//! let bundle = Bundle::open("/bundles/web")?;
//! println!("{}", runtime.plan(&id, &bundle, &CreateOptions::default())?); // changes nothing
//! let container = runtime.create(&id, &bundle, &CreateOptions::default())?; // undone on error
//! container.start()?;
//! container.kill(15, Signals::Init)?;
//! container.wait()?;
//! container.delete(Delete::Stopped)?;
//! # Ok(())
//! # }
//! ```
//!
//! Meanwhile more programs can be executed in it, by any number of threads at the same time:
//!
//! ```no_run
//! use std::fs::File;
//! use std::io::Read;
//!
//! use libcontainer::{Container, ExecOptions, Stdio};
//!
//! fn user(container: &Container) -> Result<String, Box<dyn std::error::Error>> {
//!     let options = ExecOptions::new(["id", "-un"]).uid(1000).stdio(Stdio::Piped);
//!     println!("{}", container.plan_exec(&options)?); // changes nothing
//!     let mut program = container.exec(options)?; // a child of this process
//!     let mut name = String::new();
//!     if let Some(pipe) = program.stdout.take() {
//!         File::from(pipe).read_to_string(&mut name)?;
//!     }
//!     match program.wait()?.shell_code() {
//!         0 => Ok(name),
//!         code => Err(format!("id ended with {code}").into()),
//!     }
//! }
//! ```
#![warn(missing_docs)]

/// Its example is compiled as well.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

mod bundle;
pub mod cgroup;
mod container;
mod criu;
mod error;
pub mod exe;
pub mod facts;
mod id;
mod launch;
pub mod planner;
pub mod resctrl;
pub mod seccomp;
pub mod spec;
mod status;
mod sys;

pub use bundle::Bundle;
pub use container::{
    CheckpointOptions, Container, CreateOptions, Delete, Event, Exec, ExecOptions, ExitStatus, Notifications,
    RestoreOptions, Runtime, Signals, State, Stats, Stdio, Update, Watch,
};
pub use criu::CgroupsMode;
pub use error::{Error, ErrorKind, HookEnd, HookFailure, Result, StepFailure};
pub use id::ContainerId;
pub use planner::Plan;
pub use status::Status;
pub use sys::time::rfc3339;

/// The version of the OCI runtime specification that this library implements.
pub const SPEC_VERSION: &str = "1.3.0";
