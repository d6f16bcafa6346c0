//! Notes about what happens to the data of nodes on their hosts.
//!
//! A node finds its data by the name of its shape. So a renamed node starts without data,
//! and a node that is added again or gets a new identity starts with the data that an
//! earlier node of that name has left.

use super::{Note, order};
use crate::daemon::Daemon;
use crate::diff::{Change, Verb};
use crate::facts::Conditions;
use crate::resource::{
    ByHost, Content, Document, Graph, HostName, IDENTITY, NodeName, Resource, ResourceId, ResourceKey,
};
use std::collections::BTreeMap;

pub(super) fn notes(changes: &ByHost<Change>, conditions: &BTreeMap<HostName, Conditions>) -> Vec<Note> {
    let has_storage = |node: &NodeName| {
        let paths = node.data();
        conditions.get(&node.host).is_some_and(|host| paths.iter().any(|path| host.storage.contains(path)))
    };
    let comes = |node: &NodeName| {
        let unit = ResourceKey::Service(node.unit());
        let service = changes.get(&ResourceId { host: node.host.clone(), key: unit });
        matches!(service, Some(Change::Service(service)) if service.verb == Some(Verb::Start))
    };
    let mut notes = Vec::new();
    let mut new: BTreeMap<HostName, Vec<(NodeName, &Document)>> = BTreeMap::new();
    for (node, file) in changes.iter().filter_map(|(id, change)| Some((configured(id)?, change))) {
        let Change::File(file) = file else { continue };
        let is_replaced = file.fields.iter().any(|field| field.path == IDENTITY && field.before.is_some());
        let is_new = file.before.is_none() && comes(&node);
        if has_storage(&node) {
            if is_replaced || is_new {
                notes.push(Note::OldStorage { node, replaced: is_replaced });
            }
        } else if let (true, Content::Document(document)) = (is_new, &file.after.content) {
            new.entry(node.host.clone()).or_default().push((node, document));
        }
    }
    for (_, going) in order::going(changes) {
        let key = ResourceKey::File(going.config());
        let successor = match changes.get(&ResourceId { host: going.host.clone(), key }) {
            Some(Change::Remove(resource)) => match &**resource {
                Resource::File(file) => match &file.content {
                    Content::Document(old) => {
                        let mut here = new.get(&going.host).into_iter().flatten();
                        here.find(|(_, document)| going.daemon.is_alike(old, document))
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        let mut here = changes.of(&going.host).into_iter().flat_map(Graph::iter);
        let data = going.data();
        let is_purged =
            here.any(|(id, _)| matches!(&id.key, ResourceKey::Storage(path) if data.contains(path)));
        match successor {
            Some((to, _)) => {
                notes.push(Note::Renamed { from: going.clone(), to: to.clone(), kept: !is_purged });
            }
            None if !is_purged => notes.push(Note::StorageKept(going.clone())),
            None => {}
        }
    }
    notes
}

/// The node whose configuration has this id.
fn configured(id: &ResourceId) -> Option<NodeName> {
    let ResourceKey::File(path) = &id.key else { return None };
    let (daemon, shape) = Daemon::of_config(path)?;
    Some(NodeName { shape, host: id.host.clone(), daemon })
}
