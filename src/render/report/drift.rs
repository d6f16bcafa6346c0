//! What has changed on the hosts themselves as a [`Report`]: the hosts whose state isn't
//! known, and then what has changed on each of the others.

use super::plan::{change, item};
use super::{Item, Level, Report, Rule};
use crate::plan::file::{DriftPage, HostDrift, State};

const UNKNOWN: Rule = Rule {
    id: "drift/unknown",
    title: "it isn't known whether a host has changed",
    why: "It couldn't be planned, or no apply has left a receipt on it.",
};
const OVERRIDDEN: Rule = Rule {
    id: "drift/overridden",
    title: "something on a host overrides the folder",
    why: "spore leaves drop-ins alone, so no apply can change this.",
};
const CHANGED: Rule = Rule {
    id: "drift/changed",
    title: "something has changed on a host since the last apply",
    why: "The next apply would change it back.",
};

/// A report of what has changed on the hosts. `folder` is the path of the folder relative
/// to the root of its repository.
pub fn drift(page: &DriftPage, folder: String) -> Report {
    let mut items = Vec::new();
    for HostDrift { host, state, since, why, changes } in &page.hosts {
        let (rule, level) = match state {
            State::Unknown => (UNKNOWN, Level::Error),
            State::InSync | State::Drifted => (OVERRIDDEN, Level::Warning),
        };
        let whys = why.iter().map(|why| item(rule, level, why));
        let since = since.iter().map(|since| format!("changed on the host since the apply of {}", since.at));
        let since = since.collect::<String>();
        let changes = changes.iter().map(|found| Item {
            rule: CHANGED,
            level: Level::Warning,
            ..change(found, Some(since.clone()))
        });
        items.extend(whys.chain(changes).map(|item| Item { host: Some(host.to_string()), ..item }));
    }
    items.sort_by_key(|item| std::cmp::Reverse(item.level));
    Report {
        command: "drift",
        verdict: page.summary.strip_prefix("drift: ").unwrap_or(&page.summary).to_owned(),
        about: Vec::new(),
        folder,
        what: "change",
        rules: vec![UNKNOWN, OVERRIDDEN, CHANGED],
        items,
        fails_at: Level::Warning,
    }
}
