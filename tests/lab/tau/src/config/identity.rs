//! The node's private key, in libp2p's protobuf encoding (`1: type`, `2: data`). The
//! stand-in only supports ed25519.

use libp2p::identity::{Keypair, ed25519};

use crate::refusal::Refusal;

const ED25519: u64 = 1;

/// Parses the decoded `privatekey`.
pub(super) fn unmarshal(encoded: &[u8]) -> Result<Keypair, Refusal> {
    let message =
        Message::read(encoded).ok_or_else(|| Refusal::new("proto: cannot parse invalid wire-format data"))?;
    let (Some(kind), Some(data)) = (message.kind, message.data) else {
        return Err(Refusal::new("proto: required field crypto.pb.PrivateKey not set"));
    };
    match kind {
        ED25519 => {}
        0 | 2 | 3 => {
            return Err(Refusal::new(format!("stand-in: reads ed25519 keys only, this is of type {kind}")));
        }
        _ => return Err(Refusal::new("invalid or unsupported key type")),
    }
    let (mut pair, repeated) = match data.len() {
        64 => (data.to_vec(), None),
        96 => (data[..64].to_vec(), Some(&data[64..])),
        n => return Err(Refusal::new(format!("expected ed25519 data size to be 64 or 96, got {n}"))),
    };
    if repeated.is_some_and(|repeated| repeated != &pair[32..]) {
        return Err(Refusal::new("expected redundant ed25519 public key to be redundant"));
    }
    ed25519::Keypair::try_from_bytes(&mut pair)
        .map(Keypair::from)
        .map_err(|e| Refusal::new(format!("stand-in: the public half isn't the private key's: {e}")))
}

#[derive(Default)]
struct Message<'a> {
    kind: Option<u64>,
    data: Option<&'a [u8]>,
}

impl<'a> Message<'a> {
    fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let mut message = Self::default();
        while !bytes.is_empty() {
            let tag = varint(&mut bytes)?;
            match (tag >> 3, tag & 7) {
                (0, _) => return None,
                (1, 0) => message.kind = Some(varint(&mut bytes)?),
                (2, 2) => message.data = Some(counted(&mut bytes)?),
                (_, 0) => drop(varint(&mut bytes)?),
                (_, 1) => drop(take(&mut bytes, 8)?),
                (_, 2) => drop(counted(&mut bytes)?),
                (_, 5) => drop(take(&mut bytes, 4)?),
                _ => return None,
            }
        }
        Some(message)
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn counted<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint(bytes)?).ok()?;
    take(bytes, length)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::base64;

    const KEY: &str =
        "CAESQFzkK6GJhi46qx0LoLn+Tro8EyQIuxg5zzsEx5z8Ha20AcCZQaaVlPQMTmdiuA0DVgbD1jdxhJZ9NzMi8GfIPZw=";

    fn outcome(bytes: &[u8]) -> String {
        unmarshal(bytes).map_or_else(|e| e.to_string(), |key| key.public().to_peer_id().to_string())
    }

    #[test]
    fn keys_and_what_isnt_one() -> Result<(), Refusal> {
        let key = base64::decode(KEY)?;
        let id = "12D3KooW9wCuqLbzbDnx6HWv38Y3qswCPWkzGsB9j7W9XVCTWd3H";
        assert_eq!(outcome(&key), id);
        let repeated: Vec<u8> = [&[8, 1, 18, 96], &key[4..], &key[36..]].concat();
        assert_eq!(outcome(&repeated), id);
        assert!(outcome(&[0, 0, 0]).contains("cannot parse invalid wire-format data"));
        assert!(outcome(&key[..key.len() - 1]).contains("cannot parse invalid wire-format data"));
        let seed_only: Vec<u8> = [&[8, 1, 18, 32], &key[4..36]].concat();
        assert!(outcome(&seed_only).contains("expected ed25519 data size to be 64 or 96, got 32"));
        let unknown: Vec<u8> = [&[8, 9], &key[2..]].concat();
        assert!(outcome(&unknown).contains("invalid or unsupported key type"));
        Ok(())
    }
}
