//! Whatever a folder contains, `check` takes little time and memory and shows no secret.
//! `limits` tests large files, `damage` damaged ones. And `reports` tests what a host may say
//! of its actions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
#[path = "../support/cases.rs"]
mod cases;
mod damage;
#[expect(dead_code, reason = "another test uses the rest")]
#[path = "../hostile.rs"]
mod hostile;
mod judge;
mod limits;
mod reports;
#[path = "../secrets.rs"]
mod secrets;
