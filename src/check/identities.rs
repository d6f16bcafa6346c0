//! Finds nodes with the same identity.

use crate::finding::{Excerpt, Finding, Identities};
use crate::identity::PeerId;
use crate::network::{Draft, NodeDraft};
use std::collections::HashMap;

/// If two nodes have the same peer id, nodes that dial it reach one of them at random.
pub(super) fn check(draft: &Draft) -> Vec<Finding> {
    let mut seen: HashMap<PeerId, (String, &NodeDraft)> = HashMap::new();
    let mut problems = Vec::new();
    for host in draft.hosts.values() {
        for node in host.nodes.values() {
            let Some(id) = &node.id else { continue };
            let name = format!("{}@{}", *node.shape, *host.name);
            match seen.get(&id.value) {
                None => {
                    seen.insert(id.value, (name, node));
                }
                Some((first, other)) => {
                    let place = |node: &NodeDraft| match (&node.key, &node.id) {
                        (Some(key), _) => key.place.clone(),
                        (None, Some(id)) => id.place.clone(),
                        (None, None) => node.shape.place.clone(),
                    };
                    let what = Identities::Shared { first: Excerpt::of(first), second: Excerpt::of(name) };
                    problems.push(Finding::new(what).at(&place(node)).at(&place(other)));
                }
            }
        }
    }
    problems
}
