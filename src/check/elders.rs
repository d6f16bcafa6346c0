//! Whether the network can be entered when one machine is down.

use crate::network::{Diagnostic, Draft};
use std::collections::BTreeSet;

pub(super) fn check(draft: &Draft) -> Vec<Diagnostic> {
    // Whoever can't be read may be an elder.
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
            ("no node of the network is dialled first", "nodes find each other by those that are named here")
        }
        (1, _) => ("the network has one elder", "without it no node can join, nor rejoin"),
        (_, 1) => ("all elders are on one host", "without it no node can join, nor rejoin"),
        _ => return Vec::new(),
    };
    let mut problem = Diagnostic::warning(message);
    let place = elders.first().map(|elder| &elder.place);
    if let Some(place) = place.or(draft.bootstrap.as_ref().map(|bootstrap| &bootstrap.place)) {
        problem = problem.at(place, label);
    }
    vec![problem.help("name nodes of at least two hosts in `p2p.bootstrap`")]
}
