//! Private keys, as they lie in files.
//!
//! Enter at [`load`]. It tells a user what is wrong with a file in the user's
//! terms; russh reads the formats.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{PrivateKey, decode_secret_key};

use super::Secret;
use crate::identity::SshKeyKind;

#[cfg(test)]
mod tests;

/// A file that gives no key to log in with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It holds the public half.
    #[error("{} is a public key", path.display())]
    Public {
        /// The file.
        path: PathBuf,
    },
    /// It is encrypted and no passphrase was given.
    #[error("{} is encrypted, and there is no passphrase", path.display())]
    NoPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase doesn't open it.
    #[error("wrong passphrase for {}", path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase could not be asked for.
    #[error("cannot ask for the passphrase of {}", path.display())]
    Ask {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It is a key, of a kind that can't be used.
    #[error("{} is {what}, which spore cannot use", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The kind, with its article.
        what: String,
    },
    /// It is a private key that can't be read.
    #[error("{} is a damaged key", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It is no key at all.
    #[error("{} is no private key", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
}

impl KeyError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Public { path } => {
                let private = path.with_extension("");
                match path.extension().is_some_and(|end| end == "pub") {
                    true => format!("name the private key: {}", private.display()),
                    false => "name the file that holds the private key".into(),
                }
            }
            Self::NoPassphrase { .. } => "run it on a terminal, or set SPORE_SSH_PASSPHRASE".into(),
            Self::WrongPassphrase { path } => {
                format!("`ssh-keygen -y -f {}` tries a passphrase", path.display())
            }
            Self::Ask { .. } => "set SPORE_SSH_PASSPHRASE".into(),
            Self::Unsupported { path, .. } => format!(
                "use an ed25519 key (`ssh-keygen -t ed25519`), or rewrite an old format with `ssh-keygen -p -f {}`",
                path.display()
            ),
            Self::Damaged { .. } | Self::NotAKey { .. } => {
                "name a private key in OpenSSH's format, such as `ssh-keygen -t ed25519` makes".into()
            }
        }
    }
}

/// Asks for the passphrase of a file; `None` means that there is nobody to ask.
pub type Ask<'a> = &'a mut dyn FnMut(&Path) -> io::Result<Option<Secret>>;

/// Reads a private key: OpenSSH's format, PKCS#1, PKCS#8, SEC1, or PuTTY's. If
/// it is encrypted, `ask` is called, once.
///
/// # Errors
/// The text is no private key that can be used: see [`KeyError`], whose
/// variants a user has to tell apart.
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
    let key = decode_secret_key(text, passphrase.as_ref().map(Secret::expose));
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
            Err(unsupported("a key that lives in a security token"))
        }
        KeypairData::Dsa(_) => Err(unsupported("a DSA key")),
        _ => Err(unsupported("a key of an unknown kind")),
    }
}
