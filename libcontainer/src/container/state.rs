use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::Status;

/// What `state` and `list` print about a container; serialises with runc's keys, in runc's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Version of the runtime-spec that this library implements.
    pub oci_version: String,
    /// The container's name.
    pub id: String,
    /// Host pid of the first process, 0 when stopped.
    pub pid: i32,
    /// Where the container is in its life.
    pub status: Status,
    /// Absolute path of the bundle.
    pub bundle: PathBuf,
    /// Absolute path of the root file system.
    pub rootfs: PathBuf,
    /// When it was created, RFC 3339 with nanoseconds, in UTC.
    pub created: String,
    /// The annotations of the configuration.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Name of the user that created it, or its number.
    pub owner: String,
}
