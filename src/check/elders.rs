//! Whether nodes can still join the network while one host is down.

use crate::network::{Diagnostic, Draft};
use std::collections::BTreeSet;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    // A node that couldn't be read may be an elder.
    if draft.partial.bootstrap
        || draft.partial.hosts
        || draft.hosts.values().all(|host| host.nodes.is_empty())
    {
        return Vec::new();
    }
    let elders: Vec<_> = match &draft.bootstrap {
        Some(bootstrap) => bootstrap.value.values().flatten().collect(),
        None => Vec::new(),
    };
    let hosts: BTreeSet<_> = elders.iter().map(|elder| &elder.value).collect();
    let (message, label) = match (elders.len(), hosts.len()) {
        (0, _) => {
            ("the network has no elders", "nodes find each other through the elders, which are listed here")
        }
        (1, _) => ("the network has only one elder", "while it is down, no node can join or rejoin"),
        (_, 1) => ("all elders are on one host", "while it is down, no node can join or rejoin"),
        _ => return Vec::new(),
    };
    let mut problem = Diagnostic::warning(message);
    let place = elders.first().map(|elder| &elder.place);
    if let Some(place) = place.or(draft.bootstrap.as_ref().map(|bootstrap| &bootstrap.place)) {
        problem = problem.at(place, label);
    }
    vec![problem.help("list at least two hosts in `p2p.bootstrap`, such as `bootstrap: {elders: [h1, h2]}`")]
}
