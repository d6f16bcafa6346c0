//! Decrypts and parses private keys.
//!
//! The entry point is [`load`]. russh parses the formats; this module turns its errors into
//! errors that a user can act on. It doesn't read the files.

use std::io;
use std::path::Path;
use std::sync::Arc;

use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{PrivateKey, decode_secret_key};

use super::SecretText;
use crate::identity::{SshKeyKind, UnsupportedKey};

#[cfg(test)]
mod tests;

/// Why a file has no usable private key.
#[derive(Debug)]
pub enum KeyError {
    /// The file contains a public key.
    Public,
    /// The key is encrypted, and there is no passphrase.
    NoPassphrase,
    /// The passphrase doesn't decrypt the key.
    WrongPassphrase,
    /// Prompting for the passphrase failed, with the terminal's error.
    Ask(io::Error),
    /// The key is of a kind that spore doesn't support.
    Unsupported(UnsupportedKey),
    /// The file is a private key, but it can't be parsed.
    Damaged,
    /// The file isn't a key.
    NotAKey,
}

/// Returns the passphrase of a file; `None` if none is set and there is no terminal to
/// prompt on.
pub type Ask<'a> = &'a mut dyn FnMut(&Path) -> io::Result<Option<SecretText>>;

/// Parses a private key in OpenSSH's format, PKCS#1, PKCS#8, SEC1 or PuTTY's format. `path`
/// is the file that `text` is from. If the key is encrypted, `ask` is called once.
///
/// # Errors
/// The text isn't a private key that spore supports: see [`KeyError`].
pub fn load(path: &Path, text: &str, ask: Ask<'_>) -> Result<Arc<PrivateKey>, KeyError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let encrypted = match SshKeyKind::of(text) {
        SshKeyKind::Plain => false,
        SshKeyKind::Encrypted => true,
        SshKeyKind::Public => return Err(KeyError::Public),
        SshKeyKind::Unsupported(what) => return Err(KeyError::Unsupported(what)),
        SshKeyKind::Damaged => return Err(KeyError::Damaged),
        SshKeyKind::NotAKey => return Err(KeyError::NotAKey),
    };
    let passphrase = match encrypted {
        false => None,
        true => match ask(path) {
            Ok(Some(passphrase)) => Some(passphrase),
            Ok(None) => return Err(KeyError::NoPassphrase),
            Err(error) => return Err(KeyError::Ask(error)),
        },
    };
    let key = decode_secret_key(text, passphrase.as_ref().map(SecretText::expose));
    let key = key.map_err(|error| match error {
        russh::keys::Error::UnknownAlgorithm(_) | russh::keys::Error::UnsupportedKeyType { .. } => {
            KeyError::Unsupported(UnsupportedKey::Unknown)
        }
        _ if encrypted => KeyError::WrongPassphrase,
        _ => KeyError::Damaged,
    })?;
    match key.key_data() {
        KeypairData::Ed25519(_) | KeypairData::Ecdsa(_) | KeypairData::Rsa(_) => Ok(Arc::new(key)),
        KeypairData::SkEd25519(_) | KeypairData::SkEcdsaSha2NistP256(_) => {
            Err(KeyError::Unsupported(UnsupportedKey::HardwareToken))
        }
        KeypairData::Dsa(_) => Err(KeyError::Unsupported(UnsupportedKey::Dsa)),
        _ => Err(KeyError::Unsupported(UnsupportedKey::Unknown)),
    }
}
