//! The `spore` binary: see [`spore_drive::cli`].
fn main() {}
