//! What is sent to hosts, by digest.

use crate::resource::{Secret, Sha256};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;

/// Everything that actions may send, by the digest of its bytes.
pub type Payloads = BTreeMap<Sha256, Payload>;

/// The bytes of a file. Cloning shares them.
#[derive(Clone)]
pub enum Payload {
    /// Text that everyone may see.
    Bytes(Bytes),
    /// A secret, wiped from memory when the last holder lets go.
    Secret(Secret),
    /// A program, and the same compressed once for all hosts.
    Artifact {
        /// As it will be on the host.
        raw: Bytes,
        /// As it travels.
        gzip: Bytes,
    },
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Secret(_) => f.write_str("Secret(***)"),
            Self::Artifact { raw, .. } => write!(f, "Artifact({})", raw.len()),
        }
    }
}
