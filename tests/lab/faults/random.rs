//! Instants that a seed decides: splitmix64, whose numbers never change.

use std::hash::{BuildHasher as _, RandomState};

/// One that nobody has chosen, short enough to be typed.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(()) % 100_000_000
}

/// A sequence of numbers.
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

    /// One of 0 to `n`, which isn't one of them.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % (n.max(1) as u64)).unwrap_or_default()
    }

    /// So many of them, in their order; all where there are no more.
    pub(crate) fn some<T>(&mut self, mut items: Vec<T>, count: usize) -> Vec<T> {
        while items.len() > count {
            let out = self.below(items.len());
            items.remove(out);
        }
        items
    }
}
