//! Whether a text is, or contains, a private key of any kind.

use super::{NodeKey, SshKeyKind};

/// Whether a text holds a private key: of SSH, of the swarm, of a node, in PEM or of age.
///
/// It is meant for files that should hold none, so it reports what it can't rule out,
/// such as a damaged key. Programs aren't text: they may contain the words, but no key
/// file contains a zero byte.
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
    // In YAML it may have anything around it.
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
