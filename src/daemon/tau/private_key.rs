//! How the private key is cut out of a node's configuration. This is its only definition.
//!
//! The configuration contains the key as 92 characters of base64, which encode 68 bytes of
//! protobuf: four bytes for the type and the length, 32 for the private seed, and 32 for
//! the public key. The first 36 bytes correspond to exactly 48 characters, so the text can
//! be cut without decoding it: 48 characters are secret, and the remaining 44 are public.
//!
//! The key is cut in four places: in the probe (`cut.awk`), in the unit template before
//! each start (`record.sh`), in the action that records the start of a node that
//! another tool set up, and where a host hands over a configuration (`hand_over.sh`). All but
//! the first run the same `cut.sed`. These programs contain
//! placeholders, which are replaced by the numbers below.
//!
//! The private key of a node may be on its host only, where `make_key.sh` has generated it. Then
//! `node_key.sh` finds it there, for the probe and for the action that stages the configuration.

use std::sync::LazyLock;

/// The base64 of the type and the length, with which every ed25519 private key begins.
pub(in crate::daemon) const PREFIX: &str = "CAESQ";
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

/// The `sed` script that replaces the private key with the public one. It exits with status
/// 9 if the file contains the private key in a form that neither tau nor spore writes.
pub(in crate::daemon) fn cut_sed() -> &'static str {
    static SED: LazyLock<String> = LazyLock::new(|| {
        let filled = fill(include_str!("cut.sed"));
        let lines: Vec<&str> = filled.lines().filter(|line| !line.starts_with('#')).collect();
        lines.join(";")
    });
    &SED
}

/// The shell functions that find the private key of a node whose key only the host has.
pub(in crate::daemon) fn finding() -> &'static str {
    static SH: LazyLock<String> = LazyLock::new(|| fill(include_str!("node_key.sh")));
    &SH
}

/// The shell functions that generate the private key of a node on the host.
pub(in crate::daemon) fn making() -> &'static str {
    static SH: LazyLock<String> = LazyLock::new(|| {
        let above = |path: &str| super::KEYS == path || super::KEYS.starts_with(&format!("{path}/"));
        let directories = super::DIRECTORIES.iter().filter(|(path, _)| above(path));
        let directories: Vec<String> = directories.map(|(path, mode)| format!("{path}:{mode:o}")).collect();
        let keys = [super::SWARM_KEY, super::VALIDATION_PRIVATE, super::VALIDATION_PUBLIC];
        let keys = keys.map(|path| path.rsplit('/').next().unwrap_or_default());
        fill(include_str!("make_key.sh"))
            .replace("@directories@", &directories.join(" "))
            .replace("@reserved@", &keys.join(" | "))
    });
    &SH
}

/// Replaces the placeholders of a program.
fn fill(program: &str) -> String {
    let all = SECRET + PUBLIC;
    [
        ("@prefix@", PREFIX.to_owned()),
        ("@all@", all.to_string()),
        ("@public@", PUBLIC.to_string()),
        // The secret part without its prefix, and the public key without its padding.
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
