//! The swarm's pre-shared key. As in the real tau, its file is checked twice. When the
//! configuration is read, it must have six parts separated by slashes. The parts themselves
//! are checked when libp2p is set up.

use std::path::Path;

use crate::config::{base64, below};
use crate::refusal::Refusal;

const HEADER: &str = "/key/swarm/psk/1.0.0/";
const LENGTH: usize = 32;

/// A key file of the right form, the parts of which haven't been checked.
pub(crate) struct SwarmKey {
    header: String,
    encoding: String,
    encoded: String,
}

impl SwarmKey {
    /// Reads the file that `swarmkey:` names; an empty name means no key.
    pub(super) fn named(folder: &Path, name: &str) -> Result<Option<Self>, Refusal> {
        if name.is_empty() {
            return Ok(None);
        }
        let path = below(folder, name);
        let text =
            std::fs::read(&path).map_err(|e| Refusal::reading(&path, &e).within("reading swarm key"))?;
        Self::parse(&String::from_utf8_lossy(&text)).map(Some)
    }

    /// A single line with one or two slashes before `base16` is valid. go-libp2p's format
    /// with three lines has seven parts, and is rejected.
    fn parse(text: &str) -> Result<Self, Refusal> {
        let words: Vec<&str> = text.split('/').filter(|word| !word.is_empty()).collect();
        let [a, b, c, d, encoding, encoded] = words[..] else {
            return Err(Refusal::new("swarm key is not correctly formatted"));
        };
        Ok(Self {
            header: format!("/{a}/{b}/{c}/{d}/"),
            encoding: format!("/{encoding}/"),
            encoded: encoded.to_owned(),
        })
    }

    /// The key's bytes. Further bytes are ignored.
    pub(crate) fn decode(&self) -> Result<[u8; LENGTH], Refusal> {
        if self.header != HEADER {
            return Err(Refusal::new(format!("expected file header {HEADER}, got: {}", self.header)));
        }
        let bytes = match self.encoding.as_str() {
            "/base16/" => hex(&self.encoded)?,
            "/base64/" => base64::decode(&self.encoded)?,
            "/bin/" => self.encoded.clone().into_bytes(),
            unknown => return Err(Refusal::new(format!("unknown encoding: {unknown}"))),
        };
        bytes.first_chunk().copied().ok_or_else(|| Refusal::new("unexpected EOF"))
    }
}

/// Decodes hexadecimal digits, up to the length of a key.
fn hex(text: &str) -> Result<Vec<u8>, Refusal> {
    let mut digits = Vec::with_capacity(2 * LENGTH);
    for c in text.trim_end_matches(['\r', '\n']).chars().take(2 * LENGTH) {
        let digit = c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or_else(|| {
            Refusal::new(format!("encoding/hex: invalid byte: U+{:04X} {c:?}", u32::from(c)))
        })?;
        digits.push(digit);
    }
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> String {
        match SwarmKey::parse(text) {
            Err(e) => format!("validate: {e}"),
            Ok(key) => key.decode().map_or_else(|e| format!("start: {e}"), |_| "key".to_owned()),
        }
    }

    #[test]
    fn forms_are_told_apart_as_the_real_tau_does() {
        let ab = "ab".repeat(LENGTH);
        for good in [
            format!("/key/swarm/psk/1.0.0//base16/{ab}"),
            format!("/key/swarm/psk/1.0.0/base16/{ab}\r\n"),
            format!("/key/swarm/psk/1.0.0///base16/{ab}00/"),
        ] {
            assert_eq!(outcome(&good), "key", "{good:?}");
        }
        let malformed = "validate: swarm key is not correctly formatted";
        for bad in [
            ab.clone(),
            String::new(),
            format!("/key/swarm/psk/1.0.0/\n/base16/\n{ab}"),
            format!(" /key/swarm/psk/1.0.0//base16/{ab}"),
        ] {
            assert_eq!(outcome(&bad), malformed, "{bad:?}");
        }
        assert_eq!(outcome("/key/swarm/psk/1.0.0//base16/abcd"), "start: unexpected EOF");
        assert!(outcome(&format!("/key/swarm/psk/2.0.0//base16/{ab}")).contains("expected file header"));
        assert!(
            outcome(&format!("/key/swarm/psk/1.0.0//base16/zz{ab}")).contains("invalid byte: U+007A 'z'")
        );
    }
}
