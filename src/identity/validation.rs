//! The key pair that validates domains.

use crate::resource::SecretBytes;
use p256::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _, LineEnding};
use p256::{PublicKey, SecretKey};
use std::fmt;
use thiserror::Error;

const EC: &str = "EC PRIVATE KEY";
const PKCS8: &str = "PRIVATE KEY";
const SPKI: &str = "PUBLIC KEY";

/// A P-256 key pair. The private key may be missing.
#[derive(Clone, PartialEq, Eq)]
pub struct ValidationKeys {
    private: Option<SecretBytes>,
    public: String,
}

/// Why a file isn't the expected PEM. The error never contains the file's text.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum PemError {
    /// `-----BEGIN …-----` or `-----END …-----` is missing, or the file isn't UTF-8.
    #[error("not PEM")]
    NotPem,
    /// The PEM block has a label that tau doesn't accept for this key.
    #[error("labelled `{found}`, not `{expected}`")]
    Label {
        /// The label that tau reads.
        expected: &'static str,
        /// The label in the file.
        found: String,
    },
    /// The key has a passphrase, and tau can't be given one.
    #[error("an encrypted key, which tau can't read")]
    Encrypted,
    /// The block isn't a key, or the key is on another curve.
    #[error("not a P-256 key")]
    NotP256,
}

/// Why two files aren't a validation key pair.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ValidationError {
    /// The private key is invalid.
    #[error("the private validation key is {0}")]
    Private(#[source] PemError),
    /// The public key is invalid.
    #[error("the public validation key is {0}")]
    Public(#[source] PemError),
    /// Both keys are valid, but aren't a pair.
    #[error("the public validation key doesn't match the private one")]
    Mismatch,
    /// There is no key.
    #[error("there is no validation key")]
    Neither,
}

impl ValidationKeys {
    /// Generates a new pair.
    pub fn generate() -> Self {
        loop {
            // Very rarely, a random number is outside the curve's range.
            let number = libp2p_identity::ed25519::SecretKey::generate();
            let Ok(key) = SecretKey::from_slice(number.as_ref()) else { continue };
            let Ok(pem) = key.to_sec1_pem(LineEnding::LF) else { continue };
            if let Ok(keys) = Self::new(Some(pem.as_bytes()), None) {
                return keys;
            }
        }
    }

    /// Parses the contents of the key files; `None` stands for a file that doesn't exist.
    /// If there is no public key, it is derived from the private one.
    ///
    /// # Errors
    /// A key isn't a P-256 key in PEM, the two don't match, or both are missing.
    pub fn new(private: Option<&[u8]>, public: Option<&[u8]>) -> Result<Self, ValidationError> {
        let private =
            private.map(|bytes| read_private(bytes).map_err(ValidationError::Private)).transpose()?;
        let public = public.map(|bytes| read_public(bytes).map_err(ValidationError::Public)).transpose()?;
        let public = match (&private, public) {
            (Some((key, _)), Some((public, _))) if key.public_key() != public => {
                return Err(ValidationError::Mismatch);
            }
            (_, Some((_, pem))) => pem,
            (Some((key, _)), None) => write_public(&key.public_key()).map_err(ValidationError::Private)?,
            (None, None) => return Err(ValidationError::Neither),
        };
        Ok(Self { private: private.map(|(_, pem)| pem), public })
    }

    /// The private key in the format that tau reads, `EC PRIVATE KEY`. If the file is in
    /// this format, these are its exact bytes.
    pub fn private(&self) -> Option<&SecretBytes> {
        self.private.as_ref()
    }

    /// The public key in the format that tau reads, `PUBLIC KEY`.
    pub fn public(&self) -> &str {
        &self.public
    }
}

impl fmt::Debug for ValidationKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body: String = self.public.lines().filter(|line| !line.starts_with("-----")).collect();
        let halves = if self.private.is_some() { "*** and " } else { "" };
        write!(f, "ValidationKeys({halves}{body})")
    }
}

fn read_private(bytes: &[u8]) -> Result<(SecretKey, SecretBytes), PemError> {
    let text = std::str::from_utf8(bytes).map_err(|_| PemError::NotPem)?;
    let blocks = blocks(text)?;
    // openssl puts an `EC PARAMETERS` block before the key.
    let block = blocks.iter().find(|block| block.label != "EC PARAMETERS").ok_or(PemError::NotPem)?;
    if block.label == "ENCRYPTED PRIVATE KEY" || block.text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(PemError::Encrypted);
    }
    let key = match block.label {
        EC => SecretKey::from_sec1_pem(block.text).map_err(|_| PemError::NotP256)?,
        PKCS8 => SecretKey::from_pkcs8_pem(block.text).map_err(|_| PemError::NotP256)?,
        found => return Err(PemError::Label { expected: EC, found: found.to_owned() }),
    };
    let as_it_is = block.label == EC && block.text == text.trim();
    let pem = if as_it_is {
        SecretBytes::new(bytes)
    } else {
        let pem = key.to_sec1_pem(LineEnding::LF).map_err(|_| PemError::NotP256)?;
        SecretBytes::new(pem.as_bytes())
    };
    Ok((key, pem))
}

fn read_public(bytes: &[u8]) -> Result<(PublicKey, String), PemError> {
    let text = std::str::from_utf8(bytes).map_err(|_| PemError::NotPem)?;
    let blocks = blocks(text)?;
    let block = blocks.first().ok_or(PemError::NotPem)?;
    if block.label != SPKI {
        return Err(PemError::Label { expected: SPKI, found: block.label.to_owned() });
    }
    let key = PublicKey::from_public_key_pem(block.text).map_err(|_| PemError::NotP256)?;
    let pem = if block.text == text.trim() { text.to_owned() } else { write_public(&key)? };
    Ok((key, pem))
}

fn write_public(key: &PublicKey) -> Result<String, PemError> {
    key.to_public_key_pem(LineEnding::LF).map_err(|_| PemError::NotP256)
}

struct Block<'a> {
    label: &'a str,
    /// From `-----BEGIN` to the last dash of the `END` line.
    text: &'a str,
}

fn blocks(mut text: &str) -> Result<Vec<Block<'_>>, PemError> {
    let mut found = Vec::new();
    while let Some(start) = text.find("-----BEGIN ") {
        let block = &text[start..];
        let (label, _) = block["-----BEGIN ".len()..].split_once("-----").ok_or(PemError::NotPem)?;
        let end = format!("-----END {label}-----");
        let length = block.find(&end).ok_or(PemError::NotPem)? + end.len();
        found.push(Block { label, text: &block[..length] });
        text = &block[length..];
    }
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use p256::pkcs8::EncodePrivateKey as _;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_slice(&[seed; 32]).unwrap()
    }

    fn ec(seed: u8) -> Vec<u8> {
        key(seed).to_sec1_pem(LineEnding::LF).unwrap().as_bytes().to_vec()
    }

    fn spki(seed: u8) -> Vec<u8> {
        key(seed).public_key().to_public_key_pem(LineEnding::LF).unwrap().into_bytes()
    }

    #[test]
    fn a_pair_keeps_its_bytes() {
        let mut private = ec(1);
        private.push(b'\n');
        let keys = ValidationKeys::new(Some(&private), Some(&spki(1))).unwrap();
        assert_eq!(keys.private().unwrap().expose(), private);
        assert_eq!(keys.public().as_bytes(), spki(1));
        assert!(!format!("{keys:?}").contains(std::str::from_utf8(&private[40..80]).unwrap()));
    }

    #[test]
    fn one_of_the_keys_is_enough() {
        let keys = ValidationKeys::new(Some(&ec(1)), None).unwrap();
        assert_eq!(keys.public().as_bytes(), spki(1));
        let keys = ValidationKeys::new(None, Some(&spki(1))).unwrap();
        assert!(keys.private().is_none());
    }

    #[test]
    fn other_formats_are_converted_to_the_one_that_tau_reads() {
        let pkcs8 = key(1).to_pkcs8_pem(LineEnding::LF).unwrap();
        let keys = ValidationKeys::new(Some(pkcs8.as_bytes()), None).unwrap();
        assert_eq!(keys.private().unwrap().expose(), ec(1));
        let parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        let with_parameters = [parameters.as_slice(), &ec(1)].concat();
        let keys = ValidationKeys::new(Some(&with_parameters), Some(&spki(1))).unwrap();
        assert_eq!(keys.private().unwrap().expose(), ec(1));
    }

    #[test]
    fn an_invalid_pair_is_rejected_with_the_reason() {
        use {PemError as Pem, ValidationError as Error};
        let label = |expected, found: &str| -> PemError { Pem::Label { expected, found: found.to_owned() } };
        let cut = &ec(1)[..60];
        let garbage = b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
        let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let rsa = b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        for (private, public, expected) in [
            (None, None, Error::Neither),
            (Some(ec(1)), Some(spki(2)), Error::Mismatch),
            (Some(vec![]), None, Error::Private(Pem::NotPem)),
            (Some(vec![0xff]), None, Error::Private(Pem::NotPem)),
            (Some(cut.to_vec()), None, Error::Private(Pem::NotPem)),
            (Some(garbage.to_vec()), None, Error::Private(Pem::NotP256)),
            (Some(encrypted.to_vec()), None, Error::Private(Pem::Encrypted)),
            (Some(rsa.to_vec()), None, Error::Private(label(EC, "RSA PRIVATE KEY"))),
            (Some(spki(1)), None, Error::Private(label(EC, SPKI))),
            (None, Some(ec(1)), Error::Public(label(SPKI, EC))),
        ] {
            assert_eq!(ValidationKeys::new(private.as_deref(), public.as_deref()), Err(expected));
        }
    }
}
