//! Caches downloads, each under the digest of its bytes.
//!
//! A problem with the cache never makes a fetch fail. The cached files aren't trusted: a
//! file whose digest differs from its name is deleted.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Sha256, file};

/// A cache in a folder, or no cache.
#[derive(Debug, Clone)]
pub struct Cache(Option<PathBuf>);

impl Cache {
    /// The user's cache: `$XDG_CACHE_HOME/spore` or `~/.cache/spore`. If neither variable
    /// is set to an absolute path, nothing is cached.
    #[must_use]
    pub fn of_user() -> Self {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self(
            absolute("XDG_CACHE_HOME")
                .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
                .map(|cache| cache.join("spore")),
        )
    }

    /// A cache in a folder, which is created when the first file is cached.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(Some(folder.into()))
    }

    /// A cache that keeps nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// The bytes with this digest, if they are cached and intact.
    pub(super) fn get(&self, sha256: &Sha256) -> Option<Vec<u8>> {
        let path = self.0.as_deref()?.join(sha256.to_string());
        let bytes = file::read(&path, None).ok()?;
        if Sha256::of(&bytes) == *sha256 {
            return Some(bytes);
        }
        // If this fails, the next download replaces the file.
        let _ = fs::remove_file(&path);
        None
    }

    /// Caches `bytes`. Neither an error nor a power cut leaves a partial file under the
    /// digest's name.
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
    fn cached_bytes_are_found_unless_they_were_modified() {
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
    fn without_a_folder_nothing_is_cached() {
        let sha256 = Sha256::of(b"tau");
        Cache::none().put(&sha256, b"tau").unwrap();
        assert_eq!(Cache::none().get(&sha256), None);
    }
}
