//! SSH keys that can't be used, or that other users can read.

use crate::identity::SshKeyKind;
use crate::network::{At, Diagnostic, Draft, KeyFile};
use std::collections::BTreeSet;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let needed = draft.needed_logins();
    let mut open = BTreeSet::new();
    let mut problems = Vec::new();
    for login in draft.logins.values() {
        for key in &login.keys {
            if needed.contains(login.name.as_str()) {
                problems.extend(unusable(key));
            }
            // OpenSSH ignores such a key.
            let is_key = matches!(key.kind, Some(SshKeyKind::Plain | SshKeyKind::Encrypted));
            if is_key && key.is_open && open.insert(&key.path) {
                problems.push(
                    Diagnostic::warning("this private key is readable by other users")
                        .at(&key.place, "this file")
                        .help("make it readable by its owner only: `chmod 600 FILE`"),
                );
            }
        }
    }
    problems
}

fn unusable(key: &At<KeyFile>) -> Option<Diagnostic> {
    const MAKE: &str = "use a key in OpenSSH's format, as `ssh-keygen -t ed25519` generates";
    let name = key.place.shown(&key.written);
    let (what, help) = match key.kind? {
        SshKeyKind::Plain | SshKeyKind::Encrypted => return None,
        SshKeyKind::Public => {
            let help = match name.strip_suffix(".pub") {
                Some(private) => format!("write the path of the private half: `{private}`"),
                None => "write the path of the private half".to_owned(),
            };
            ("the public half of a key", help)
        }
        SshKeyKind::Unsupported(what) => (what, MAKE.to_owned()),
        SshKeyKind::Damaged => ("a damaged key", "replace it with an intact copy".to_owned()),
        SshKeyKind::NotAKey => ("not a private key", MAKE.to_owned()),
    };
    let problem = Diagnostic::error(format!("`{name}` is {what}"));
    Some(problem.at(&key.place, "spore can't log in with it").help(help))
}
