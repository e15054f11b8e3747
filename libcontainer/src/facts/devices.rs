//! The host's devices, where a user namespace cannot make its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, fstat, makedev};

use super::probe::look;
use super::{Handles, PathFact};
use crate::spec::{Config, Device, DeviceKind};
use crate::{Error, Result};

/// The facts of that name.
#[derive(Default)]
pub(super) struct Devices {
    pub(super) devices: BTreeMap<PathBuf, PathFact>,
    pub(super) other_devices: BTreeSet<PathBuf>,
}

pub(super) fn probe(config: &Config, nested: bool, handles: &mut Handles) -> Result<Devices> {
    let mut found = Devices::default();
    for node in config.devices_to_bind(nested) {
        let path = PathBuf::from(&node.device.path);
        let mut handle = None;
        found.devices.insert(path.clone(), look(&path).keep(&mut handle));
        let Some(handle) = handle else { continue };
        if !is(&handle, &node.device)? {
            found.other_devices.insert(path.clone());
        }
        handles.devices.insert(path, handle);
    }
    Ok(found)
}

/// Whether what was opened is this device.
fn is(handle: &OwnedFd, device: &Device) -> Result<bool> {
    let stat = fstat(handle).map_err(|errno| Error::os(format_args!("fstat of {}", device.path), errno))?;
    let kind = match device.kind {
        DeviceKind::Char => FileType::CharacterDevice,
        DeviceKind::Block => FileType::BlockDevice,
        DeviceKind::Fifo => FileType::Fifo,
    };
    let number = makedev(device.major, device.minor);
    Ok(FileType::from_raw_mode(stat.st_mode) == kind && stat.st_rdev == number)
}
