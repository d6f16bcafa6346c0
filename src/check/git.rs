//! Private keys that git doesn't ignore.
//!
//! A file counts if it holds an unencrypted private key (of SSH, of the swarm,
//! of the domain validation) and lies in a git work tree. Node keys and
//! passwords don't: the format has them in `hosts.yaml` and `auth.yaml`, so
//! there is no other file to move them to.

use crate::network::{Diagnostic, Draft, InGit};

/// The maximum number of files that are shown.
const MOST_SHOWN: usize = 8;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    let message = match draft.unignored.len() {
        0 => return Vec::new(),
        1 => "an unencrypted private key is in a git work tree and not ignored".to_owned(),
        count => format!("{count} unencrypted private keys are in a git work tree and not ignored"),
    };
    let mut problem = Diagnostic::warning(message);
    for (file, standing) in draft.unignored.iter().take(MOST_SHOWN) {
        let label = match standing {
            InGit::Tracked => "git tracks this file",
            InGit::NotIgnored => "`git add` would add this file",
        };
        problem = problem.at(&file.place, label);
    }
    let mut help = "list the file in `.gitignore`".to_owned();
    if draft.unignored.iter().any(|(_, standing)| *standing == InGit::Tracked) {
        help.push_str("; for a tracked file, also run `git rm --cached FILE` and replace the key, because it stays in the history");
    }
    vec![problem.help(help)]
}
