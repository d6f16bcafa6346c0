//! How a private key is cut out of a node's configuration, defined once.
//!
//! A configuration has the key as 92 characters of base64: 68 bytes of protobuf, of which the
//! first four are the type and the length, the next 32 the private seed, and the last 32 the
//! public key. As 48 characters encode the first 36 bytes exactly, the text can be cut without
//! decoding it: 48 characters are secret, and 44 are public.
//!
//! Three programs cut: the probe (`cut.awk`), the unit template before each start
//! (`record.sh`), and the action that records the start of another tool's node; the last two
//! run the same `cut.sed`. They are written with placeholders, which `fill` replaces by the
//! numbers below.

use std::sync::LazyLock;

/// What the base64 of every ed25519 private key begins with: the type and the length.
const PREFIX: &str = "CAESQ";
/// The number of characters that encode the secret part.
const SECRET: usize = 48;
/// The number of characters that encode the public key.
const PUBLIC: usize = 44;

/// The public key, in base64, of a private key in base64.
pub(super) fn public_half(private: &str) -> &str {
    private.get(SECRET..).unwrap_or_default()
}

/// The awk function that prints a configuration without its secrets.
pub(in crate::daemon) fn cut_awk() -> &'static str {
    static AWK: LazyLock<String> = LazyLock::new(|| fill(include_str!("cut.awk")));
    &AWK
}

/// The `sed` script that replaces the private key by the public one, and exits with 9 for a
/// file that has the private key in any other form than tau's or spore's.
pub(in crate::daemon) fn cut_sed() -> &'static str {
    static SED: LazyLock<String> = LazyLock::new(|| {
        let filled = fill(include_str!("cut.sed"));
        let lines: Vec<&str> = filled.lines().filter(|line| !line.starts_with('#')).collect();
        lines.join(";")
    });
    &SED
}

/// Replaces the placeholders of a program.
fn fill(program: &str) -> String {
    let all = SECRET + PUBLIC;
    [
        ("@prefix@", PREFIX.to_owned()),
        ("@all@", all.to_string()),
        ("@public@", PUBLIC.to_string()),
        // Of the secret part without its prefix, and of the public key without its padding.
        ("@seed@", (SECRET - PREFIX.len()).to_string()),
        ("@digits@", (PUBLIC - 1).to_string()),
        ("@begin@", (SECRET + 1).to_string()),
    ]
    .iter()
    .fold(program.to_owned(), |text, (name, value)| text.replace(name, value))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::identity::NodeKey;

    #[test]
    fn a_key_has_the_form_that_is_cut() {
        let key = NodeKey::generate();
        let text = String::from_utf8(key.expose().expose().to_vec()).unwrap();
        assert!(text.starts_with(PREFIX));
        assert_eq!(text.len(), SECRET + PUBLIC);
        assert!(!cut_awk().contains('@') || !cut_awk().contains("@begin@"));
    }
}
