//! Removes secrets from text that comes from hosts.
//!
//! Programs echo their input: whole, a line of it, quoted, encoded, or truncated. So
//! every substring of a secret that is too long to be a coincidence is masked.

use crate::resource::{Printable, SecretBytes};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use std::fmt;
use zeroize::Zeroizing;

/// The length in bytes of the substrings that are masked.
const PIECE: usize = 12;

/// Secrets with fewer bytes than this aren't masked, because other text would match.
const SHORTEST: usize = 4;

/// The replacement for secrets.
const MASK: &str = "***";

/// Masks secrets in text from a host.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Every substring of the long secrets, sorted.
    pieces: Zeroizing<Vec<[u8; PIECE]>>,
    /// The secrets that are too short for substrings of that length.
    short: Vec<SecretBytes>,
}

impl Redactor {
    /// Creates a redactor for these secrets: the values themselves, not files that
    /// contain other text as well.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a SecretBytes>) -> Self {
        let mut redactor = Self::default();
        for secret in secrets {
            // Headers that all keys have in common aren't secret.
            let lines = secret.expose().split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
            for line in lines.filter(|line| !line.starts_with(b"-----")) {
                redactor.add(line.strip_prefix(b"/key/swarm/psk/1.0.0//base16/").unwrap_or(line));
            }
            redactor.add_encoded(secret.expose());
        }
        redactor.pieces.sort_unstable();
        redactor
    }

    fn add(&mut self, value: &[u8]) {
        if value.len() >= PIECE + 4 {
            self.pieces.extend(value.array_windows::<PIECE>());
        } else if value.len() >= SHORTEST {
            self.short.push(SecretBytes::new(value));
        }
    }

    /// Adds the base64 of the secret in each of the three alignments that it can have
    /// within a longer encoded text.
    fn add_encoded(&mut self, secret: &[u8]) {
        for skipped in 0..3.min(secret.len()) {
            let encoded = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&secret[skipped..]));
            // The last characters depend on the bytes that follow.
            let certain = encoded.len().saturating_sub(2);
            if certain >= PIECE + 4 {
                self.add(&encoded.as_bytes()[..certain]);
            }
        }
    }

    /// Text from a host, with secrets masked and made safe for a terminal.
    pub fn clean(&self, said: &[u8]) -> Printable {
        let mut masked = vec![false; said.len()];
        for (at, piece) in said.array_windows::<PIECE>().enumerate() {
            if self.pieces.binary_search(piece).is_ok() {
                masked[at..at + PIECE].fill(true);
            }
        }
        for secret in self.short.iter().map(SecretBytes::expose) {
            for (at, _) in said.windows(secret.len()).enumerate().filter(|(_, found)| *found == secret) {
                masked[at..at + secret.len()].fill(true);
            }
        }
        let mut text = Vec::with_capacity(said.len());
        for (at, &byte) in said.iter().enumerate() {
            if !masked[at] {
                text.push(byte);
            } else if at == 0 || !masked[at - 1] {
                text.extend_from_slice(MASK.as_bytes());
            }
        }
        Printable::lines(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::{During, HostError};
    use super::super::lock::Holder;
    use super::*;
    use crate::ssh::ConnectError;

    #[test]
    fn a_secret_is_masked_in_every_encoding() {
        let key = "0123456789abcdefFEDCBA9876543210";
        let pem = format!(
            "-----BEGIN EC PRIVATE KEY-----\n{key}\nMHcCAQEEIIrYSSNQFaA2Hw==\n-----END EC PRIVATE KEY-----\n"
        );
        let redactor = Redactor::new(&[SecretBytes::new(pem.clone()), SecretBytes::new("hunter2")]);
        let encoded = BASE64_STANDARD_NO_PAD.encode(format!("x: {pem}"));
        for said in [
            format!("cannot parse {key:?}"),
            format!("bad key `{}`", &key[3..20]),
            pem.escape_default().to_string(),
            format!("data: {}", &encoded[8..]),
            "password hunter2!".to_owned(),
        ] {
            let clean = redactor.clean(said.as_bytes());
            assert!(clean.contains(MASK), "{said} → {clean}");
            for piece in [&key[4..16], "hunter2", "MHcCAQEEIIrY"] {
                assert!(!clean.contains(piece), "{said} → {clean}");
            }
        }
        assert_eq!(
            redactor.clean(b"-----BEGIN EC PRIVATE KEY----- expected"),
            "-----BEGIN EC PRIVATE KEY----- expected"
        );
    }

    /// A host that can't be used can quote a secret, too.
    #[test]
    fn errors_of_a_host_are_masked() {
        let redactor = Redactor::new(&[SecretBytes::new("hunter2")]);
        let said = || Printable::line("sudo: hunter2?");
        for error in [
            HostError::NoSudo { said: said() },
            HostError::NoShell { said: said() },
            HostError::Malformed { during: During::Asking, what: said() },
            HostError::Lost { during: During::Asking, reason: said() },
            HostError::Locked(Holder { who: said(), ..Holder::default() }),
            ConnectError::NotSsh { said: said() }.into(),
        ] {
            let text = error.redacted(&redactor).to_string();
            assert!(text.contains("sudo: ***?"), "{text}");
        }
    }

    #[test]
    fn other_text_is_kept() {
        let redactor = Redactor::new(&[SecretBytes::new(
            "/key/swarm/psk/1.0.0//base16/00112233445566778899aabbccddeeff",
        )]);
        let said = "line 3: `/key/swarm/psk/1.0.0//base16/00112233445566778899aabbccddeeff` is short";
        assert_eq!(redactor.clean(said.as_bytes()), "line 3: `/key/swarm/psk/1.0.0//base16/***` is short");
    }
}
