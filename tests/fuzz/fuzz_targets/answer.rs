//! Fuzzes a host's answer to a probe. `tests/hostile.rs` checks the conditions that must
//! hold, and `tests/fuzz/run answer` creates the seeds from `fixtures/answers` and
//! `fixtures/plans/answers`.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a fuzz target fails by panicking")]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../hostile.rs"]
mod hostile;

use hostile::World;
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}

fuzz_target!(|data: &[u8]| {
    // The connection rejects an answer that isn't UTF-8 before it is parsed.
    let Ok(answer) = std::str::from_utf8(data) else { return };
    if let Err(wrong) = world().judge(answer) {
        panic!("{wrong}");
    }
});
