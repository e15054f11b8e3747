//! The shares of time in which something was waited for.

use libcontainer::cgroup::stats as cgroup;
use serde::{Serialize, Serializer};

#[derive(Serialize)]
pub(super) struct Pressure {
    some: Stall,
    full: Stall,
}

#[derive(Serialize)]
struct Stall {
    #[serde(serialize_with = "as_go_writes_it")]
    avg10: f64,
    #[serde(serialize_with = "as_go_writes_it")]
    avg60: f64,
    #[serde(serialize_with = "as_go_writes_it")]
    avg300: f64,
    total: u64,
}

impl Pressure {
    pub(super) fn of(pressure: &cgroup::Pressure) -> Self {
        let of = |stall: &cgroup::Stall| Stall {
            avg10: stall.avg10,
            avg60: stall.avg60,
            avg300: stall.avg300,
            total: stall.total,
        };
        Self { some: of(&pressure.some), full: of(&pressure.full) }
    }
}

/// Whole numbers without a decimal point.
fn as_go_writes_it<S: Serializer>(percent: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    let whole = *percent as u64;
    if whole as f64 == *percent {
        serializer.serialize_u64(whole)
    } else {
        serializer.serialize_f64(*percent)
    }
}
