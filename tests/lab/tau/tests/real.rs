//! Finds the real tau: the file that `SPORE_TEST_TAU` names, which may be compressed with
//! `xz`. A compressed file is unpacked once, into `${SPORE_LAB_DIR:-/var/tmp/spore-lab}`,
//! under a name that contains the archive's digest.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Returns the path of the real tau; `None` if `SPORE_TEST_TAU` isn't set.
pub(crate) fn find() -> Result<Option<PathBuf>, String> {
    let Some(named) = std::env::var_os("SPORE_TEST_TAU").filter(|named| !named.is_empty()) else {
        return Ok(None);
    };
    let found = fs::canonicalize(&named).map_err(|e| format!("{}: {e}", named.display()))?;
    if found.extension() == Some(OsStr::new("xz")) { unpacked(&found).map(Some) } else { Ok(Some(found)) }
}

fn unpacked(archive: &Path) -> Result<PathBuf, String> {
    let cache = std::env::var_os("SPORE_LAB_DIR").map_or_else(|| "/var/tmp/spore-lab".into(), PathBuf::from);
    let digest = Command::new("sha256sum").arg(archive).output().map_err(|e| format!("sha256sum: {e}"))?;
    let digest = String::from_utf8_lossy(&digest.stdout);
    let digest = digest.split_whitespace().next().ok_or("sha256sum said nothing")?;
    let place = cache.join(format!("tau-{digest}"));
    if place.is_file() {
        return Ok(place);
    }
    let io = |e: std::io::Error| format!("{}: {e}", cache.display());
    fs::create_dir_all(&cache).map_err(io)?;
    // Unpack under a unique name, then rename: other processes may unpack it at the same time.
    let partial = cache.join(format!(".tau-{}", std::process::id()));
    let file = fs::File::create(&partial).map_err(io)?;
    let status = Command::new("xz")
        .arg("-dc")
        .arg(archive)
        .stdout(Stdio::from(file))
        .status()
        .map_err(|e| format!("xz (package xz-utils): {e}"))?;
    if !status.success() {
        fs::remove_file(&partial).ok();
        return Err(format!("xz -dc {}: {status}", archive.display()));
    }
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o755)).map_err(io)?;
    fs::rename(&partial, &place).map_err(io)?;
    Ok(place)
}
