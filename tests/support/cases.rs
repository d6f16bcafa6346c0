//! The number of cases of a random test, so that it doesn't depend on the machine.

/// The usual number, or `SPORE_RANDOM_FACTOR` times as many.
pub(crate) fn cases(usual: u32) -> u32 {
    let Ok(factor) = std::env::var("SPORE_RANDOM_FACTOR") else { return usual };
    let factor = factor.parse().unwrap_or_else(|_| panic!("SPORE_RANDOM_FACTOR={factor} is not a number"));
    usual.saturating_mul(factor)
}
