//! Recognizes private keys of any kind in a text.

use super::{NodeKey, SshKeyKind};

/// Whether a file contains a private key: an SSH key, a swarm key, a node key, an age key,
/// or anything labelled as a private key in PEM.
///
/// This is meant for files that shouldn't contain a key, so anything that can't be ruled
/// out, such as a damaged key, counts as one. A file with a zero byte is a program rather
/// than a key file: it may contain the words that introduce a key, but none of these key
/// formats contains a zero byte.
pub fn holds_private_key(bytes: &[u8]) -> bool {
    if bytes.contains(&0) {
        return false;
    }
    let text = String::from_utf8_lossy(bytes);
    let is_ssh = || match SshKeyKind::of(&text) {
        SshKeyKind::Plain | SshKeyKind::Encrypted | SshKeyKind::Unsupported(_) | SshKeyKind::Damaged => true,
        SshKeyKind::Public | SshKeyKind::NotAKey => false,
    };
    let in_pem = text.contains("-----BEGIN ") && text.contains("PRIVATE KEY");
    let named = ["/key/swarm/psk/", "AGE-SECRET-KEY-"].into_iter().any(|name| text.contains(name));
    // In a YAML file, a node key may be surrounded by quotes, brackets or commas.
    let is_around = |c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c));
    let is_node = || text.split(is_around).any(|word| word.len() > 80 && word.parse::<NodeKey>().is_ok());
    in_pem || named || is_ssh() || is_node()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_recognized_and_programs_are_not() {
        let node = "hosts: {h: {key: 'CAESQOJkDHrAJJW/TRqJSxPXZHyJ3Ssd0kbb2B4MomLPwf1TNZCLhar8c2+KZDZiZb3NWHYM5E+Ynf5dOB0TPeYGGKQ='}}";
        for (text, expected) in [
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n", true),
            ("# mine\n-----BEGIN EC PRIVATE KEY-----\n", true),
            ("-----BEGIN PGP PRIVATE KEY BLOCK-----\n", true),
            ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", true),
            ("/key/swarm/psk/1.0.0//base16/\n00", true),
            ("AGE-SECRET-KEY-1QQQ", true),
            (node, true),
            ("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", false),
            ("ssh-ed25519 AAAA me", false),
            ("#!/bin/sh\nexec plugin\n", false),
            ("\x7fELF\0-----BEGIN RSA PRIVATE KEY-----", false),
            ("", false),
        ] {
            assert_eq!(holds_private_key(text.as_bytes()), expected, "{text}");
        }
    }
}
