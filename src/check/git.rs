//! Finds private keys that git doesn't ignore.
//!
//! A file is reported if it contains an unencrypted private key (an SSH key, the swarm key
//! or the domain-validation key) and is in a git work tree. Node keys and passwords aren't
//! reported: they belong in `hosts.yaml` and `auth.yaml`, so they can't be moved to another
//! file.

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
