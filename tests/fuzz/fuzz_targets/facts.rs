//! Fuzzes the reader of files with facts. The seed is `fixtures/files/facts.json`. `tests/files.rs`
//! checks the conditions that must hold.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a fuzz target fails by panicking")]

#[allow(dead_code, reason = "another target uses the rest")]
#[path = "../../files.rs"]
mod files;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    files::judge_facts(data);
});
