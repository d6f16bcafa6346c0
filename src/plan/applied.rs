//! What became of a plan.

use super::Plan;
use super::action::Action;
use super::course::Skipped;
use crate::resource::{HostName, Key, NodeName, ResourceId};
use std::collections::{BTreeMap, BTreeSet};

/// How an apply ended. Every change of its plan was made, or failed, or was
/// skipped.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The changes that have been made: every step of each ended well, now or in
    /// an earlier apply.
    pub done: BTreeSet<ResourceId>,
    /// By host, what went wrong there.
    pub failed: BTreeMap<HostName, Failure>,
    /// Nodes that ran when their turn ended, and don't any more.
    pub died: BTreeSet<NodeName>,
    /// The parts of waves that weren't begun, or not ended, and why.
    pub skipped: Vec<Skipped>,
    /// Whether the user asked to stop while there was something left to do.
    pub interrupted: bool,
}

/// Something that went wrong on a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What was under way.
    pub action: Option<Action>,
    /// The change that this action was to carry out, if any.
    pub change: Option<Key>,
    /// What was wrong, in one line or more.
    pub what: String,
    /// Whether there is nothing to fix: the host isn't as it was planned on, and
    /// the next plan is another.
    pub is_stale: bool,
}

impl Applied {
    /// The hosts that failed, or a node of which has died.
    pub fn failed_hosts(&self) -> BTreeSet<&HostName> {
        self.failed.keys().chain(self.died.iter().map(|node| &node.host)).collect()
    }

    /// The changes that were neither made nor failed.
    pub fn skipped_changes<'a>(&self, plan: &'a Plan) -> BTreeSet<&'a ResourceId> {
        let has_failed = |id: &ResourceId| {
            self.failed.get(&id.host).is_some_and(|failure| failure.change.as_ref() == Some(&id.key))
        };
        plan.changes
            .iter()
            .map(|(id, _)| id)
            .filter(|id| !self.done.contains(id) && !has_failed(id))
            .collect()
    }

    /// Whether nothing has to be fixed: at most, hosts had changed since the plan.
    pub fn is_only_stale(&self) -> bool {
        self.died.is_empty() && self.failed.values().all(|failure| failure.is_stale)
    }

    /// Whether the hosts are now as the plan said they would be.
    pub fn is_complete(&self, plan: &Plan) -> bool {
        self.failed_hosts().is_empty() && self.skipped_changes(plan).is_empty()
    }
}
