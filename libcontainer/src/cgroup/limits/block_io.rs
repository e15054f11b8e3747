//! Weights and rates of block devices.

use std::fmt;

use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice, LinuxWeightDevice};

use super::{CgroupError, pointer, set};

const WEIGHT_MIN: u16 = 10;
const WEIGHT_MAX: u16 = 1000;

/// Limits of block devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockIo {
    /// The weight against others, 10 to 1000 as in v1.
    pub weight: Option<u16>,
    /// Weights for single devices.
    pub weights: Vec<DeviceWeight>,
    /// Rates.
    pub throttles: Vec<Throttle>,
}

/// A device by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceNumber {
    /// The driver.
    pub major: u32,
    /// The device of that driver.
    pub minor: u32,
}

/// The weight for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceWeight {
    /// The device.
    pub device: DeviceNumber,
    /// 10 to 1000 as in v1.
    pub weight: u16,
    /// JSON pointer of the value.
    pub pointer: String,
}

/// A rate for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// The device.
    pub device: DeviceNumber,
    /// What is counted.
    pub kind: ThrottleKind,
    /// Bytes or operations in a second; 0 for no limit.
    pub rate: u64,
    /// JSON pointer of the value.
    pub pointer: String,
}

/// What a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleKind {
    /// Bytes read.
    ReadBytes,
    /// Bytes written.
    WriteBytes,
    /// Read operations.
    Reads,
    /// Write operations.
    Writes,
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

impl BlockIo {
    pub(super) fn new(block_io: &LinuxBlockIo) -> Result<Self, CgroupError> {
        refuse_leaf(block_io.leaf_weight(), pointer::BLOCK_IO)?;
        let weights = block_io.weight_device().as_deref().unwrap_or_default().iter().enumerate();
        let weights: Vec<_> =
            weights.map(|(index, entry)| device_weight(entry, index)).collect::<Result<_, _>>()?;
        let rates = [
            ("throttleReadBpsDevice", ThrottleKind::ReadBytes, block_io.throttle_read_bps_device()),
            ("throttleWriteBpsDevice", ThrottleKind::WriteBytes, block_io.throttle_write_bps_device()),
            ("throttleReadIOPSDevice", ThrottleKind::Reads, block_io.throttle_read_iops_device()),
            ("throttleWriteIOPSDevice", ThrottleKind::Writes, block_io.throttle_write_iops_device()),
        ];
        let mut throttles = Vec::new();
        for (field, kind, list) in rates {
            for (index, entry) in list.as_deref().unwrap_or_default().iter().enumerate() {
                throttles.push(throttle(entry, kind, format!("{}/{field}/{index}", pointer::BLOCK_IO))?);
            }
        }
        Ok(Self {
            weight: checked(block_io.weight(), pointer::BLOCK_WEIGHT)?,
            weights: weights.into_iter().flatten().collect(),
            throttles,
        })
    }

    /// The pointer of the first value that is set.
    pub(in crate::cgroup) fn first(&self) -> Option<&str> {
        let weight = self.weight.map(|_| pointer::BLOCK_WEIGHT);
        let weights = self.weights.iter().map(|entry| entry.pointer.as_str());
        let throttles = self.throttles.iter().map(|entry| entry.pointer.as_str());
        weight.into_iter().chain(weights).chain(throttles).next()
    }

    /// A weight on the range of v2's `io.weight`, 1 to 10000, as runc converts it.
    #[must_use]
    pub fn wide_weight(weight: u16) -> u64 {
        let above = u64::from(weight.saturating_sub(WEIGHT_MIN));
        1 + above * 9_999 / u64::from(WEIGHT_MAX - WEIGHT_MIN)
    }
}

fn device_weight(entry: &LinuxWeightDevice, index: usize) -> Result<Option<DeviceWeight>, CgroupError> {
    let pointer = format!("{}/weightDevice/{index}", pointer::BLOCK_IO);
    refuse_leaf(entry.leaf_weight(), &pointer)?;
    let at = format!("{pointer}/weight");
    let Some(weight) = checked(entry.weight(), &at)? else { return Ok(None) };
    Ok(Some(DeviceWeight { device: device(entry.major(), entry.minor(), &pointer)?, weight, pointer: at }))
}

fn throttle(
    entry: &LinuxThrottleDevice,
    kind: ThrottleKind,
    pointer: String,
) -> Result<Throttle, CgroupError> {
    let device = device(entry.major(), entry.minor(), &pointer)?;
    Ok(Throttle { device, kind, rate: entry.rate(), pointer: format!("{pointer}/rate") })
}

fn device(major: i64, minor: i64, pointer: &str) -> Result<DeviceNumber, CgroupError> {
    let number = |value: i64, field: &str| {
        u32::try_from(value)
            .map_err(|_| CgroupError::invalid(format!("{pointer}/{field}"), value, "is not a device number"))
    };
    Ok(DeviceNumber { major: number(major, "major")?, minor: number(minor, "minor")? })
}

fn checked(weight: Option<u16>, pointer: &str) -> Result<Option<u16>, CgroupError> {
    match set(weight) {
        Some(weight) if !(WEIGHT_MIN..=WEIGHT_MAX).contains(&weight) => {
            let reason = format!("is not in {WEIGHT_MIN} to {WEIGHT_MAX}");
            Err(CgroupError::invalid(pointer, weight, reason))
        }
        weight => Ok(weight),
    }
}

fn refuse_leaf(weight: Option<u16>, pointer: &str) -> Result<(), CgroupError> {
    match set(weight) {
        None => Ok(()),
        Some(_) => Err(CgroupError::unsupported(
            format!("{pointer}/leafWeight"),
            "kernels since 5.0 have no weights of leaves; put the processes into a cgroup with a weight",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::BlockIo;

    #[test]
    fn weights_are_spread_over_the_range_of_v2() {
        for (weight, wide) in [(10, 1), (100, 910), (500, 4950), (1000, 10_000)] {
            assert_eq!(BlockIo::wide_weight(weight), wide, "{weight}");
        }
    }
}
