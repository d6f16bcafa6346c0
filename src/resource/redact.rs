//! The only way for text from a host to be shown.
//!
//! A host may send anything: text that attacks the reader's terminal (see [`Printable`]),
//! endless text, and the folder's secrets, because programs echo their input. Therefore
//! text from a host arrives as [`Untrusted`], which can neither be displayed nor read. A
//! [`Redactor`], which knows the secrets, opens it in one of two ways:
//!
//! - Text that is only shown, such as the message of a program, becomes [`Printable`] with
//!   every secret masked: [`Redactor::show`].
//! - An answer that is parsed becomes a [`HostText`], in which the long secrets (keys) are
//!   masked. Values parsed from it can be compared, made part of a plan and shown: none of
//!   them contains a key. Short secrets (passwords) are masked only in text that is shown
//!   ([`Redactor::line`]). They aren't masked in values that are compared: the password
//!   `root` would hide every owner, and a masked value would always differ from the desired
//!   one.
//!
//! A line of a protocol is parsed without being masked ([`Untrusted::parse`]), because a mask
//! could cut a word in base64. The texts in the line stay [`Untrusted`].
//!
//! A secret may be echoed whole, line by line, quoted, encoded, or truncated. Therefore
//! each secret is masked within quotes and in URLs, too, and a long secret also in base64; a
//! key that is itself hexadecimal or base64 is masked in both. A secret of less than four
//! bytes isn't masked, because it would match unrelated text. Of a long secret, every
//! substring that is too long to be a coincidence is masked as well, unless it occurs in
//! something public, such as a domain or a public key: public values are part of the desired
//! state, so masking them would break the comparison and hide nothing.

use super::{Printable, SecretBytes};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::prelude::BASE64_STANDARD_NO_PAD;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The length in bytes of the substrings that are masked.
const PIECE: usize = 12;

/// Of secrets with fewer bytes than this, no substrings are masked, only the whole secret.
const LONG: usize = PIECE + 4;

/// Secrets with fewer bytes than this aren't masked, because they would match unrelated
/// text.
const SHORTEST: usize = 4;

/// Decodes base64 with or without padding.
const BASE64_ANY_PADDING: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// What replaces a secret.
pub const MASK: &str = "***";

/// Text from a host. Only a [`Redactor`] can open it; even `Debug` doesn't display it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Untrusted(String);

impl Untrusted {
    /// Wraps text that a host has sent.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Wraps bytes that a host has sent, which may not be valid UTF-8.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The text after another one.
    #[must_use]
    pub fn after(self, before: &str) -> Self {
        Self(before.to_owned() + &self.0)
    }

    /// Parses a line of a protocol. The result must not contain any of the text, except as
    /// [`Untrusted`], or where the parser has checked what it is, such as a number or a
    /// digest.
    pub(crate) fn parse<T>(&self, parse: impl FnOnce(&str) -> T) -> T {
        parse(&self.0)
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Untrusted({} bytes)", self.0.len())
    }
}

/// Text from a host that is to be parsed, with the folder's keys masked. It can't be
/// displayed: the parts of it that are to be shown become [`Printable`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HostText(String);

impl HostText {
    /// Wraps text that has passed through a [`Redactor`], or that doesn't come from a host.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, to be parsed and compared.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HostText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostText({} bytes)", self.0.len())
    }
}

/// Masks secrets in text from a host, and makes it safe for a terminal.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Redactor(Arc<Secrets>);

#[derive(Clone, Default, PartialEq, Eq)]
struct Secrets {
    /// Every substring of the long secrets, sorted, except those that are public.
    pieces: Zeroizing<Vec<[u8; PIECE]>>,
    /// Which hashes occur among the pieces, so that most text needs no search.
    hashes: Zeroizing<Vec<bool>>,
    /// The secrets that are too short to be split into pieces.
    short: Vec<SecretBytes>,
    /// How keys in base64 begin that only the host knows.
    beginnings: Vec<&'static str>,
}

impl Redactor {
    /// Creates a redactor for these secrets, which must be the values themselves, not files
    /// that contain other text as well. Substrings that also occur in `public` aren't
    /// masked.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = &'a SecretBytes>,
        public: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Self {
        let mut all = Secrets::default();
        for secret in secrets {
            // Headers that all keys have in common aren't secret.
            let lines = secret.expose().split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
            for line in lines.filter(|line| !line.starts_with(b"-----")) {
                let line = line.strip_prefix(b"/key/swarm/psk/1.0.0//base16/").unwrap_or(line);
                all.add(line);
                all.add_quoted(line);
                all.add_decoded(line);
            }
            all.add_encoded(secret.expose());
        }
        let mut known = Vec::new();
        public.into_iter().for_each(|text| known.extend(text.as_ref().as_bytes().array_windows().copied()));
        known.sort_unstable();
        all.pieces.retain(|piece| known.binary_search(piece).is_err());
        all.pieces.sort_unstable();
        all.pieces.dedup();
        all.hashes.resize((all.pieces.len() * 16).next_power_of_two(), false);
        for piece in all.pieces.iter() {
            let at = hash(piece, all.hashes.len());
            all.hashes[at] = true;
        }
        Self(Arc::new(all))
    }

    /// Also masks every key in base64 with this beginning, for keys that only the host knows.
    #[must_use]
    pub fn hiding(mut self, beginning: &'static str) -> Self {
        Arc::make_mut(&mut self.0).beginnings.push(beginning);
        self
    }

    /// The output of a program on a host, to be shown, with every secret masked.
    pub fn show(&self, said: &Untrusted) -> Printable {
        Printable::lines(&self.0.masked(&said.0, true))
    }

    /// Like [`Self::show`], but in one line, for errors: a second line could pass for a
    /// line of spore's.
    pub fn show_in_one_line(&self, said: &Untrusted) -> Printable {
        Printable::in_one_line(&self.0.masked(&said.0, true))
    }

    /// Opens an answer that is to be parsed.
    pub fn open(&self, answer: &Untrusted) -> HostText {
        HostText(self.0.masked(&answer.0, false))
    }

    /// A line of an opened answer with every secret masked, to be stored and parsed again.
    pub fn masked(&self, line: &str) -> String {
        self.0.masked(line, true)
    }

    /// Text of a host that is only shown, such as a part of an opened answer, in one line
    /// and with every secret masked.
    pub fn line(&self, text: &str) -> Printable {
        Printable::line(&self.0.masked(text, true))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(***)")
    }
}

impl Secrets {
    fn add(&mut self, value: &[u8]) {
        self.add_form(value, value);
    }

    /// Adds another form of a secret, to be masked like the secret itself.
    fn add_form(&mut self, secret: &[u8], form: &[u8]) {
        if secret.len() >= LONG {
            self.pieces.extend(form.array_windows::<PIECE>());
        } else if secret.len() >= SHORTEST {
            self.short.push(SecretBytes::new(form));
        }
    }

    /// Adds the forms that the secret has within quotes and in URLs, where they differ from
    /// it.
    fn add_quoted(&mut self, secret: &[u8]) {
        let Ok(text) = std::str::from_utf8(secret) else { return };
        let json = Zeroizing::new(serde_json::Value::from(text).to_string());
        let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(text);
        let escaped = Zeroizing::new(text.escape_default().to_string());
        let doubled = Zeroizing::new(text.replace('\'', "''"));
        let in_url = Zeroizing::new(percent_encoded(secret));
        for form in [&*escaped, json, &*doubled, &*in_url] {
            if form != text {
                self.add_form(secret, form.as_bytes());
            }
        }
    }

    /// If the secret is hexadecimal or base64, adds its bytes in the other encodings: a
    /// program that has decoded a key may show it in one of these.
    fn add_decoded(&mut self, secret: &[u8]) {
        let decoded = from_hex(secret).or_else(|| BASE64_ANY_PADDING.decode(secret).ok()).map(Zeroizing::new);
        let Some(bytes) = decoded.filter(|bytes| bytes.len() >= LONG) else { return };
        self.add(&hex(&bytes, b"0123456789abcdef"));
        self.add(&hex(&bytes, b"0123456789ABCDEF"));
        self.add(Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&*bytes)).as_bytes());
        self.add_encoded(&bytes);
    }

    /// Adds the base64 of the secret in each of the three alignments that it can have
    /// within a longer encoded text.
    fn add_encoded(&mut self, secret: &[u8]) {
        for skipped in 0..3.min(secret.len()) {
            let encoded = Zeroizing::new(BASE64_STANDARD_NO_PAD.encode(&secret[skipped..]));
            // The last characters depend on the bytes that follow.
            let certain = encoded.len().saturating_sub(2);
            if certain >= LONG {
                self.add(&encoded.as_bytes()[..certain]);
            }
        }
    }

    /// The text with its secrets masked. Short secrets are masked only if the text is to be
    /// `shown`.
    fn masked(&self, text: &str, shown: bool) -> String {
        let mut masked = Vec::new();
        let mut mask = |range: std::ops::Range<usize>| {
            masked.resize(text.len(), false);
            masked[range].fill(true);
        };
        if !self.pieces.is_empty() {
            for (at, piece) in text.as_bytes().array_windows::<PIECE>().enumerate() {
                if self.hashes[hash(piece, self.hashes.len())] && self.pieces.binary_search(piece).is_ok() {
                    mask(at..at + PIECE);
                }
            }
        }
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        for (at, _) in self.beginnings.iter().flat_map(|beginning| text.match_indices(beginning)) {
            mask(at..at + text[at..].bytes().take_while(is_base64).count());
        }
        for secret in self.short.iter().filter(|_| shown).map(SecretBytes::expose) {
            for (at, found) in text.as_bytes().windows(secret.len()).enumerate() {
                if found == secret {
                    mask(at..at + secret.len());
                }
            }
        }
        if masked.is_empty() {
            return text.to_owned();
        }
        let mut out = Vec::with_capacity(text.len());
        for (at, byte) in text.bytes().enumerate() {
            if !masked[at] {
                out.push(byte);
            } else if at == 0 || !masked[at - 1] {
                out.extend_from_slice(MASK.as_bytes());
            }
        }
        // A mask may begin or end within a character.
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// Percent-encodes everything except the characters that URLs never need to encode.
fn percent_encoded(secret: &[u8]) -> String {
    let mut encoded = String::with_capacity(secret.len());
    for &byte in secret {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn hex(bytes: &[u8], digits: &[u8; 16]) -> Zeroizing<Vec<u8>> {
    let of = |byte: &u8| [byte >> 4, byte & 15].map(|digit| digits[usize::from(digit)]);
    Zeroizing::new(bytes.iter().flat_map(of).collect())
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|&[high, low]| u8::try_from(digit(high)? << 4 | digit(low)?).ok()).collect()
}

/// A hash below `most`, which is a power of two.
fn hash(piece: &[u8; PIECE], most: usize) -> usize {
    let [first, second, third] =
        [0, 4, 8].map(|at| piece[at..at + 4].iter().fold(0, |n, &byte| n << 8 | u64::from(byte)));
    let mixed = (first << 32 | second) ^ third.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (most - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    #[test]
    fn a_secret_is_masked_in_every_encoding() {
        let key = "0123456789abcdefFEDCBA9876543210";
        let pem = format!(
            "-----BEGIN EC PRIVATE KEY-----\n{key}\nMHcCAQEEIIrYSSNQFaA2Hw==\n-----END EC PRIVATE KEY-----\n"
        );
        let redactor = Redactor::new(&[SecretBytes::new(pem.clone()), SecretBytes::new("hunter2")], NONE);
        let encoded = BASE64_STANDARD_NO_PAD.encode(format!("x: {pem}"));
        for said in [
            format!("cannot parse {key:?}"),
            format!("bad key `{}`", &key[3..20]),
            pem.escape_default().to_string(),
            format!("data: {}", &encoded[8..]),
            "password hunter2!".to_owned(),
        ] {
            let clean = redactor.show(&Untrusted::new(said.clone()));
            assert!(clean.contains(MASK), "{said} → {clean}");
            for piece in [&key[4..16], "hunter2", "MHcCAQEEIIrY"] {
                assert!(!clean.contains(piece), "{said} → {clean}");
            }
        }
        assert_eq!(
            redactor.show(&Untrusted::new("-----BEGIN EC PRIVATE KEY----- expected")),
            "-----BEGIN EC PRIVATE KEY----- expected"
        );
    }

    #[test]
    fn a_secret_is_masked_in_quotes_and_in_urls() {
        for secret in ["p\"ss\\w0'rd%", "pässwörd\"", "it's a \"long\" secret \\ with\ttabs & 'quotes'"] {
            let redactor = Redactor::new(&[SecretBytes::new(secret)], NONE);
            let json = serde_json::Value::from(secret).to_string();
            for said in [
                secret.to_owned(),
                secret.escape_default().to_string(),
                json[1..json.len() - 1].to_owned(),
                secret.replace('\'', "''"),
                percent_encoded(secret.as_bytes()),
            ] {
                assert_eq!(redactor.show(&Untrusted::new(format!("<{said}>"))), "<***>", "{said}");
            }
        }
        assert_eq!(percent_encoded("a-ä/".as_bytes()), "a-%C3%A4%2F");
    }

    #[test]
    fn a_password_that_is_long_in_a_url_is_masked_only_where_it_is_shown() {
        let redactor = Redactor::new(&[SecretBytes::new("äöüßé")], NONE);
        let said = "%C3%A4%C3%B6%C3%BC%C3%9F%C3%A9";
        assert_eq!(redactor.open(&Untrusted::new(said)).expose(), said);
        assert_eq!(redactor.line(said), MASK);
    }

    #[test]
    fn a_key_is_masked_in_the_encodings_of_its_bytes() {
        let bytes: Vec<u8> = (0..32_u8).map(|n| n.wrapping_mul(37) ^ 0xa5).collect();
        let lower = String::from_utf8(hex(&bytes, b"0123456789abcdef").to_vec()).unwrap_or_default();
        let base64 = BASE64_STANDARD_NO_PAD.encode(&bytes);
        for key in [lower.clone(), lower.to_uppercase(), base64.clone(), format!("{base64}=")] {
            let redactor = Redactor::new(&[SecretBytes::new(key.clone())], NONE);
            for said in [&lower, &lower.to_uppercase(), &base64] {
                assert_eq!(redactor.show(&Untrusted::new(said)), MASK, "{key}: {said}");
            }
        }
    }

    #[test]
    fn a_key_that_only_the_host_knows_is_masked_by_its_beginning() {
        let redactor = Redactor::default().hiding("Key0");
        let shown = redactor.show(&Untrusted::new("a: 'Key0abc+/9==' Key0x\nKey1abc"));
        assert_eq!(shown.as_str(), "a: '***' ***\nKey1abc");
    }

    #[test]
    fn other_text_is_kept() {
        let secret = SecretBytes::new("/key/swarm/psk/1.0.0//base16/00112233445566778899aabbccddeeff");
        let redactor = Redactor::new(&[secret], NONE);
        let said = "line 3: `/key/swarm/psk/1.0.0//base16/00112233445566778899aabbccddeeff` is short";
        assert_eq!(
            redactor.show(&Untrusted::new(said)),
            "line 3: `/key/swarm/psk/1.0.0//base16/***` is short"
        );
    }

    /// Text that is compared with the desired state is changed only where it contains a
    /// key.
    #[test]
    fn what_is_compared_has_its_words_but_no_key() {
        let secrets = ["accounts.lab.example.com", "root", "0123456789abcdefFEDC"].map(SecretBytes::new);
        let redactor = Redactor::new(&secrets, ["lab.example.com"]);
        let said = "root lab.example.com accounts.lab.example.com 0123456789abcdefFEDC";
        let text = redactor.open(&Untrusted::new(said));
        assert_eq!(text.expose(), "root lab.example.com ***.com ***");
        assert_eq!(redactor.line(text.expose()), "*** lab.example.com ***.com ***");
    }
}
