//! SSH keys that can't be used, or that others can.

use crate::identity::SshKeyKind;
use crate::network::{At, Diagnostic, Draft, KeyFile};
use std::collections::BTreeSet;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let keys = draft.logins.values().flat_map(|login| &login.keys);
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for key in keys {
        if !seen.insert(&key.path) {
            continue;
        }
        problems.extend(unusable(key));
        // OpenSSH refuses to use such a key.
        if key.is_open && matches!(key.kind, Some(SshKeyKind::Plain | SshKeyKind::Encrypted)) {
            problems.push(
                Diagnostic::warning("others than its owner may read this private key")
                    .at(&key.place, "named here")
                    .help(format!("chmod 600 {}", key.place.shown(&key.written))),
            );
        }
    }
    problems
}

fn unusable(key: &At<KeyFile>) -> Option<Diagnostic> {
    let name = key.place.shown(&key.written);
    let (what, help) = match key.kind? {
        SshKeyKind::Plain | SshKeyKind::Encrypted => return None,
        SshKeyKind::Public => {
            let private = name.strip_suffix(".pub");
            let help = match private {
                Some(private) => format!("name the private half: `{private}`"),
                None => "name the file of the private half".to_owned(),
            };
            ("the public half of a key", help)
        }
        SshKeyKind::Unsupported(what) => {
            (what, "use another, such as `ssh-keygen -t ed25519` makes".to_owned())
        }
        SshKeyKind::Damaged => ("a damaged key", "put a copy that is whole in its place".to_owned()),
        SshKeyKind::NotAKey => (
            "no private key",
            "name a key in OpenSSH's format, such as `ssh-keygen -t ed25519` makes".to_owned(),
        ),
    };
    Some(Diagnostic::error(format!("`{name}` is {what}")).at(&key.place, "nobody gets in with it").help(help))
}
