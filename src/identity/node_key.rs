//! The private key of a node.

use super::PeerId;
use crate::resource::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libp2p_identity::ed25519;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use zeroize::Zeroizing;

/// An ed25519 private key in libp2p's protobuf encoding, in base64: `CAES…`, 68 bytes,
/// of which the last 32 are the public key.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeKey {
    text: SecretBytes,
    public_half: String,
    peer_id: PeerId,
}

/// Why text isn't a node key. The error never contains the text.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum NodeKeyError {
    /// The text is empty.
    #[error("the node key is empty")]
    Empty,
    /// The text isn't base64: a wrong character, length or padding.
    #[error("the node key isn't base64")]
    NotBase64,
    /// The decoded bytes aren't a libp2p private key.
    #[error("the node key isn't a libp2p private key")]
    NotAKey,
    /// The key is of another type, which is named: RSA, secp256k1 or ECDSA.
    #[error("the node key is an {0} key instead of an ed25519 key")]
    NotEd25519(&'static str),
    /// The ed25519 key has this number of bytes instead of 64.
    #[error("the node key has {0} bytes instead of the 64 of an ed25519 key")]
    WrongLength(usize),
    /// The public half doesn't match the private half.
    #[error("the public half of the node key doesn't match its private half")]
    HalvesDiffer,
}

impl NodeKey {
    /// Generates a new key.
    pub fn generate() -> Self {
        let keypair = ed25519::Keypair::generate();
        let pair = Zeroizing::new(keypair.to_bytes());
        let bytes = Zeroizing::new([&[0x08, 0x01, 0x12, 0x40], pair.as_slice()].concat());
        let public = keypair.public();
        Self {
            text: SecretBytes::new(STANDARD.encode(&*bytes)),
            public_half: STANDARD.encode(public.to_bytes()),
            peer_id: libp2p_identity::PublicKey::from(public).to_peer_id(),
        }
    }

    /// The peer id derived from the key.
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// The public half in base64, which is what `base64 -d | tail -c 32 | base64` prints
    /// for the key.
    pub fn public_half_base64(&self) -> &str {
        &self.public_half
    }

    /// The key pair, for a node that is simulated. `None` never happens, because the key was
    /// checked when it was parsed.
    pub fn keypair(&self) -> Option<libp2p_identity::Keypair> {
        let bytes = Zeroizing::new(STANDARD.decode(self.text.expose()).ok()?);
        libp2p_identity::Keypair::from_protobuf_encoding(&bytes).ok()
    }

    /// The key in the form in which a configuration contains it.
    pub fn expose(&self) -> &SecretBytes {
        &self.text
    }
}

/// The peer id of the ed25519 key with this public half, in base64.
pub fn peer_id_of_public_half(public: &str) -> Option<PeerId> {
    let bytes = STANDARD.decode(public.trim()).ok()?;
    let key = ed25519::PublicKey::try_from_bytes(&bytes).ok()?;
    Some(libp2p_identity::PublicKey::from(key).to_peer_id())
}

/// The public half, in base64, of the ed25519 key with this peer id; `None` if it is the id of a
/// key of another kind, which doesn't tell the key.
pub fn public_half_of_peer_id(id: &PeerId) -> Option<String> {
    // The multihash `identity` of 36 bytes: the protobuf of a public key.
    let bytes = id.to_bytes();
    let half = bytes.strip_prefix(&[0x00, 0x24, 0x08, 0x01, 0x12, 0x20])?;
    let public = STANDARD.encode(half);
    (peer_id_of_public_half(&public) == Some(*id)).then_some(public)
}

impl FromStr for NodeKey {
    type Err = NodeKeyError;

    fn from_str(text: &str) -> Result<Self, NodeKeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NodeKeyError::Empty);
        }
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| NodeKeyError::NotBase64)?);
        let (kind, key) = fields(&bytes).ok_or(NodeKeyError::NotAKey)?;
        match kind {
            0 => return Err(NodeKeyError::NotEd25519("RSA")),
            1 => {}
            2 => return Err(NodeKeyError::NotEd25519("secp256k1")),
            3 => return Err(NodeKeyError::NotEd25519("ECDSA")),
            _ => return Err(NodeKeyError::NotAKey),
        }
        if key.len() != 64 {
            return Err(NodeKeyError::WrongLength(key.len()));
        }
        let mut pair = Zeroizing::new(key.to_vec());
        let pair = ed25519::Keypair::try_from_bytes(&mut pair).map_err(|_| NodeKeyError::HalvesDiffer)?;
        let public = pair.public();
        Ok(Self {
            text: SecretBytes::new(text),
            public_half: STANDARD.encode(public.to_bytes()),
            peer_id: libp2p_identity::PublicKey::from(public).to_peer_id(),
        })
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey(*** of {})", self.peer_id)
    }
}

/// The fields of libp2p's `PrivateKey { Type = 1; Data = 2 }`: the type and the data.
fn fields(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [0x08, kind @ 0..=0x7f, 0x12, rest @ ..] = bytes else { return None };
    let (length, data) = match rest {
        [short @ 0..=0x7f, data @ ..] => (usize::from(*short), data),
        [low, high @ 0..=0x7f, data @ ..] => (usize::from(low & 0x7f) | usize::from(*high) << 7, data),
        _ => return None,
    };
    (data.len() == length).then_some((*kind, data))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const KEY: &str =
        "CAESQOJkDHrAJJW/TRqJSxPXZHyJ3Ssd0kbb2B4MomLPwf1TNZCLhar8c2+KZDZiZb3NWHYM5E+Ynf5dOB0TPeYGGKQ=";

    fn encode(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    #[test]
    fn a_key_has_the_same_peer_id_as_upstream() {
        let key: NodeKey = KEY.parse().unwrap();
        assert_eq!(key.peer_id().to_string(), "12D3KooWDRTcWpeV4opeiLa18kSEriggMNuBXys4Hi52frwHVkdH");
        assert_eq!(key.expose().expose(), KEY.as_bytes());
        let bytes = STANDARD.decode(KEY).unwrap();
        assert_eq!(key.public_half_base64(), encode(&bytes[36..]));
        assert_eq!(key.public_half_base64().len(), 44);
        assert!(!format!("{key:?}").contains("CAES"));
    }

    #[test]
    fn a_peer_id_tells_the_public_half() {
        let key = NodeKey::generate();
        assert_eq!(public_half_of_peer_id(&key.peer_id()).as_deref(), Some(key.public_half_base64()));
        assert_eq!(peer_id_of_public_half(key.public_half_base64()), Some(key.peer_id()));
        // That of an RSA key is a digest.
        let other: PeerId = "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC".parse().unwrap();
        assert_eq!(public_half_of_peer_id(&other), None);
        assert_eq!(peer_id_of_public_half("AAAA"), None);
    }

    #[test]
    fn a_generated_key_can_be_parsed() {
        let key = NodeKey::generate();
        let text = String::from_utf8(key.expose().expose().to_vec()).unwrap();
        assert_eq!(text.parse::<NodeKey>(), Ok(key));
    }

    #[test]
    fn surrounding_whitespace_is_ignored() {
        let key: NodeKey = format!("  {KEY}\n").parse().unwrap();
        assert_eq!(key.expose().expose(), KEY.as_bytes());
    }

    #[test]
    fn an_invalid_key_is_rejected_with_the_reason() {
        let good = STANDARD.decode(KEY).unwrap();
        let with = |change: fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            encode(&bytes)
        };
        let cases = [
            (String::new(), NodeKeyError::Empty),
            ("not base64!".to_owned(), NodeKeyError::NotBase64),
            (KEY.trim_end_matches('=').to_owned(), NodeKeyError::NotBase64),
            ("CAES...GGKQ=".to_owned(), NodeKeyError::NotBase64),
            (encode(b"something else"), NodeKeyError::NotAKey),
            (with(|b| b.truncate(40)), NodeKeyError::NotAKey),
            (with(|b| b[1] = 9), NodeKeyError::NotAKey),
            (with(|b| b[1] = 0), NodeKeyError::NotEd25519("RSA")),
            (with(|b| b[1] = 3), NodeKeyError::NotEd25519("ECDSA")),
            (
                with(|b| {
                    b.truncate(36);
                    b[3] = 32;
                }),
                NodeKeyError::WrongLength(32),
            ),
            (with(|b| b[67] ^= 1), NodeKeyError::HalvesDiffer),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<NodeKey>(), Err(expected), "{text}");
        }
    }
}
