//! Finds SSH keys that can't be used, or on which other users have permissions.

use crate::finding::{Excerpt, Finding, Logins};
use crate::identity::SshKeyKind;
use crate::network::{At, Draft, KeyFile};
use std::collections::BTreeSet;

pub(super) fn check(draft: &Draft) -> Vec<Finding> {
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
                problems.push(Finding::new(Logins::Open).at(&key.place));
            }
        }
    }
    problems
}

fn unusable(key: &At<KeyFile>) -> Option<Finding> {
    match key.kind? {
        SshKeyKind::Plain | SshKeyKind::Encrypted => None,
        kind @ (SshKeyKind::Public
        | SshKeyKind::Unsupported(_)
        | SshKeyKind::Damaged
        | SshKeyKind::NotAKey) => {
            let file = Excerpt::of(key.place.shown(&key.written));
            Some(Finding::new(Logins::Unusable { file, kind }).at(&key.place))
        }
    }
}
