//! The current state of a host.

use super::receipt::Receipt;
use super::{Asked, Conditions};
use crate::resource::{Graph, Resource, ResourceKey, ShapeName, Unreadable};
use std::collections::BTreeMap;

/// The current state of a host, derived from its facts alone.
#[derive(Clone, Debug)]
pub struct Current {
    /// The properties that determine which resources a goal needs on the host.
    pub conditions: Conditions,
    /// The resources on the host.
    pub graph: Graph<Resource>,
    /// The conditions under which resources are removed that the folder doesn't want.
    pub unwanted: BTreeMap<ResourceKey, RemovalRule>,
    /// What the last apply has left, as far as the host says so.
    pub receipt: Option<Receipt>,
    /// What the host was asked about. A resource that isn't in the graph is absent only if
    /// the host was asked about it.
    pub asked: Asked,
}

/// The condition under which a resource is removed that the folder doesn't want. A resource
/// without an entry is removed if resources of its kind are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalRule {
    /// The file is removed if it is a copy of one of the network's secrets. Otherwise it
    /// isn't spore's.
    Copy,
    /// The resource belongs to the node of this shape, and stays as long as the folder
    /// wants that node.
    Node(ShapeName),
    /// The resource is the data of one of these nodes. It stays as long as the folder wants
    /// any of them, and is removed only at the user's request.
    Data(Vec<ShapeName>),
    /// The resource serves every node of the host, and stays as long as the folder wants
    /// any node there.
    Host,
    /// It is unknown what the resource is, for this reason, so the host can't be planned.
    Unclear(Unreadable),
}
