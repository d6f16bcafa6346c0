//! Replaces one file of a valid folder. The first byte of the input selects the file; the
//! rest is its content. `tests/robust/judge.rs` checks the result, and `tests/fuzz/run`
//! creates the seeds from the fixtures.

#![no_main]
#![allow(clippy::unwrap_used, reason = "a fuzz target fails by panicking")]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../robust/judge.rs"]
mod judge;

use judge::{Folder, folders, judge};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

const FILES: [&str; 8] = [
    "cloud.yaml",
    "auth.yaml",
    "hosts.yaml",
    "shapes.yaml",
    "tenancy.yaml",
    "accounts.yaml",
    "tau.yaml",
    "shapes/all.yaml",
];

fn sound() -> &'static Folder {
    static SOUND: OnceLock<Folder> = OnceLock::new();
    SOUND.get_or_init(|| folders().into_iter().find(|(name, _)| name == "sound").unwrap().1)
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let mut folder = sound().clone();
    folder.insert(FILES[usize::from(*first) % FILES.len()].to_owned(), rest.to_vec());
    // Leaks aren't checked: the fuzzer may change a secret until it can't be recognized.
    if let Err(wrong) = judge(&folder, &[]) {
        panic!("{wrong}");
    }
});
