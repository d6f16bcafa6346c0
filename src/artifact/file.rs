//! Opens and reads local files.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rustix::fs::OFlags;

use super::download::SIZE_LIMIT;

/// Why a local file couldn't be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file doesn't exist, or can't be opened or read.
    #[error("the file can't be read")]
    Read(#[source] io::Error),
    /// The file is a folder, a device or a pipe.
    #[error("it is not a regular file")]
    NotAFile,
    /// The file is on the same file system as `/proc` or `/sys`.
    #[error("it belongs to the kernel's /proc or /sys")]
    OfTheKernel,
    /// A relative path, or a symbolic link on it, leads out of the folder.
    #[error("its path or a symbolic link leads out of the folder")]
    Outside,
    /// Another file took the file's place while it was being opened.
    #[error("it was replaced while it was being opened")]
    Replaced,
    /// The file is larger than any artifact may be.
    #[error("it is larger than {SIZE_LIMIT} bytes")]
    TooLarge,
}

/// A regular file on a disk, opened for reading.
///
/// A folder may come from someone untrusted, so a path in it can lead to anything, and can
/// change at any time. Therefore every file that a folder names is opened here. Opening
/// never blocks, as it would on a pipe; it never touches a device, which may act on being
/// opened; and it refuses the files of `/proc` and `/sys`, which look regular but can be
/// endless or contain secrets. The type is checked again after opening.
#[derive(Debug)]
pub struct Regular {
    /// The open file.
    pub file: File,
    /// The file's metadata, read after opening it.
    pub metadata: Metadata,
    /// The file's path without any symbolic link.
    pub path: PathBuf,
}

impl Regular {
    /// Opens a file; symbolic links are followed.
    ///
    /// # Errors
    /// The file isn't a regular file, or can't be opened.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let path = path.canonicalize().map_err(FileError::Read)?;
        let before = fs::metadata(&path).map_err(FileError::Read)?;
        is_regular(&before)?;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
        let mut options = OpenOptions::new();
        // The bits of these flags don't include the sign.
        options.read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
        let file = options.open(&path).map_err(FileError::Read)?;
        let metadata = file.metadata().map_err(FileError::Read)?;
        is_regular(&metadata)?;
        if (metadata.dev(), metadata.ino()) != (before.dev(), before.ino()) {
            return Err(FileError::Replaced);
        }
        Ok(Self { file, metadata, path })
    }

    /// Returns the file's bytes, or `None` if there are more than `most`. The file may grow
    /// while it is read.
    ///
    /// # Errors
    /// Reading fails.
    pub fn read(self, most: u64) -> io::Result<Option<Vec<u8>>> {
        if self.metadata.len() > most {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.metadata.len()).unwrap_or(0) + 1);
        self.file.take(most + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= most).then_some(bytes))
    }
}

/// The devices of `/proc` and `/sys`. These file systems are recognized by their device,
/// because they can be mounted elsewhere, too.
static KERNEL: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mounted = ["/proc/self", "/sys/kernel"].into_iter().filter_map(|path| fs::metadata(path).ok());
    mounted.map(|metadata| metadata.dev()).collect()
});

fn is_regular(metadata: &Metadata) -> Result<(), FileError> {
    match metadata.is_file() {
        false => Err(FileError::NotAFile),
        true if KERNEL.contains(&metadata.dev()) => Err(FileError::OfTheKernel),
        true => Ok(()),
    }
}

/// Whether a path leads out of `root`, which has no symbolic link, or would if all of it
/// existed. A path that leads out to a missing file counts, too; otherwise the error would
/// reveal which files exist outside.
pub fn leads_out(path: &Path, root: &Path) -> bool {
    let mut path = path.to_owned();
    // The maximum number of symbolic links that Linux follows.
    for _ in 0..40 {
        let Some(there) = path.ancestors().find(|part| part.symlink_metadata().is_ok()) else { return true };
        match (there.canonicalize(), fs::read_link(there)) {
            (Ok(real), _) => return !real.starts_with(root),
            (Err(_), Ok(target)) => path = there.parent().unwrap_or(Path::new("")).join(target),
            (Err(_), Err(_)) => return true,
        }
    }
    false
}

/// The bytes of a regular file. If there is a `root`, the file must be in it after
/// following every symbolic link. The error reveals nothing about a file outside, not even
/// whether it exists.
pub(super) fn read(path: &Path, root: Option<&Path>) -> Result<Vec<u8>, FileError> {
    let root = root.map(|root| root.canonicalize().map_err(FileError::Read)).transpose()?;
    let is_outside = |real: &Path| root.as_ref().is_some_and(|root| !real.starts_with(root));
    if root.as_ref().is_some_and(|root| leads_out(path, root)) {
        return Err(FileError::Outside);
    }
    let opened = Regular::open(path)?;
    // The path may have been replaced since the check above.
    if is_outside(&opened.path) {
        return Err(FileError::Outside);
    }
    opened.read(SIZE_LIMIT).map_err(FileError::Read)?.ok_or(FileError::TooLarge)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_on_a_disk_are_opened_and_nothing_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), 0o600.into()).unwrap();
        fs::write(at("file"), "bytes").unwrap();
        for (link, target) in [("link", "file"), ("to-fifo", "fifo"), ("null", "/dev/null")] {
            symlink(target, at(link)).unwrap();
        }
        symlink("/proc/kmsg", at("kmsg")).unwrap();
        for (name, expected) in [
            ("file", "5 bytes"),
            ("link", "5 bytes"),
            ("fifo", "it is not a regular file"),
            ("to-fifo", "it is not a regular file"),
            ("null", "it is not a regular file"),
            ("", "it is not a regular file"),
            ("kmsg", "it belongs to the kernel's /proc or /sys"),
            ("none", "the file can't be read"),
        ] {
            let said = read(&at(name), None)
                .map_or_else(|error| error.to_string(), |b| format!("{} bytes", b.len()));
            assert_eq!(said, expected, "{name}");
        }
    }

    #[test]
    fn nothing_is_told_of_what_is_outside_the_root() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        fs::create_dir_all(root.join("in")).unwrap();
        fs::write(root.join("in/file"), "bytes").unwrap();
        fs::write(place.path().join("out"), "secret").unwrap();
        symlink("in", root.join("inner")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("../none", root.join("dangling")).unwrap();
        symlink("dangling", root.join("to-dangling")).unwrap();
        symlink("none", root.join("nowhere")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let outside = FileError::Outside.to_string();
        for (path, expected) in [
            ("in/file", "5 bytes"),
            ("inner/file", "5 bytes"),
            ("in/none", "the file can't be read"),
            ("../out", &outside),
            ("../none", &outside),
            ("up/out", &outside),
            ("up/none", &outside),
            ("dangling", &outside),
            ("to-dangling", &outside),
            ("nowhere", "the file can't be read"),
            ("loop", "the file can't be read"),
        ] {
            let read = read(&root.join(path), Some(&root));
            let said = read.map_or_else(|error| error.to_string(), |b| format!("{} bytes", b.len()));
            assert_eq!(said, expected, "{path}");
        }
    }
}
