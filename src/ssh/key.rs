//! Decrypts and parses private keys.
//!
//! The entry point is [`load`]. russh parses the formats; this module turns its errors into
//! errors that a user can act on. It doesn't read the files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{PrivateKey, decode_secret_key};

use super::SecretText;
use crate::identity::SshKeyKind;

#[cfg(test)]
mod tests;

/// Why a file has no usable private key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file contains a public key.
    #[error("{} is a public key", path.display())]
    Public {
        /// The file.
        path: PathBuf,
    },
    /// The key is encrypted, and there is no passphrase.
    #[error("{} is encrypted, and no passphrase was given", path.display())]
    NoPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase doesn't decrypt the key.
    #[error("wrong passphrase for {}", path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// Prompting for the passphrase failed.
    #[error("cannot prompt for the passphrase of {}", path.display())]
    Ask {
        /// The file.
        path: PathBuf,
        /// The terminal's error.
        source: io::Error,
    },
    /// The key is of a kind that spore doesn't support.
    #[error("{} is {what}, which spore doesn't support", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The kind with its article, such as `a DSA key`.
        what: String,
    },
    /// The file is a private key, but it can't be parsed.
    #[error("{} is a damaged key", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The file isn't a key.
    #[error("{} isn't a private key", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
}

impl KeyError {
    /// How to fix the error.
    pub fn help(&self) -> String {
        match self {
            Self::Public { path } => {
                let private = path.with_extension("");
                match path.extension().is_some_and(|end| end == "pub") {
                    true => format!("use the private key instead: {}", private.display()),
                    false => "use the file that holds the private key".into(),
                }
            }
            Self::NoPassphrase { .. } => "run spore on a terminal, or set SPORE_SSH_PASSPHRASE".into(),
            Self::WrongPassphrase { path } => {
                format!("check the passphrase with `ssh-keygen -y -f {}`", path.display())
            }
            Self::Ask { .. } => "set SPORE_SSH_PASSPHRASE".into(),
            Self::Unsupported { path, .. } => format!(
                "use an ed25519 key (`ssh-keygen -t ed25519`), or convert an old format with `ssh-keygen -p -f {}`",
                path.display()
            ),
            Self::Damaged { .. } | Self::NotAKey { .. } => {
                "use a private key in OpenSSH's format, such as one from `ssh-keygen -t ed25519`".into()
            }
        }
    }
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
    let owned = || path.to_owned();
    let unsupported = |what: &str| KeyError::Unsupported { path: owned(), what: what.into() };
    let text = text.trim_start_matches('\u{feff}').trim();
    let encrypted = match SshKeyKind::of(text) {
        SshKeyKind::Plain => false,
        SshKeyKind::Encrypted => true,
        SshKeyKind::Public => return Err(KeyError::Public { path: owned() }),
        SshKeyKind::Unsupported(what) => return Err(unsupported(what)),
        SshKeyKind::Damaged => return Err(KeyError::Damaged { path: owned() }),
        SshKeyKind::NotAKey => return Err(KeyError::NotAKey { path: owned() }),
    };
    let passphrase = match encrypted {
        false => None,
        true => match ask(path) {
            Ok(Some(passphrase)) => Some(passphrase),
            Ok(None) => return Err(KeyError::NoPassphrase { path: owned() }),
            Err(source) => {
                return Err(KeyError::Ask { path: owned(), source });
            }
        },
    };
    let key = decode_secret_key(text, passphrase.as_ref().map(SecretText::expose));
    let key = key.map_err(|error| match error {
        russh::keys::Error::UnknownAlgorithm(_) | russh::keys::Error::UnsupportedKeyType { .. } => {
            unsupported("a key of an unknown kind")
        }
        _ if encrypted => KeyError::WrongPassphrase { path: owned() },
        _ => KeyError::Damaged { path: owned() },
    })?;
    match key.key_data() {
        KeypairData::Ed25519(_) | KeypairData::Ecdsa(_) | KeypairData::Rsa(_) => Ok(Arc::new(key)),
        KeypairData::SkEd25519(_) | KeypairData::SkEcdsaSha2NistP256(_) => {
            Err(unsupported("a key on a hardware token"))
        }
        KeypairData::Dsa(_) => Err(unsupported("a DSA key")),
        _ => Err(unsupported("a key of an unknown kind")),
    }
}
