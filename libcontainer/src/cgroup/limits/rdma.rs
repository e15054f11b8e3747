use std::collections::HashMap;

use oci_spec::runtime::LinuxRdma;

use super::{CgroupError, pointer};

/// Limits of one RDMA device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rdma {
    /// The device.
    pub device: String,
    /// Handles of the adapter.
    pub handles: Option<u32>,
    /// Objects of the adapter.
    pub objects: Option<u32>,
}

impl Rdma {
    pub(super) fn all(devices: &HashMap<String, LinuxRdma>) -> Result<Vec<Self>, CgroupError> {
        let mut all =
            devices.iter().map(|(name, limit)| Self::new(name, limit)).collect::<Result<Vec<_>, _>>()?;
        all.sort_by(|one, other| one.device.cmp(&other.device));
        Ok(all)
    }

    fn new(device: &str, limit: &LinuxRdma) -> Result<Self, CgroupError> {
        if device.is_empty() || device.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let reason = "is not a name of a device";
            return Err(CgroupError::invalid(pointer::rdma(device), format!("{device:?}"), reason));
        }
        Ok(Self { device: device.to_owned(), handles: limit.hca_handles(), objects: limit.hca_objects() })
    }
}
