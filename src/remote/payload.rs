//! What an apply brings along: the bytes of files that are sent to hosts, and the swarm key.

use crate::identity::SwarmKey;
use crate::resource::{FileSource, SecretBytes};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;

/// What actions need apart from the plan.
#[derive(Debug, Default)]
pub struct Payloads {
    /// The files that actions can send, by the source of their bytes. The host checks the
    /// digest of each file that it receives.
    pub files: BTreeMap<FileSource, Payload>,
    /// The key with which the controller completes the handshake with nodes. It isn't sent.
    /// Without it, nothing is concluded from handshakes.
    pub swarm_key: Option<SwarmKey>,
}

/// The bytes of a file. Clones share them.
#[derive(Clone)]
pub enum Payload {
    /// A file that isn't secret.
    Bytes(Bytes),
    /// A secret, wiped from memory when the last clone is dropped.
    Secret(SecretBytes),
    /// A program, compressed once for all hosts.
    Artifact {
        /// The file's bytes on the host.
        raw: Bytes,
        /// The gzip-compressed bytes, which are sent if they are fewer.
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
