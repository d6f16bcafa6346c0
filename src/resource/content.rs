//! The content of a file, and the digests by which secret content is compared.

use super::{Document, Printable, SecretBytes};
use hkdf::Hkdf;
use sha2::Digest as _;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// A number of bytes, displayed as `512 bytes` or `98.3 MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes < 1_000_000 => write!(f, "{bytes} bytes"),
            bytes => write!(f, "{:.1} MB", bytes as f64 / 1e6),
        }
    }
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Stands for the digest of a desired file that lacks a secret.
    pub const UNKNOWN: Self = Self([0; 32]);

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl From<[u8; 32]> for Sha256 {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that isn't a SHA-256 digest.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("a SHA-256 digest has 64 hexadecimal digits")]
pub struct ParseDigestError;

impl FromStr for Sha256 {
    type Err = ParseDigestError;
    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ParseDigestError);
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| ParseDigestError)?;
        }
        Ok(Self(bytes))
    }
}

/// The key for digests of secrets that could be guessed, such as passwords in a
/// configuration. Without the key, guesses can't be tested against a digest. Each host has
/// a different key.
///
/// The key depends only on the network and the host, so plans are reproducible. It is sent
/// to the host on standard input and never stored.
#[derive(Clone)]
pub struct DigestKey(SecretBytes);

impl DigestKey {
    /// The key for one host of the network that `swarm_key` protects.
    pub fn derive(swarm_key: &SecretBytes, host: &str) -> Self {
        let mut key = [0; 32];
        // HKDF fails only for outputs of more than 255 blocks.
        let expanded = Hkdf::<sha2::Sha256>::new(Some(b"spore digest key v1"), swarm_key.expose())
            .expand(host.as_bytes(), &mut key);
        debug_assert!(expanded.is_ok());
        Self(SecretBytes::new(Sha256(key).to_string()))
    }

    /// The key for digests of machine-ids. All hosts of the network share it, so that the
    /// digests of two hosts can be compared. It can't equal the key of a host, because no
    /// host name contains a slash.
    pub fn for_machines(swarm_key: &SecretBytes) -> Self {
        Self::derive(swarm_key, "/etc/machine-id")
    }

    /// Tells whether two keys are the same without disclosing either: facts carry it, because
    /// digests can only be compared with those of the same key.
    pub fn fingerprint(&self) -> Sha256 {
        self.digest(b"fingerprint")
    }

    /// The key as it is sent to the host: 64 hexadecimal digits.
    pub fn expose(&self) -> &SecretBytes {
        &self.0
    }

    /// The SHA-256 of the key's digits followed by `secret` without its trailing line
    /// breaks: the same as `printf %s%s "$key" "$secret" | sha256sum`.
    pub fn digest(&self, secret: &[u8]) -> Sha256 {
        let end = secret.iter().rposition(|&b| b != b'\n').map_or(0, |last| last + 1);
        let mut hasher = sha2::Sha256::new();
        hasher.update(self.0.expose());
        hasher.update(&secret[..end]);
        Sha256(hasher.finalize().into())
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(***)")
    }
}

/// The content of a file, as far as the controller may know it.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Text that isn't secret.
    Text(Printable),
    /// The digest of a secret file. It is unkeyed: the file contains a key of 256 random
    /// bits, which can't be guessed.
    Secret(Sha256),
    /// The digest of a file that is too large to hold in memory.
    Blob {
        /// The digest of the whole file.
        sha256: Sha256,
        /// The size of the file in bytes, if known.
        size: Option<u64>,
    },
    /// A parsed file, compared field by field.
    Document(Arc<Document>),
    /// A document whose style the probe can't follow, so that it can't remove the secrets.
    /// It differs from any other content, unless the digests of the files match.
    Opaque,
    /// A secret that isn't available where the plan is made. Only a desired file has this
    /// content. It can't be compared with anything.
    Unavailable,
}
