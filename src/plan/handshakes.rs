//! Which nodes should be running, and what each has to prove to be the one that the last apply
//! left.

use super::host::HostPart;
use crate::facts::receipt::Origin;
use crate::resource::{
    Activity, Content, Graph, Handshake, Node, NodeName, Resource, ResourceId, ResourceKey,
};
use std::collections::BTreeSet;

/// The handshakes with the nodes of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handshakes {
    /// The nodes that should be running, and what to expect of each.
    pub due: Vec<(NodeName, Handshake)>,
    /// Nodes with which no handshake can be completed, because the folder has got another key
    /// since the last apply.
    pub rekeyed: Vec<NodeName>,
    /// Nodes that are still starting. Nothing follows if one of them doesn't answer yet.
    pub starting: BTreeSet<NodeName>,
}

/// The handshakes that a host's receipt lets expect; none if it has no receipt.
///
/// The folder decides what is expected, unless it has been changed since the last apply, or the
/// last apply wasn't completed. Then that is what the host has on its disk.
pub(super) fn of(part: &HostPart) -> Handshakes {
    let mut handshakes = Handshakes::default();
    let Some(receipt) = &part.receipt else { return handshakes };
    let is_newer = |id: &ResourceId| match receipt.superseded {
        true => part.differing.contains(id),
        false => {
            let origin = receipt.origin(id, &part.desired, &part.current);
            matches!(origin, Origin::Folder | Origin::Both)
        }
    };
    for (id, resource) in part.desired.iter() {
        let Resource::Service(service) = resource else { continue };
        let Some(Node { name, health, .. }) = &service.node else { continue };
        if !receipt.resources.contains_key(&id.key.to_string()) {
            continue;
        }
        let activity = activity(id, &part.current);
        if matches!(activity, Some(Activity::Starting(_))) {
            handshakes.starting.insert(name.clone());
        }
        if receipt.superseded && part.differing.contains(id) && matches!(activity, Some(Activity::Running(_)))
        {
            // The apply that began has written files with which it hasn't started the node yet. The
            // disk says nothing of a process that was started before.
            continue;
        }
        let file = |path: String| ResourceId { host: id.host.clone(), key: ResourceKey::File(path) };
        let config = file(name.config());
        let expected = match is_newer(&config) {
            true => found(name, &config, &part.current),
            false => health.handshake.clone(),
        };
        match expected {
            Some(_) if is_newer(&file(name.daemon.handshake_key().to_owned())) => {
                handshakes.rekeyed.push(name.clone());
            }
            Some(expected) => handshakes.due.push((name.clone(), expected)),
            None => {}
        }
    }
    handshakes
}

/// Whether the unit runs, if it exists.
fn activity<'a>(unit: &ResourceId, current: &'a Graph<Resource>) -> Option<&'a Activity> {
    match current.get(unit)? {
        Resource::Service(service) => Some(&service.activity),
        _ => None,
    }
}

/// What the configuration on the host's disk lets expect of its node.
fn found(node: &NodeName, config: &ResourceId, current: &Graph<Resource>) -> Option<Handshake> {
    match current.get(config)? {
        Resource::File(file) => match &file.content {
            Content::Document(document) => node.daemon.handshake(document),
            _ => None,
        },
        _ => None,
    }
}
