//! systemd's manager of units, as far as a container needs it.

use std::path::{Path, PathBuf};

use zbus::Variant;

use super::bus::{Answer, Bus, Method, Socket, Trouble, list, sockets, tuple, variant};
use super::{Property, Systemd, Unit};
use crate::cgroup::CgroupError;

const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";
const INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const JOB_REMOVED: (&str, &str) = (INTERFACE, "JobRemoved");
const MATCH: &str = "type='signal',sender='org.freedesktop.systemd1',\
                     interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";
const ADD_MATCH: Method = Method {
    owner: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    name: "AddMatch",
};
const GET: Method = Method { interface: "org.freedesktop.DBus.Properties", ..manager("Get") };

const EXISTS: &str = "org.freedesktop.systemd1.UnitExists";
const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

const fn manager(name: &'static str) -> Method {
    Method {
        owner: "org.freedesktop.systemd1",
        path: "/org/freedesktop/systemd1",
        interface: INTERFACE,
        name,
    }
}

/// A connection to systemd.
#[derive(Debug)]
pub struct Manager {
    bus: Bus,
    on_bus: bool,
    /// Whether the ends of jobs are told to us.
    subscribed: bool,
}

/// Where systemd may be reached, in the order in which it is tried; whether a bus is in between.
fn places(user: bool, environment: impl Fn(&str) -> Option<String>) -> Vec<(Socket, bool)> {
    let of_bus = |address: String| sockets(&address).into_iter().map(|socket| (socket, true));
    let variable = if user { "DBUS_SESSION_BUS_ADDRESS" } else { "DBUS_SYSTEM_BUS_ADDRESS" };
    if let Some(address) = environment(variable).filter(|address| !address.is_empty()) {
        return of_bus(address).collect();
    }
    // The first is systemd itself: it is there before any bus, and one process less is asked.
    let direct = |folder: &Path| (Socket::Path(folder.join("systemd/private")), false);
    if !user {
        return vec![direct(Path::new("/run")), (Socket::Path(SYSTEM_BUS.into()), true)];
    }
    let folder = environment("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    let folder = folder.map_or_else(own_runtime_folder, PathBuf::from);
    vec![direct(&folder), (Socket::Path(folder.join("bus")), true)]
}

fn own_runtime_folder() -> PathBuf {
    format!("/run/user/{}", rustix::process::geteuid().as_raw()).into()
}

impl Manager {
    /// Connects to the host's systemd, or to the one of a `user`.
    ///
    /// # Errors
    /// [`CgroupError::Host`] if there is none, or none that lets us in.
    pub fn connect(user: bool) -> Result<Self, CgroupError> {
        Self::connect_to(&places(user, |name| std::env::var(name).ok()), user)
    }

    fn connect_to(places: &[(Socket, bool)], user: bool) -> Result<Self, CgroupError> {
        let mut tried = Vec::new();
        for (socket, on_bus) in places {
            match Bus::connect(socket, *on_bus, JOB_REMOVED) {
                Ok(bus) => return Ok(Self { bus, on_bus: *on_bus, subscribed: false }),
                Err(trouble) => tried.push(format!("{socket}: {trouble}")),
            }
        }
        Err(unreachable(user, &tried))
    }

    /// What the planner has to know of this systemd.
    ///
    /// # Errors
    /// Answers that are none.
    pub fn facts(&mut self, user: bool) -> Result<Systemd, CgroupError> {
        let version = self.property("Version")?;
        // That of the host's systemd is the root, wherever it says that it is.
        let control_group = if user { self.property("ControlGroup")? } else { String::new() };
        let version =
            number(&version).ok_or_else(|| failed("Version", format!("{version:?} is no version")))?;
        Ok(Systemd { version, user, control_group })
    }

    fn property(&mut self, name: &'static str) -> Result<String, CgroupError> {
        let answer =
            self.bus.call(GET, vec![INTERFACE.into(), name.into()]).map_err(|why| failed(name, why))?;
        match answer.arguments.first() {
            Some(Variant::Variant(value)) => match &**value {
                Variant::Str(text) => Ok(text.as_str().to_owned()),
                _ => Err(failed(name, "the answer is no text")),
            },
            _ => Err(failed(name, "the answer is no property")),
        }
    }

    /// Makes a scope and moves process `pid` into it; waits until that is done.
    ///
    /// A unit that has failed and is still known by this name makes way.
    ///
    /// # Errors
    /// Names and properties that systemd refuses, a unit of this name, and jobs that end otherwise than well.
    pub fn start(&mut self, unit: &Unit, pid: u32, properties: &[Property]) -> Result<(), CgroupError> {
        let what = format!("start {}", unit.name);
        let failed = |why: Trouble| refused(&what, &why, properties);
        self.subscribe().map_err(failed)?;
        let answer = match self.try_start(unit, pid, properties) {
            Err(Trouble::Error(name, _)) if name == EXISTS => {
                self.reset(unit).map_err(failed)?;
                self.try_start(unit, pid, properties)
            }
            other => other,
        };
        let result = self.result(answer.map_err(failed)?).map_err(failed)?;
        if result == "done" {
            return Ok(());
        }
        // What is said is that it did not start; that it could not be forgotten either would add nothing.
        self.reset(unit).ok();
        Err(super::manager::failed(&what, format!("the job ended with {result:?} instead of \"done\"")))
    }

    fn try_start(&mut self, unit: &Unit, pid: u32, properties: &[Property]) -> Result<Answer, Trouble> {
        let own = [
            ("Slice", Variant::from(unit.slice.as_str())),
            ("PIDs", list("u", [Ok(Variant::U32(pid))].into_iter()).map_err(Trouble::Garbled)?),
        ];
        let own = own.into_iter().map(|(name, value)| pair(name, value));
        let asked = properties.iter().map(|property| pair(&property.name, variant(&property.value)?));
        let all = list("(sv)", own.chain(asked)).map_err(Trouble::Garbled)?;
        let others = list("(sa(sv))", std::iter::empty()).map_err(Trouble::Garbled)?;
        let arguments = vec![unit.name.as_str().into(), "replace".into(), all, others];
        self.bus.call(manager("StartTransientUnit"), arguments)
    }

    /// Stops a scope, which ends what is still in it, and has it forgotten; waits until that is done. One that does
    /// not exist is stopped already.
    ///
    /// # Errors
    /// Jobs that end otherwise than well.
    pub fn stop(&mut self, unit: &Unit) -> Result<(), CgroupError> {
        let what = format!("stop {}", unit.name);
        let failed = |why: Trouble| refused(&what, &why, &[]);
        self.subscribe().map_err(failed)?;
        let result =
            match self.bus.call(manager("StopUnit"), vec![unit.name.as_str().into(), "replace".into()]) {
                Ok(answer) => self.result(answer).map_err(failed)?,
                Err(Trouble::Error(name, _)) if name == NO_SUCH_UNIT => return Ok(()),
                Err(why) => return Err(failed(why)),
            };
        self.reset(unit).map_err(failed)?;
        if result == "done" {
            return Ok(());
        }
        Err(super::manager::failed(&what, format!("the job ended with {result:?} instead of \"done\"")))
    }

    /// Changes properties of a unit until it ends.
    ///
    /// # Errors
    /// Properties that systemd refuses.
    pub fn set(&mut self, unit: &Unit, properties: &[Property]) -> Result<(), CgroupError> {
        if properties.is_empty() {
            return Ok(());
        }
        let failed = |why: Trouble| refused(&format!("set properties of {}", unit.name), &why, properties);
        let asked = properties.iter().map(|property| pair(&property.name, variant(&property.value)?));
        let asked = list("(sv)", asked).map_err(|wrong| failed(Trouble::Garbled(wrong)))?;
        let arguments = vec![unit.name.as_str().into(), Variant::Bool(true), asked];
        self.bus.call(manager("SetUnitProperties"), arguments).map(drop).map_err(failed)
    }

    /// Has systemd tell the end of jobs. Directly connected to it one need not ask.
    fn subscribe(&mut self) -> Result<(), Trouble> {
        if self.on_bus && !self.subscribed {
            self.bus.call(ADD_MATCH, vec![MATCH.into()])?;
            self.bus.call(manager("Subscribe"), Vec::new())?;
        }
        self.subscribed = true;
        Ok(())
    }

    /// How the job ends that `answer` names.
    fn result(&mut self, answer: Answer) -> Result<String, Trouble> {
        let Some(Variant::ObjectPath(job)) = answer.arguments.first() else {
            return Err(Trouble::Garbled("a job without path".to_owned()));
        };
        loop {
            let signal = self.bus.signal()?;
            // On a bus others may send such a signal, too.
            if signal.sender != answer.sender {
                continue;
            }
            if let [_, Variant::ObjectPath(path), _, Variant::Str(result)] = signal.arguments.as_slice()
                && path == job
            {
                return Ok(result.as_str().to_owned());
            }
        }
    }

    /// Ends the memory of a unit that has failed.
    fn reset(&mut self, unit: &Unit) -> Result<(), Trouble> {
        match self.bus.call(manager("ResetFailedUnit"), vec![unit.name.as_str().into()]) {
            Err(Trouble::Error(name, _)) if name == NO_SUCH_UNIT => Ok(()),
            other => other.map(drop),
        }
    }
}

fn pair<'v>(name: &'v str, value: Variant<'v>) -> Result<Variant<'v>, String> {
    tuple(vec![name.into(), Variant::Variant(Box::new(value))])
}

/// `252.38-1~deb12u1`, `v255.4` → 252, 255.
fn number(version: &str) -> Option<u32> {
    let digits = version.trim_start_matches('v');
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

fn unreachable(user: bool, tried: &[String]) -> CgroupError {
    let whose = if user { "the systemd of this user" } else { "systemd" };
    let tried = if tried.is_empty() { "no address of a Unix socket".to_owned() } else { tried.join("; ") };
    CgroupError::host(format!(
        "{whose} cannot be reached, which --systemd-cgroup needs: {tried} (hint: on hosts without systemd leave \
         --systemd-cgroup out, or configure the client for cgroupfs)"
    ))
}

fn failed(what: &str, why: impl std::fmt::Display) -> CgroupError {
    CgroupError::Systemd { pointer: None, what: what.to_owned(), reason: why.to_string() }
}

/// The error of a call; a property that systemd names is one of the configuration's.
fn refused(what: &str, why: &Trouble, properties: &[Property]) -> CgroupError {
    let named = |property: &&Property| match why {
        Trouble::Error(_, said) => {
            said.split(|c: char| !c.is_alphanumeric()).any(|word| word == property.name)
        }
        _ => false,
    };
    let pointer = properties.iter().find(named).and_then(|property| property.pointer.clone());
    CgroupError::Systemd { pointer, what: what.to_owned(), reason: why.to_string() }
}

#[cfg(test)]
#[path = "manager_tests.rs"]
mod tests;
