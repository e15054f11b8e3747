//! Who is asked about calls with `SCMP_ACT_NOTIFY`.

use std::path::PathBuf;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction};
use serde::{Deserialize, Serialize};

use super::error::{SeccompError, SeccompReason};
use crate::spec::Warning;

/// The agent that gets the listener of a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// `/linux/seccomp/listenerPath`, the socket at which it waits.
    pub path: PathBuf,
    /// `/linux/seccomp/listenerMetadata`, passed on as it is.
    pub metadata: String,
}

/// The agent, if the profile has a rule that asks one.
pub(super) fn listener(
    profile: &LinuxSeccomp,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Listener>, SeccompError> {
    let is_notify = |action| action == LinuxSeccompAction::ScmpActNotify;
    let mut rules = profile.syscalls().iter().flatten();
    let Some(path) = profile.listener_path() else {
        if let Some(place) = rules.position(|rule| is_notify(rule.action())) {
            return Err(SeccompReason::NoListener.at(format!("/syscalls/{place}/action")));
        }
        return match profile.listener_metadata() {
            Some(_) => Err(SeccompReason::MetadataWithoutListener.at("/listenerMetadata")),
            None => Ok(None),
        };
    };
    if !rules.any(|rule| is_notify(rule.action())) {
        warnings.push(Warning {
            pointer: "/linux/seccomp/listenerPath".into(),
            message: "the listener is not called: no rule has the action SCMP_ACT_NOTIFY".into(),
        });
        return Ok(None);
    }
    let metadata = profile.listener_metadata().clone().unwrap_or_default();
    Ok(Some(Listener { path: path.clone(), metadata }))
}
