//! A graph of resources: a state, or the changes between two states.

use super::{Effect, HostName, ResourceId};
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use thiserror::Error;

/// Why one resource comes before another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The later resource can't exist without the earlier one.
    Needs,
    /// The later resource, a service, reads the earlier one, a file, when the service
    /// starts. The effect is what a change to the file needs; in a
    /// [`Document`](super::Document), each field has its own effect instead.
    Reads(Effect),
    /// The earlier resource, a program, must accept the later one, a file, before either is
    /// put in place. The program is run with these arguments, which contain the path of the
    /// file.
    Validates(Arc<[String]>),
}

/// The edges form a cycle through this resource.
#[derive(Debug, Error)]
#[error("the order of resources has a cycle at {0:?}: this is a bug in spore, please report it")]
pub struct Cycle(ResourceId);

/// Resources, each with a weight and identified by its id, and the edges that order them.
///
/// Iteration is in the order of ids, regardless of the order of insertion.
#[derive(Clone, Debug)]
pub struct Graph<W> {
    inner: DiGraph<(Arc<ResourceId>, W), Edge>,
    index: BTreeMap<Arc<ResourceId>, NodeIndex>,
}

impl<W> Default for Graph<W> {
    fn default() -> Self {
        Self { inner: DiGraph::new(), index: BTreeMap::new() }
    }
}

impl<W> Graph<W> {
    /// Inserts the weight of `id`, or replaces it; existing edges are kept.
    pub fn insert(&mut self, id: ResourceId, weight: W) {
        match self.index.get(&id) {
            Some(&at) => self.inner[at].1 = weight,
            None => {
                let id = Arc::new(id);
                let at = self.inner.add_node((Arc::clone(&id), weight));
                self.index.insert(id, at);
            }
        }
    }

    /// Adds an edge: `earlier` comes before `later`. Does nothing if either isn't in
    /// the graph.
    pub fn connect(&mut self, earlier: &ResourceId, later: &ResourceId, edge: Edge) {
        if let (Some(&a), Some(&b)) = (self.index.get(earlier), self.index.get(later)) {
            self.inner.add_edge(a, b, edge);
        }
    }

    /// The weight of `id`.
    pub fn get(&self, id: &ResourceId) -> Option<&W> {
        self.index.get(id).map(|&at| &self.inner[at].1)
    }

    /// The weight of `id`, mutably.
    pub fn get_mut(&mut self, id: &ResourceId) -> Option<&mut W> {
        self.index.get(id).map(|&at| &mut self.inner[at].1)
    }

    /// All resources, in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceId, &W)> {
        self.index.iter().map(|(id, &at)| (&**id, &self.inner[at].1))
    }

    /// The number of resources.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are no resources.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The direct predecessors of `id` and their edges, in the order of ids.
    pub fn before(&self, id: &ResourceId) -> Vec<(&ResourceId, &Edge)> {
        self.neighbours(id, Direction::Incoming)
    }

    /// The direct successors of `id` and their edges, in the order of ids.
    pub fn after(&self, id: &ResourceId) -> Vec<(&ResourceId, &Edge)> {
        self.neighbours(id, Direction::Outgoing)
    }

    fn neighbours(&self, id: &ResourceId, direction: Direction) -> Vec<(&ResourceId, &Edge)> {
        let Some(&at) = self.index.get(id) else { return Vec::new() };
        let mut found: Vec<_> = self
            .inner
            .edges_directed(at, direction)
            .map(|edge| {
                let other = if direction == Direction::Incoming { edge.source() } else { edge.target() };
                (&*self.inner[other].0, edge.weight())
            })
            .collect();
        found.sort_by_key(|(id, _)| *id);
        found
    }

    /// All ids in topological order; ids that the edges don't order are in the order of
    /// ids.
    ///
    /// # Errors
    /// The edges form a cycle.
    pub fn order(&self) -> Result<Vec<&ResourceId>, Cycle> {
        // Kahn's algorithm with an ordered set of the ready ids, so that the result
        // doesn't depend on the order of insertion.
        let before = |at| self.inner.edges_directed(at, Direction::Incoming).count();
        let mut waiting: Vec<usize> = self.inner.node_indices().map(before).collect();
        let mut ready: BTreeSet<(&ResourceId, NodeIndex)> = self
            .index
            .iter()
            .filter(|(_, at)| waiting[at.index()] == 0)
            .map(|(id, at)| (&**id, *at))
            .collect();
        let mut order = Vec::with_capacity(self.len());
        while let Some((id, at)) = ready.pop_first() {
            order.push(id);
            for next in self.inner.neighbors_directed(at, Direction::Outgoing) {
                let left = &mut waiting[next.index()];
                *left -= 1;
                if *left == 0 {
                    ready.insert((&self.inner[next].0, next));
                }
            }
        }
        if let Some((id, _)) = self.index.iter().find(|(_, at)| waiting[at.index()] > 0) {
            return Err(Cycle(ResourceId::clone(id)));
        }
        Ok(order)
    }
}

/// A graph for each host: a state of the whole network, or the changes between two states.
///
/// No edge leads from one host to another, because the resources of a host don't depend on
/// those of other hosts. So the hosts can be compared independently and in parallel. The
/// order across hosts, such as elders starting before the nodes that dial them, is decided
/// by the plan's waves.
#[derive(Clone, Debug)]
pub struct ByHost<W> {
    graphs: BTreeMap<HostName, Graph<W>>,
}

impl<W> Default for ByHost<W> {
    fn default() -> Self {
        Self { graphs: BTreeMap::new() }
    }
}

impl<W> FromIterator<(HostName, Graph<W>)> for ByHost<W> {
    fn from_iter<I: IntoIterator<Item = (HostName, Graph<W>)>>(graphs: I) -> Self {
        Self { graphs: graphs.into_iter().collect() }
    }
}

impl<W> ByHost<W> {
    /// The host's graph, if it has one.
    pub fn of(&self, host: &HostName) -> Option<&Graph<W>> {
        self.graphs.get(host)
    }

    /// The host's graph, which is created if it has none.
    pub fn of_mut(&mut self, host: &HostName) -> &mut Graph<W> {
        self.graphs.entry(host.clone()).or_default()
    }

    /// The hosts and their graphs, in the order of names.
    pub fn hosts(&self) -> impl Iterator<Item = (&HostName, &Graph<W>)> {
        self.graphs.iter()
    }

    /// The weight of `id`.
    pub fn get(&self, id: &ResourceId) -> Option<&W> {
        self.of(&id.host)?.get(id)
    }

    /// All resources, in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceId, &W)> {
        self.graphs.values().flat_map(Graph::iter)
    }

    /// The number of resources.
    pub fn len(&self) -> usize {
        self.graphs.values().map(Graph::len).sum()
    }

    /// Whether there are no resources.
    pub fn is_empty(&self) -> bool {
        self.graphs.values().all(Graph::is_empty)
    }

    /// The direct predecessors of `id` and their edges, in the order of ids.
    pub fn before(&self, id: &ResourceId) -> Vec<(&ResourceId, &Edge)> {
        self.of(&id.host).map(|graph| graph.before(id)).unwrap_or_default()
    }

    /// The direct successors of `id` and their edges, in the order of ids.
    pub fn after(&self, id: &ResourceId) -> Vec<(&ResourceId, &Edge)> {
        self.of(&id.host).map(|graph| graph.after(id)).unwrap_or_default()
    }

    /// All ids, host by host, those of each host in topological order.
    ///
    /// # Errors
    /// The edges of a host form a cycle.
    pub fn order(&self) -> Result<Vec<&ResourceId>, Cycle> {
        let mut order = Vec::with_capacity(self.len());
        for graph in self.graphs.values() {
            order.extend(graph.order()?);
        }
        Ok(order)
    }
}
