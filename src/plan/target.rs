//! Narrows a plan to some nodes or hosts: [`Selector`].

use super::{Downloads, node_of};
use crate::daemon::Daemon;
use crate::diff::Change;
use crate::resource::{
    Graph, HostName, Resource, ResourceId, ResourceKey, ShapeName, part_path, staged_path,
};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A target: the node `shape@host`, all nodes of a host (`@host`), or all nodes of a shape
/// (`shape@`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// If given, only nodes of this shape are selected.
    pub shape: Option<ShapeName>,
    /// If given, only this host is selected.
    pub host: Option<HostName>,
}

/// A text that isn't a selector.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("`{0}` is none of `shape@host`, `@host` and `shape@`")]
pub struct InvalidSelector(String);

impl FromStr for Selector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        let invalid = || InvalidSelector(text.to_owned());
        let (shape, host) = text.split_once('@').ok_or_else(invalid)?;
        let selector = Self {
            shape: (!shape.is_empty()).then(|| shape.parse()).transpose().map_err(|_| invalid())?,
            host: (!host.is_empty()).then(|| host.parse()).transpose().map_err(|_| invalid())?,
        };
        if selector.shape.is_none() && selector.host.is_none() { Err(invalid()) } else { Ok(selector) }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = self.shape.as_ref().map_or("", ShapeName::as_str);
        let host = self.host.as_ref().map_or("", HostName::as_str);
        write!(f, "{shape}@{host}")
    }
}

impl Selector {
    /// Whether the selector may select anything on this host.
    pub fn may_select(&self, host: &HostName) -> bool {
        self.host.as_ref().is_none_or(|name| name == host)
    }
}

/// Removes from a host's changes everything that no target needs. A node needs everything
/// that it reads or depends on, whether or not its own unit changes.
pub(super) fn narrow(
    changes: &Graph<Change>,
    desired: &Graph<Resource>,
    targets: &[Selector],
    downloads: &Downloads,
) -> Graph<Change> {
    let mut kept: BTreeSet<&ResourceId> = BTreeSet::new();
    let resumed = staged(changes, downloads);
    let is_resumed = |id: &ResourceId| id.key.path().is_some_and(|path| resumed.contains(path));
    let needed = needed(desired, targets);
    for (id, change) in changes.iter().filter(|(id, _)| !is_resumed(id)) {
        let wanted = targets.is_empty()
            || needed.contains(id)
            || targets.iter().any(|target| {
                target.may_select(&id.host)
                    && target.shape.as_ref().is_none_or(|shape| changes_of(shape, &id.key, change))
            });
        if wanted {
            keep(id, changes, &mut kept);
        }
    }
    let mut graph = Graph::default();
    for (id, change) in changes.iter().filter(|(id, _)| kept.contains(id) && !is_resumed(id)) {
        graph.insert(id.clone(), change.clone());
    }
    for id in kept {
        for (later, edge) in changes.after(id) {
            graph.connect(id, later, edge.clone());
        }
    }
    graph
}

/// The desired resources of a host that the nodes need whose shapes are targets.
fn needed(desired: &Graph<Resource>, targets: &[Selector]) -> BTreeSet<ResourceId> {
    let is_target = |id: &ResourceId| {
        let ResourceKey::Service(unit) = &id.key else { return false };
        let Some((_, shape)) = Daemon::of_unit(unit) else { return false };
        targets.iter().any(|target| target.may_select(&id.host) && target.shape.as_ref() == Some(&shape))
    };
    let mut needed = BTreeSet::new();
    let mut waiting: Vec<&ResourceId> = desired.iter().map(|(id, _)| id).filter(|id| is_target(id)).collect();
    while let Some(id) = waiting.pop() {
        for (earlier, _) in desired.before(id) {
            if needed.insert(earlier.clone()) {
                waiting.push(earlier);
            }
        }
    }
    needed
}

/// The paths at which the files of these changes are staged, and at which the host downloads
/// them. A file that an interrupted apply has left there is used, so it mustn't be removed as a
/// leftover.
pub(super) fn staged(changes: &Graph<Change>, downloads: &Downloads) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (id, change) in changes.iter() {
        let (Change::File(file), Some(path)) = (change, id.key.path()) else { continue };
        let sha256 = &file.after.sha256;
        paths.insert(staged_path(path, sha256));
        paths.extend(downloads.get(sha256).map(|download| part_path(path, &download.sha256)));
    }
    paths
}

/// Adds a change, and every change that it depends on.
fn keep<'a>(id: &'a ResourceId, changes: &'a Graph<Change>, kept: &mut BTreeSet<&'a ResourceId>) {
    if kept.insert(id) {
        for (earlier, _) in changes.before(id) {
            keep(earlier, changes, kept);
        }
    }
}

/// Whether a change concerns only this shape.
fn changes_of(shape: &ShapeName, key: &ResourceKey, change: &Change) -> bool {
    is_path_of(shape, key) || node_of(change).is_some_and(|node| node.name.shape == *shape)
}

/// Whether a resource belongs only to this shape.
pub(super) fn belongs_to(shape: &ShapeName, key: &ResourceKey, resource: &Resource) -> bool {
    let node = match resource {
        Resource::Service(service) => service.node.as_ref(),
        _ => None,
    };
    is_path_of(shape, key) || node.is_some_and(|node| node.name.shape == *shape)
}

fn is_path_of(shape: &ShapeName, key: &ResourceKey) -> bool {
    match key {
        ResourceKey::File(path) => Daemon::of_config(path).is_some_and(|(_, of)| of == *shape),
        ResourceKey::Storage(path) => {
            Daemon::ALL.iter().any(|daemon| daemon.data_paths(shape).contains(path))
        }
        _ => false,
    }
}
