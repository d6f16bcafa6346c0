//! Random numbers, generated with SplitMix64, so that a seed gives the same numbers on
//! every machine.

use std::hash::{BuildHasher as _, RandomState};

/// A new seed, which is short enough to be typed.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(()) % 100_000_000
}

/// A sequence of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to, but excluding, `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % (n.max(1) as u64)).unwrap_or_default()
    }

    /// A random selection of `count` items, in their original order.
    pub(crate) fn some<T>(&mut self, mut items: Vec<T>, count: usize) -> Vec<T> {
        while items.len() > count {
            let out = self.below(items.len());
            items.remove(out);
        }
        items
    }
}
