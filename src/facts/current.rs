//! The current state of a host.

use super::{Asked, Conditions};
use crate::resource::{Graph, Resource, ResourceKey, ShapeName, Unreadable};
use std::collections::BTreeMap;

/// What a host is and has, by its facts alone.
#[derive(Clone, Debug)]
pub struct Current {
    /// What decides which resources a goal needs there.
    pub conditions: Conditions,
    /// What is there.
    pub graph: Graph<Resource>,
    /// What is removed under a condition only.
    pub unwanted: BTreeMap<ResourceKey, Unwanted>,
    /// What the host was asked about. A resource that isn't in the graph is absent only if
    /// the host was asked about it.
    pub asked: Asked,
}

/// On what it depends whether a resource is removed that the folder doesn't want. Those
/// without an entry are removed if resources of their kind are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwanted {
    /// It may be a copy of one of the network's secrets. Otherwise it belongs to someone else.
    Copy,
    /// It belongs to the node of this shape, and stays as long as the folder wants that node.
    Node(ShapeName),
    /// It is the data of one of these nodes. It stays as long as the folder wants any of
    /// them, and is removed only if the user asks for that.
    Data(Vec<ShapeName>),
    /// It serves every node of the host, and stays as long as the folder wants any.
    Host,
    /// It can't be told what it is, so the host can't be planned; and why.
    Unclear(Unreadable),
}
