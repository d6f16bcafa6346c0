//! Checks whether nodes can still join the network while one host is down.

use crate::finding::{Elders, Finding};
use crate::network::Draft;
use std::collections::BTreeSet;

pub(super) fn check(draft: &Draft) -> Vec<Finding> {
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
    let what = match (elders.len(), hosts.len()) {
        (0, _) => Elders::None,
        (1, _) => Elders::One,
        (_, 1) => Elders::OneHost,
        _ => return Vec::new(),
    };
    let place = elders.first().map(|elder| &elder.place);
    let place = place.or(draft.bootstrap.as_ref().map(|bootstrap| &bootstrap.place));
    vec![place.into_iter().fold(Finding::new(what), Finding::at)]
}
