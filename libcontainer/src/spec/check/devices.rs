use std::fmt::Arguments;

use super::process::id;
use super::text;
use crate::spec::config::{Device, DeviceKind};
use crate::spec::problem::{Checked, Problem};
use crate::spec::raw;

const DEFAULT_MODE: u32 = 0o666;

/// What a dev_t of the kernel holds: 12 and 20 bits.
const MAX_MAJOR: u32 = 0xfff;
const MAX_MINOR: u32 = 0xf_ffff;

pub(super) fn devices(list: Vec<raw::Device>) -> Checked<Vec<Device>> {
    text::entries(list.len(), "/linux/devices")?;
    list.into_iter().enumerate().map(|(index, raw)| device(raw, index)).collect()
}

fn device(raw: raw::Device, index: usize) -> Checked<Device> {
    text::absolute_path(&raw.path, format_args!("/linux/devices/{index}/path"))?;
    let kind = kind(&raw.kind, index)?;
    let (major, minor) = match kind {
        // A FIFO has none, and clients copy what stat(2) gave them.
        DeviceKind::Fifo => (0, 0),
        DeviceKind::Char | DeviceKind::Block => (
            number(raw.major, MAX_MAJOR, format_args!("/linux/devices/{index}/major"))?,
            number(raw.minor, MAX_MINOR, format_args!("/linux/devices/{index}/minor"))?,
        ),
    };
    Ok(Device {
        kind,
        major,
        minor,
        mode: mode(raw.file_mode, index)?,
        uid: id(raw.uid, format_args!("/linux/devices/{index}/uid"))?,
        gid: id(raw.gid, format_args!("/linux/devices/{index}/gid"))?,
        path: raw.path,
    })
}

fn kind(word: &str, index: usize) -> Checked<DeviceKind> {
    match word {
        "c" | "u" => Ok(DeviceKind::Char),
        "b" => Ok(DeviceKind::Block),
        "p" => Ok(DeviceKind::Fifo),
        word => {
            let message = format!("{word:?} is not a type of device; use c, u, b or p");
            Err(Problem::invalid(format_args!("/linux/devices/{index}/type"), message))
        }
    }
}

fn number(value: i64, max: u32, pointer: Arguments<'_>) -> Checked<u32> {
    u32::try_from(value)
        .ok()
        .filter(|number| *number <= max)
        .ok_or_else(|| Problem::invalid(pointer, format!("{value} is out of range; use 0 to {max}")))
}

/// Clients that copy a device of the host give the type bits of stat(2) as well.
fn mode(value: Option<u32>, index: usize) -> Checked<u32> {
    const TYPE_BITS: u32 = 0o170_000;
    const PERMISSIONS: u32 = 0o7777;
    let Some(value) = value else { return Ok(DEFAULT_MODE) };
    if value & !(TYPE_BITS | PERMISSIONS) != 0 {
        let message = format!("{value} is not a file mode; use for example 438, which is 0666 in octal");
        return Err(Problem::invalid(format_args!("/linux/devices/{index}/fileMode"), message));
    }
    Ok(value & PERMISSIONS)
}
