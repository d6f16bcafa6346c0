//! The RSA key with which `auth` authenticates as the tenancy's application.

use p256::pkcs8::{ObjectIdentifier, PrivateKeyInfo};
use pkcs1::RsaPrivateKey;
use thiserror::Error;
use zeroize::Zeroizing;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Why text isn't an application's key. The error never contains the text.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum AppKeyError {
    /// `-----BEGIN …-----` or `-----END …-----` is missing, or there is no base64
    /// between them.
    #[error("not PEM")]
    NotPem,
    /// The key has a passphrase, and tau can't be given one.
    #[error("encrypted, which tau can't read")]
    Encrypted,
    /// Not a private RSA key in PKCS#1 or PKCS#8.
    #[error("not a private RSA key")]
    NotRsa,
}

/// Checks that `auth` accepts this key: its first PEM block must be a private RSA key in
/// PKCS#1 or PKCS#8. The block's label doesn't matter.
///
/// # Errors
/// The reason why `auth` would reject the key.
pub fn check_app_key(text: &[u8]) -> Result<(), AppKeyError> {
    let block = pem::parse(text).map_err(|_| AppKeyError::NotPem)?;
    if block.tag() == "ENCRYPTED PRIVATE KEY" || block.headers().get("DEK-Info").is_some() {
        return Err(AppKeyError::Encrypted);
    }
    let der = Zeroizing::new(block.into_contents());
    let pkcs8 = || {
        let info = PrivateKeyInfo::try_from(der.as_slice()).ok()?;
        (info.algorithm.oid == RSA).then(|| RsaPrivateKey::try_from(info.private_key).is_ok())
    };
    match RsaPrivateKey::try_from(der.as_slice()).is_ok() || pkcs8() == Some(true) {
        true => Ok(()),
        false => Err(AppKeyError::NotRsa),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// The application key of a test case in which the real tau starts.
    fn key() -> String {
        let config = std::fs::read_to_string("fixtures/tau-cases/auth/all.yaml").unwrap();
        let from = config.find("-----BEGIN").unwrap();
        let end = config.find("-----END RSA PRIVATE KEY-----").unwrap();
        let lines = config[from..end].lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| format!("{line}\n")).chain(["-----END RSA PRIVATE KEY-----\n".to_owned()]).collect()
    }

    #[test]
    fn a_key_that_tau_accepts_is_valid() {
        assert_eq!(check_app_key(key().as_bytes()), Ok(()));
        assert_eq!(check_app_key(key().replace('\n', "\r\n").as_bytes()), Ok(()));
    }

    #[test]
    fn keys_that_tau_rejects_are_invalid() {
        let fake = "-----BEGIN RSA PRIVATE KEY-----\nnot a real key\n-----END RSA PRIVATE KEY-----\n";
        let other = std::fs::read_to_string("fixtures/tau-cases/keys/dv_private.key").unwrap();
        let cut = key().replacen("MII", "MIJ", 1);
        for (text, why) in [
            ("not a key", AppKeyError::NotPem),
            ("", AppKeyError::NotPem),
            (fake, AppKeyError::NotPem),
            (&other, AppKeyError::NotRsa),
            (&cut, AppKeyError::NotRsa),
        ] {
            assert_eq!(check_app_key(text.as_bytes()), Err(why), "{text}");
        }
    }
}
