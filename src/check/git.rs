//! Finds private keys that git doesn't ignore.
//!
//! A file is reported if it contains nothing but an unencrypted secret, such as an SSH key, the
//! swarm key or a password, and is in a git work tree. Secrets that are written in the folder's
//! YAML aren't reported, because the folder is usually in git.

use crate::finding::{Finding, Git, InGit};
use crate::network::Draft;

/// The maximum number of files that are shown.
const MOST_SHOWN: usize = 8;

pub(super) fn check(draft: &Draft) -> Vec<Finding> {
    let files = &draft.unignored;
    if files.is_empty() {
        return Vec::new();
    }
    let first = || files.iter().take(MOST_SHOWN);
    let problem = Finding::new(Git::Unignored {
        shown: first().map(|(_, standing)| *standing).collect(),
        all: files.len(),
        is_any_tracked: files.iter().any(|(_, standing)| *standing == InGit::Tracked),
    });
    vec![first().fold(problem, |problem, (file, _)| problem.at(&file.place))]
}
