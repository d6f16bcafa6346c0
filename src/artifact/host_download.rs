//! What a host needs to know to download a binary itself.

use super::download::{SIZE_LIMIT, UNPACKED_LIMIT};
use super::unpack::MEMBER;
use super::{Sha256, Url};

/// A file that a host can download. Only its digest is trusted, so any server will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDownload {
    /// Where the file is, at least one URL. The next URL is tried if the file can't be
    /// downloaded from the one before.
    pub urls: Vec<Url>,
    /// The digest of the file.
    pub sha256: Sha256,
    /// Whether the file is an archive that has to be unpacked.
    pub packed: bool,
    /// The size of the binary in bytes, if it is known.
    pub size: Option<u64>,
}

impl HostDownload {
    /// The maximum size of the file, in bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.size.filter(|_| !self.packed).unwrap_or(SIZE_LIMIT)
    }

    /// The maximum size of what the file unpacks to, in bytes.
    #[must_use]
    pub fn unpacked_limit(&self) -> u64 {
        self.size.unwrap_or(UNPACKED_LIMIT)
    }

    /// The name of the archive's member that is the binary, if the file is an archive with
    /// members.
    #[must_use]
    pub fn member(&self) -> &'static str {
        MEMBER
    }
}
