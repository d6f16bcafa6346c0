//! SSH keys that can't be used, or that others can.

use super::problem;
use crate::identity::SshKeyKind;
use crate::network::{At, Diagnostic, Draft, KeyFile};
use std::collections::BTreeSet;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let needed = draft.needed_logins();
    let mut open = BTreeSet::new();
    let mut problems = Vec::new();
    for login in draft.logins.values() {
        let is_needed = needed.contains(login.name.as_str());
        for key in &login.keys {
            problems.extend(unusable(key, is_needed));
            // OpenSSH refuses to use such a key.
            let is_key = matches!(key.kind, Some(SshKeyKind::Plain | SshKeyKind::Encrypted));
            if is_key && key.is_open && open.insert(&key.path) {
                problems.push(
                    Diagnostic::warning("others than its owner may read this private key")
                        .at(&key.place, "named here")
                        .help("let only its owner read it: `chmod 600`"),
                );
            }
        }
    }
    problems
}

fn unusable(key: &At<KeyFile>, is_needed: bool) -> Option<Diagnostic> {
    const MAKE: &str = "use a key in OpenSSH's format, such as `ssh-keygen -t ed25519` makes";
    let name = key.place.shown(&key.written);
    let (what, help) = match key.kind? {
        SshKeyKind::Plain | SshKeyKind::Encrypted => return None,
        SshKeyKind::Public => {
            let help = match name.strip_suffix(".pub") {
                Some(private) => format!("name the private half: `{private}`"),
                None => "name the file of the private half".to_owned(),
            };
            ("the public half of a key", help)
        }
        SshKeyKind::Unsupported(what) => (what, MAKE.to_owned()),
        SshKeyKind::Damaged => ("a damaged key", "put a copy that is whole in its place".to_owned()),
        SshKeyKind::NotAKey => ("no private key", MAKE.to_owned()),
    };
    let problem = problem(is_needed, format!("`{name}` is {what}"));
    Some(problem.at(&key.place, "nobody gets in with it").help(help))
}
