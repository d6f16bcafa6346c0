//! Fuzzes a host's reports on the actions of a request: see `tests/robust/reports.rs`.

#![no_main]

#[path = "../../robust/reports.rs"]
mod reports;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Err(wrong) = reports::judge(data) {
        panic!("{wrong}");
    }
});
