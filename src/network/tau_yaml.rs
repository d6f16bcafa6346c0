//! The tau that the network runs: `tau.yaml`.

use super::At;
use crate::resource::Sha256;

/// The tau of one architecture.
#[derive(Clone, Debug)]
pub struct TauPin {
    /// As written: a URL, or a path, absolute or relative to the folder.
    pub source: At<String>,
    /// Whether that was `url:` rather than `path:`.
    pub is_url: bool,
    /// The digest of the file as it is there.
    pub sha256: At<Sha256>,
    /// The digest of the `tau` inside, where the file is an archive.
    pub binary: Option<Sha256>,
}
