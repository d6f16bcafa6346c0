//! Whatever a folder holds, `check` ends soon, in little memory, and shows no
//! secret: by size in `limits`, by damage in `damage`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod judge;
mod limits;
#[path = "../secrets.rs"]
mod secrets;
