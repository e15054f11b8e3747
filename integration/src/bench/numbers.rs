//! Samples, their statistics, and a fair order.

use std::time::Duration;

use serde::Serialize;

/// What a series of samples comes to, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
pub(super) struct Stats {
    /// Half of the samples were at most this long.
    pub(super) median: f64,
    /// 95 of 100 samples were at most this long.
    pub(super) p95: f64,
    /// The shortest sample.
    pub(super) min: f64,
}

impl Stats {
    /// Nearest-rank statistics: each number is one of the samples. `None` without samples.
    #[must_use]
    pub(super) fn of(samples: &[Duration]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(index).map(|sample| sample.as_secs_f64() * 1000.0)
        };
        Some(Self { median: rank(50)?, p95: rank(95)?, min: rank(0)? })
    }
}

/// A repeatable shuffle. Removing a container's namespaces goes on in the kernel after its runtime has ended,
/// so with a fixed order one contender would always pay for the same neighbour.
pub(super) struct Shuffle(u64);

impl Default for Shuffle {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Shuffle {
    /// Puts the items in a new order.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            // xorshift64: its quality is ample for an order of five.
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let pick = usize::try_from(self.0 >> 33).unwrap_or(0) % (last + 1);
            items.swap(pick, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_nearest_rank() {
        let samples: Vec<_> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(Stats::of(&samples), Some(Stats { median: 50.0, p95: 95.0, min: 1.0 }));
        let one = [Duration::from_millis(7)];
        assert_eq!(Stats::of(&one), Some(Stats { median: 7.0, p95: 7.0, min: 7.0 }));
        assert_eq!(Stats::of(&[]), None);
    }

    #[test]
    fn every_order_of_three_comes_up() {
        let mut shuffle = Shuffle::default();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let mut items = [1, 2, 3];
            shuffle.shuffle(&mut items);
            seen.insert(items);
        }
        assert_eq!(seen.len(), 6);
    }
}
