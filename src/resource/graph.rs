//! The graph of one state, or of the changes between two.

use super::{Effect, ResourceId};
use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef as _;
use std::collections::BTreeMap;
use thiserror::Error;

/// Why one resource comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The later one can't be there without the earlier one.
    Needs,
    /// The later one, a service, reads the earlier one, a file, when it starts;
    /// with the effect that another content of the whole file has on it (a
    /// [`Document`](super::Document) says it field by field instead).
    Reads(Effect),
    /// The later one, a service, dials the earlier one when it starts.
    Dials,
}

/// Resources that wait for each other in a circle.
#[derive(Debug, Error)]
#[error("{0:?} waits for itself: this is a defect of spore, please report it")]
pub struct Cycle(ResourceId);

/// What there is, by id, and what comes before what.
///
/// Iteration is in the order of ids, whatever the order of insertion was.
#[derive(Clone, Debug)]
pub struct Graph<W> {
    inner: DiGraph<(ResourceId, W), Edge>,
    index: BTreeMap<ResourceId, NodeIndex>,
}

impl<W> Default for Graph<W> {
    fn default() -> Self {
        Self { inner: DiGraph::new(), index: BTreeMap::new() }
    }
}

impl<W> Graph<W> {
    /// Puts `weight` in at `id`, in place of what was there; its edges stay.
    pub fn insert(&mut self, id: ResourceId, weight: W) {
        match self.index.get(&id) {
            Some(&at) => self.inner[at].1 = weight,
            None => {
                let at = self.inner.add_node((id.clone(), weight));
                self.index.insert(id, at);
            }
        }
    }

    /// Says that `earlier` comes before `later`. Nothing happens where either
    /// isn't in the graph.
    pub fn connect(&mut self, earlier: &ResourceId, later: &ResourceId, edge: Edge) {
        if let (Some(&a), Some(&b)) = (self.index.get(earlier), self.index.get(later)) {
            self.inner.add_edge(a, b, edge);
        }
    }

    /// What is at `id`.
    pub fn get(&self, id: &ResourceId) -> Option<&W> {
        self.index.get(id).map(|&at| &self.inner[at].1)
    }

    /// What is at `id`, to be changed.
    pub fn get_mut(&mut self, id: &ResourceId) -> Option<&mut W> {
        self.index.get(id).map(|&at| &mut self.inner[at].1)
    }

    /// Everything, in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = (&ResourceId, &W)> {
        self.index.iter().map(|(id, &at)| (id, &self.inner[at].1))
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// What comes right before `id`, and why; in the order of ids.
    pub fn before(&self, id: &ResourceId) -> Vec<(&ResourceId, Edge)> {
        self.neighbours(id, Direction::Incoming)
    }

    /// What comes right after `id`, and why; in the order of ids.
    pub fn after(&self, id: &ResourceId) -> Vec<(&ResourceId, Edge)> {
        self.neighbours(id, Direction::Outgoing)
    }

    fn neighbours(&self, id: &ResourceId, direction: Direction) -> Vec<(&ResourceId, Edge)> {
        let Some(&at) = self.index.get(id) else { return Vec::new() };
        let mut found: Vec<_> = self
            .inner
            .edges_directed(at, direction)
            .map(|edge| {
                let other = if direction == Direction::Incoming { edge.source() } else { edge.target() };
                (&self.inner[other].0, *edge.weight())
            })
            .collect();
        found.sort_by_key(|(id, _)| *id);
        found
    }

    /// Every id, after all that comes before it; where the edges leave it open,
    /// in the order of ids.
    ///
    /// # Errors
    /// Where the edges run in a circle.
    pub fn order(&self) -> Result<Vec<&ResourceId>, Cycle> {
        toposort(&self.inner, None).map_err(|cycle| Cycle(self.inner[cycle.node_id()].0.clone()))?;
        // Kahn's algorithm over an ordered set of what is ready, so that equal
        // graphs give equal orders however they were built.
        let mut waiting: BTreeMap<NodeIndex, usize> = self
            .inner
            .node_indices()
            .map(|at| (at, self.inner.edges_directed(at, Direction::Incoming).count()))
            .collect();
        let mut ready: std::collections::BTreeSet<(&ResourceId, NodeIndex)> =
            waiting.iter().filter(|&(_, &n)| n == 0).map(|(&at, _)| (&self.inner[at].0, at)).collect();
        let mut order = Vec::with_capacity(self.len());
        while let Some((id, at)) = ready.pop_first() {
            order.push(id);
            for next in self.inner.neighbors_directed(at, Direction::Outgoing) {
                if let Some(left) = waiting.get_mut(&next) {
                    *left -= 1;
                    if *left == 0 {
                        ready.insert((&self.inner[next].0, next));
                    }
                }
            }
        }
        Ok(order)
    }
}
