//! A scope of systemd as text.

use super::entry::ScopeUnit;

/// The start of a scope as a sentence.
pub(super) fn start(scope: &ScopeUnit) -> String {
    let whose = if scope.unit.user { "user's systemd" } else { "systemd" };
    let properties: Vec<String> = scope.properties.iter().map(ToString::to_string).collect();
    format!("have {whose} start {} in {} ({})", scope.unit.name, scope.unit.slice, properties.join(", "))
}
