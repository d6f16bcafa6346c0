//! Reading a local file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::download::SIZE_LIMIT;

/// Why a local file couldn't be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It doesn't exist, or can't be opened or read.
    #[error("the file can't be read")]
    Read(#[source] io::Error),
    /// It is a folder, a device or a pipe.
    #[error("it is not a regular file")]
    NotAFile,
    /// It is larger than any artifact may be.
    #[error("it is larger than {SIZE_LIMIT} bytes")]
    TooLarge,
}

/// The bytes of a regular file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    // Check the type before opening it, because opening a pipe would block.
    let metadata = std::fs::metadata(path).map_err(FileError::Read)?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile);
    }
    if metadata.len() > SIZE_LIMIT {
        return Err(FileError::TooLarge);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    let file = File::open(path).map_err(FileError::Read)?;
    file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(FileError::Read)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(FileError::TooLarge);
    }
    Ok(bytes)
}
