//! The swarm key, which all nodes of a network share.

use crate::resource::SecretBytes;
use thiserror::Error;
use zeroize::Zeroizing;

const HEAD: &str = "/key/swarm/psk/1.0.0/";
/// The header without its final slash: tau also accepts a key on one line with a single
/// slash before `base16`.
const SINGLE: &str = "/key/swarm/psk/1.0.0";
const ENCODING: &str = "/base16/";

/// A pre-shared key. Nodes with different keys can't talk to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwarmKey(SecretBytes);

/// Why a file isn't a swarm key. The error never contains the file's text.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum SwarmKeyError {
    /// The file is empty.
    #[error("the swarm key is empty")]
    Empty,
    /// The file isn't UTF-8.
    #[error("the swarm key isn't text")]
    NotText,
    /// The header is missing. tau rejects a file with only the digits.
    #[error("the swarm key lacks its `{HEAD}` header")]
    NoHeader,
    /// The encoding isn't `/base16/`.
    #[error("the swarm key isn't in base16")]
    NotBase16,
    /// A character isn't a hexadecimal digit.
    #[error("the swarm key contains characters other than hexadecimal digits")]
    NotHex,
    /// The number of digits is wrong.
    #[error("the swarm key has {0} hexadecimal digits instead of 64")]
    WrongLength(usize),
}

impl SwarmKey {
    /// Generates a new key.
    pub fn generate() -> Self {
        let digits = libp2p_identity::ed25519::SecretKey::generate();
        let digits: Zeroizing<String> =
            digits.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
        Self(SecretBytes::new(format!("{HEAD}{ENCODING}{}", *digits)))
    }

    /// Parses a file: tau's single line, with one or two slashes before `base16`, or
    /// go-libp2p's three lines.
    ///
    /// # Errors
    /// The reason why the file is in none of these formats.
    pub fn parse(bytes: &[u8]) -> Result<Self, SwarmKeyError> {
        let text = std::str::from_utf8(bytes).map_err(|_| SwarmKeyError::NotText)?;
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err(SwarmKeyError::Empty);
        }
        let mut lines = text.lines().map(str::trim_end);
        let digits = match (lines.next(), lines.next(), lines.next(), lines.next()) {
            (Some(line), None, None, None) => {
                // `HEAD` must come first, because `SINGLE` is a prefix of it.
                let rest = line.strip_prefix(HEAD).filter(|rest| rest.starts_with('/'));
                let rest = rest.or_else(|| line.strip_prefix(SINGLE)).ok_or(SwarmKeyError::NoHeader)?;
                rest.strip_prefix(ENCODING).ok_or(SwarmKeyError::NotBase16)?
            }
            (Some(HEAD), Some(ENCODING), Some(digits), None) => digits,
            (Some(HEAD), Some(encoding), _, _) if encoding != ENCODING => {
                return Err(SwarmKeyError::NotBase16);
            }
            (Some(HEAD), _, digits, _) => {
                return Err(if digits.is_some() {
                    SwarmKeyError::NotHex
                } else {
                    SwarmKeyError::WrongLength(0)
                });
            }
            _ => return Err(SwarmKeyError::NoHeader),
        };
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(SwarmKeyError::NotHex);
        }
        if digits.len() != 64 {
            return Err(SwarmKeyError::WrongLength(digits.len()));
        }
        // The key is normalized, so that a different spelling of it isn't taken for a
        // rotation.
        Ok(Self(SecretBytes::new(format!("{HEAD}{ENCODING}{}", digits.to_ascii_lowercase()))))
    }

    /// The bytes of the key.
    pub fn bytes(&self) -> Zeroizing<[u8; 32]> {
        let line = self.0.expose();
        let digits = line.get(line.len().saturating_sub(64)..).unwrap_or_default();
        let mut bytes = Zeroizing::new([0; 32]);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
            let value = digit(0).zip(digit(1)).and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
            // The digits were checked when the key was parsed.
            *byte = value.unwrap_or_default();
        }
        bytes
    }

    /// The single line that tau reads, without a line break.
    pub fn line(&self) -> &SecretBytes {
        &self.0
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const DIGITS: &str = "b52d0bdba53031176322c0374b9d9edd62b39b0d0175ba53aba30bd3aad8683a";

    #[test]
    fn every_format_is_normalized() {
        let line = format!("/key/swarm/psk/1.0.0//base16/{DIGITS}");
        for text in [
            line.clone(),
            format!("{line}\n"),
            format!("{line}\r\n"),
            format!("/key/swarm/psk/1.0.0/\n/base16/\n{DIGITS}"),
            format!("/key/swarm/psk/1.0.0/\r\n/base16/\r\n{DIGITS}\r\n"),
            format!("/key/swarm/psk/1.0.0/base16/{DIGITS}"),
            format!("/key/swarm/psk/1.0.0//base16/{}", DIGITS.to_uppercase()),
        ] {
            let key = SwarmKey::parse(text.as_bytes()).unwrap();
            assert_eq!(key.line().expose(), line.as_bytes(), "{text}");
            assert!(!format!("{key:?}").contains("b52d"));
            let digits: String = key.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digits, DIGITS);
        }
    }

    #[test]
    fn an_invalid_key_is_rejected_with_the_reason() {
        let short = "/key/swarm/psk/1.0.0//base16/abcd";
        let no_hex = format!("/key/swarm/psk/1.0.0//base16/{}", DIGITS.replace('b', "x"));
        let four_lines = format!("/key/swarm/psk/1.0.0/\n/base16/\n{DIGITS}\n{DIGITS}");
        for (text, expected) in [
            ("", SwarmKeyError::Empty),
            ("\n", SwarmKeyError::Empty),
            (DIGITS, SwarmKeyError::NoHeader),
            ("/key/swarm/psk/2.0.0//base16/abcd", SwarmKeyError::NoHeader),
            ("/key/swarm/psk/1.0.0//base64/abcd", SwarmKeyError::NotBase16),
            ("/key/swarm/psk/1.0.0/\n/bin/\nabcd", SwarmKeyError::NotBase16),
            ("/key/swarm/psk/1.0.0/\n/base16/", SwarmKeyError::WrongLength(0)),
            ("/key/swarm/psk/1.0.0/", SwarmKeyError::NotBase16),
            (short, SwarmKeyError::WrongLength(4)),
            (no_hex.as_str(), SwarmKeyError::NotHex),
            (four_lines.as_str(), SwarmKeyError::NotHex),
        ] {
            assert_eq!(SwarmKey::parse(text.as_bytes()), Err(expected), "{text}");
        }
        assert_eq!(SwarmKey::parse(&[0xff]), Err(SwarmKeyError::NotText));
    }
}
