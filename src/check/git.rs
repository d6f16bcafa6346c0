//! Private keys that git doesn't ignore.
//!
//! A file counts if it holds an unencrypted private key (of SSH, of the swarm,
//! of the domain validation) and lies in a git work tree. Node keys and
//! passwords don't: the format has them in `hosts.yaml` and `auth.yaml`, so
//! there is no other file to move them to.

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
