//! Downloads that were made before, each under the digest of its bytes.
//!
//! The cache is never a reason to fail and never believed: what it holds is
//! compared with its name, and thrown away where they differ.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Sha256, file};

/// Where downloads are kept.
#[derive(Debug, Clone)]
pub struct Cache(Option<PathBuf>);

impl Cache {
    /// The user's: `$XDG_CACHE_HOME/spore`, or `~/.cache/spore`. Without a
    /// home nothing is kept.
    #[must_use]
    pub fn of_user() -> Self {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self(
            absolute("XDG_CACHE_HOME")
                .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
                .map(|cache| cache.join("spore")),
        )
    }

    /// One in a folder, which is made when something is first kept.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(Some(folder.into()))
    }

    /// Keeps nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// The bytes with this digest, if they are kept and whole.
    pub(super) fn get(&self, sha256: &Sha256) -> Option<Vec<u8>> {
        let path = self.0.as_deref()?.join(sha256.to_string());
        let bytes = file::read(&path).ok()?;
        if Sha256::of(&bytes) == *sha256 {
            return Some(bytes);
        }
        // Should this fail, the file is replaced after the next download.
        let _ = fs::remove_file(&path);
        None
    }

    /// Keeps `bytes`: all of them, or, on any error or loss of power, nothing.
    pub(super) fn put(&self, sha256: &Sha256, bytes: &[u8]) -> io::Result<()> {
        let Some(folder) = self.0.as_deref() else {
            return Ok(());
        };
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(folder.join(sha256.to_string()))?;
        sync(folder)
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_had_again_unless_it_was_changed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("a/b"));
        let sha256 = Sha256::of(b"tau");
        assert_eq!(cache.get(&sha256), None);
        cache.put(&sha256, b"tau").unwrap();
        cache.put(&sha256, b"tau").unwrap();
        assert_eq!(cache.get(&sha256).as_deref(), Some(&b"tau"[..]));

        let path = folder.path().join("a/b").join(sha256.to_string());
        fs::write(&path, b"tax").unwrap();
        assert_eq!(cache.get(&sha256), None);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 0);
    }

    #[test]
    fn without_a_place_nothing_is_kept() {
        let sha256 = Sha256::of(b"tau");
        Cache::none().put(&sha256, b"tau").unwrap();
        assert_eq!(Cache::none().get(&sha256), None);
    }
}
