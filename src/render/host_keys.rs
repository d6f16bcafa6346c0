//! The keys of hosts that aren't known yet, as `spore trust` shows them.

use crate::ssh::{KnownLine, PublicKey, ServerAddress};

/// What to do with fingerprints.
pub const COMPARE_HOST_KEYS: &str = "\ncompare each fingerprint with the host's own; on the host, run \
                                     `cat /etc/ssh/ssh_host_*_key.pub | ssh-keygen -lf -`\n";

/// The keys of a server, one on each line. `authority` is the line of a certificate authority of
/// which the server has shown no certificate.
pub fn host_keys(
    name: &str,
    addresses: &[ServerAddress],
    keys: &[PublicKey],
    authority: Option<&KnownLine>,
) -> String {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let mut text = format!("{name}  {}\n", addresses.join(", "));
    for key in keys {
        text.push_str(&format!("  {}\n", fingerprint(key)));
    }
    if let Some(authority) = authority {
        text.push_str(&format!(
            "  it has no certificate from the authority at {authority}: `--yes` doesn't add it\n"
        ));
    }
    text
}

/// The keys of a server, in one line.
pub fn host_keys_in_line(keys: &[PublicKey]) -> String {
    keys.iter().map(fingerprint).collect::<Vec<_>>().join(", ")
}

fn fingerprint(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(Default::default()))
}
