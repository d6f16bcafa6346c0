//! Whatever a folder contains or a host answers, `spore` needs little time and memory, and
//! shows no secret. `limits` tests large files, `damage` damaged files, `answers` the
//! answers of hosts to a probe, `reports` their reports on actions, and `damaged_files` saved
//! plans and facts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
#[path = "../support/cases.rs"]
mod cases;
mod damage;
mod damaged_files;
#[path = "../files.rs"]
mod files;
#[expect(dead_code, reason = "another test uses the rest")]
#[path = "../hostile.rs"]
mod hostile;
mod judge;
mod limits;
mod reports;
#[path = "../secrets.rs"]
mod secrets;
