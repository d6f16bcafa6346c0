//! The tau that the hosts run: the real tau if it is available, otherwise the stand-in.
//!
//! The stand-in is the file that `SPORE_STAND_IN` names, or the file that was built
//! together with the tests. Its symbols, which make up most of the file, are stripped.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

#[path = "tau/tests/real.rs"]
mod real;

/// The real tau, if this machine has it.
pub(crate) fn real() -> Option<&'static Path> {
    static REAL: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || real::find().unwrap_or_else(|why| panic!("the real tau: {why}"));
    REAL.get_or_init(find).as_deref()
}

/// The stand-in. It is an error if it doesn't exist.
pub(crate) fn stand_in() -> &'static Path {
    static STAND_IN: OnceLock<PathBuf> = OnceLock::new();
    STAND_IN.get_or_init(|| {
        let built = Path::new(env!("CARGO_BIN_EXE_spore")).with_file_name("tau-stand-in");
        let found = std::env::var_os("SPORE_STAND_IN").map_or(built, PathBuf::from);
        assert!(
            found.is_file(),
            "{} doesn't exist; build the stand-in with `cargo build -p tau-stand-in`, or use tests/run",
            found.display()
        );
        // The stripped file is in the world's folder, which is removed together with the
        // world.
        let folder = std::env::var_os("SPORE_LAB_WORLD").map_or_else(std::env::temp_dir, PathBuf::from);
        let mine = folder.join("stand-in");
        let stripped = Command::new("strip").arg("-o").arg(&mine).arg(&found).status();
        if !stripped.is_ok_and(|status| status.success()) {
            fs::copy(&found, &mine).unwrap_or_else(|error| panic!("{}: {error}", found.display()));
        }
        mine
    })
}

/// The real tau if it is available, otherwise the stand-in, for tests that work with both.
pub(crate) fn any() -> &'static Path {
    real().unwrap_or_else(stand_in)
}

/// A copy of tau that behaves the same but has a different digest, because of bytes after
/// the end of the program.
pub(crate) fn another(tau: &Path, mark: &str, folder: &Path) -> PathBuf {
    let mut bytes = fs::read(tau).unwrap_or_else(|error| panic!("{}: {error}", tau.display()));
    bytes.extend_from_slice(mark.as_bytes());
    let path = folder.join(format!("tau-{mark}"));
    fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}
