//! What becomes of a field: found out by planning configurations with and without it.

use std::fmt;
use std::path::Path;

use libcontainer::facts::Facts;
use libcontainer::planner::{self, Options, Request};
use libcontainer::{Error, ErrorKind, Plan, spec};
use serde_json::Value;

use crate::examples::{Examples, HOSTS, alone, merge, without};
use crate::field::Field;

/// What becomes of a field on one kind of host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    Ignored,
    /// With this message.
    Refused(String),
    Supported,
}

/// On the hosts in the order of [`HOSTS`].
#[derive(Debug)]
pub(crate) struct Fates([Fate; 2]);

/// What follows from a configuration: all that a container's creation does with it.
#[derive(PartialEq)]
struct Outcome {
    plan: String,
    /// Kept for `state` and `exec`.
    kept: String,
}

struct Refusal {
    pointer: String,
    message: String,
}

impl Fates {
    /// Fails if no example shows the field.
    pub(crate) fn of(field: &Field, examples: &Examples) -> Result<Self, String> {
        let [v1, v2] = examples.hosts.each_ref().map(|facts| on_host(field, examples, facts));
        Ok(Self([v1?, v2?]))
    }

    pub(crate) fn is_ignored_somewhere(&self) -> bool {
        self.0.contains(&Fate::Ignored)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Supported => f.write_str("supported"),
            Self::Ignored => f.write_str("ignored"),
            Self::Refused(message) => write!(f, "refused: {message}"),
        }
    }
}

impl fmt::Display for Fates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = &self.0;
        if one == other {
            return one.fmt(f);
        }
        write!(f, "cgroup {}: {one}<br>cgroup {}: {other}", HOSTS[0], HOSTS[1])
    }
}

/// The best that any example shows.
fn on_host(field: &Field, examples: &Examples, facts: &Facts) -> Result<Fate, String> {
    let mut best: Option<Fate> = None;
    let mut others = String::new();
    for fragment in examples.fragments.values() {
        for place in field.places(fragment) {
            match in_example(&place, fragment, &examples.base, facts) {
                Ok(fate) => best = best.max(Some(fate)),
                Err(refusal) => others = format!("; {}: {}", refusal.pointer, refusal.message),
            }
        }
    }
    best.ok_or_else(|| format!("no example shows it; add one to fixtures/schema/examples{others}"))
}

/// Fails if the example is refused for another reason, even with the field alone.
fn in_example(place: &str, fragment: &Value, base: &Value, facts: &Facts) -> Result<Fate, Refusal> {
    let with = |fragment: &Value| {
        let mut config = base.clone();
        merge(&mut config, fragment);
        config
    };
    let whole = with(fragment);
    let refusal = match compared(&whole, &without(&whole, place), facts) {
        Ok(fate) => return Ok(fate),
        Err(refusal) if is_about(&refusal.pointer, place) => refusal,
        Err(_) => match compared(&with(&alone(fragment, place)), base, facts) {
            Ok(fate) => return Ok(fate),
            Err(refusal) => refusal,
        },
    };
    match is_about(&refusal.pointer, place) {
        true => Ok(Fate::Refused(refusal.message)),
        false => Err(refusal),
    }
}

fn compared(config: &Value, other: &Value, facts: &Facts) -> Result<Fate, Refusal> {
    let outcome_with = outcome(config, facts)?;
    Ok(match outcome(other, facts) {
        Ok(outcome_without) if outcome_without == outcome_with => Fate::Ignored,
        _ => Fate::Supported,
    })
}

/// Whether one of the two places is in the other.
fn is_about(pointer: &str, place: &str) -> bool {
    let starts = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !pointer.is_empty() && (starts(place, pointer) || starts(pointer, place))
}

fn outcome(config: &Value, facts: &Facts) -> Result<Outcome, Refusal> {
    let config = spec::parse(config.to_string().as_bytes(), Path::new("/bundle")).map_err(refusal)?;
    let terminal = config.process.as_ref().is_some_and(|process| process.terminal);
    let options = Options {
        state: "/run/runc-shim/test".into(),
        console_socket: terminal.then(|| "/run/console.sock".into()),
        ..Options::default()
    };
    let plan: Plan =
        planner::plan(&Request { id: "test", config: &config, options: &options, facts }).map_err(refusal)?;
    let affinity = config.process.as_ref().map(|process| &process.exec_affinity);
    // A value that is only warned of is not done.
    let warnings = format!("{:?}", plan.warnings());
    Ok(Outcome {
        plan: format!("{plan:?}").replace(&warnings, "[]"),
        kept: format!("{:?} {affinity:?}", config.annotations),
    })
}

fn refusal(error: Error) -> Refusal {
    let (ErrorKind::InvalidSpec { pointer } | ErrorKind::Unsupported { pointer }) = error.kind() else {
        panic!("an error of the configuration without a pointer: {error}");
    };
    let text = error.to_string();
    let message = text.split_once(&format!("{pointer}: ")).map_or(text.as_str(), |(_, message)| message);
    Refusal { pointer: pointer.clone(), message: message.to_owned() }
}
