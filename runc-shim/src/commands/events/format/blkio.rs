//! Block devices.

use libcontainer::cgroup::stats as cgroup;
use serde::Serialize;

use super::is_zero;
use super::pressure::Pressure;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blkio<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_bytes_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_serviced_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_queue_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_service_time_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_wait_time_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_merged_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    io_time_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sectors_recursive: Vec<BlkioEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    psi: Option<Pressure>,
}

#[derive(Serialize)]
pub(super) struct BlkioEntry<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    major: u64,
    #[serde(skip_serializing_if = "is_zero")]
    minor: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    op: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    value: u64,
}

impl<'a> Blkio<'a> {
    pub(super) fn of(io: &'a cgroup::Io) -> Self {
        let of = |list: &'a [cgroup::IoEntry]| list.iter().map(BlkioEntry::of).collect();
        Self {
            io_service_bytes_recursive: of(&io.service_bytes),
            io_serviced_recursive: of(&io.serviced),
            io_queue_recursive: of(&io.queued),
            io_service_time_recursive: of(&io.service_time),
            io_wait_time_recursive: of(&io.wait_time),
            io_merged_recursive: of(&io.merged),
            io_time_recursive: of(&io.time),
            sectors_recursive: of(&io.sectors),
            psi: io.pressure.as_ref().map(Pressure::of),
        }
    }
}

impl<'a> BlkioEntry<'a> {
    fn of(entry: &'a cgroup::IoEntry) -> Self {
        Self { major: entry.major, minor: entry.minor, op: &entry.operation, value: entry.value }
    }
}
