//! The outcome of a plan.

use super::action::{Action, Fallback};
use super::scheduler::Skipped;
use super::{HostError, Plan, Unplanned};
use crate::resource::{HostName, NodeName, Printable, ResourceId, ResourceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The outcome of an apply. Every change in its plan was made, failed, or was skipped.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The changes every action of which ended well, now or in an earlier apply. Some may have
    /// been put back since, or have had no effect: see [`Applied::made`].
    pub done: BTreeSet<ResourceId>,
    /// By host, what went wrong there.
    pub failed: BTreeMap<HostName, HostFailure>,
    /// Nodes that were running when their turn ended, and no longer are.
    pub died: BTreeSet<NodeName>,
    /// What a plan that is made right afterwards would change again: these changes
    /// were made, but didn't last or had no effect.
    pub without_effect: BTreeSet<ResourceId>,
    /// The parts of waves that weren't begun, or not ended, and why.
    pub skipped: Vec<Skipped>,
    /// Whether the user asked to stop while there was something left to do.
    pub interrupted: bool,
}

/// Something that went wrong on a host.
#[derive(Clone, Debug)]
pub struct HostFailure {
    /// The action that was running.
    pub action: Option<Action>,
    /// The change that this action was to carry out, if any.
    pub change: Option<ResourceKey>,
    /// What went wrong.
    pub what: Wrong,
}

/// What went wrong on a host.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// The host isn't as it was planned on. There is nothing to fix: the next plan is
    /// another.
    Differs(Printable),
    /// The action failed, in the words of the program that reported it.
    Failed(Printable),
    /// The host can't be used any more.
    Host(Arc<HostError>),
    /// This apply hasn't locked it.
    NotLocked,
    /// It couldn't be planned again, so the result isn't known.
    Unchecked(Vec<Unplanned>),
}

impl HostFailure {
    /// Whether it concerns the change of this resource: that change itself, or one of a file
    /// that goes back with it.
    fn includes(&self, key: &ResourceKey) -> bool {
        let fallback = match &self.action {
            Some(Action::Start { fallback, .. } | Action::Await { fallback, .. }) => Some(fallback),
            _ => None,
        };
        let goes_back = match fallback {
            Some(Fallback::Revert { files, .. }) => files.iter().any(|file| Some(&*file.path) == key.path()),
            Some(Fallback::Leave | Fallback::Stop) | None => false,
        };
        self.change.as_ref() == Some(key) || goes_back
    }
}

impl Applied {
    /// The hosts on which something failed, died or had no effect.
    pub fn failed_hosts(&self) -> BTreeSet<&HostName> {
        let died = self.died.iter().map(|node| &node.host);
        let without_effect = self.without_effect.iter().map(|id| &id.host);
        self.failed.keys().chain(died).chain(without_effect).collect()
    }

    /// The changes that failed: the one that was under way, the files that were put back
    /// with it or would have been, and those without an effect.
    pub fn failed_changes<'a>(&self, plan: &'a Plan) -> BTreeSet<&'a ResourceId> {
        let has_failed = |id: &ResourceId| {
            self.without_effect.contains(id)
                || self.failed.get(&id.host).is_some_and(|failure| failure.includes(&id.key))
        };
        plan.changes.iter().map(|(id, _)| id).filter(|id| has_failed(id)).collect()
    }

    /// The changes that were made and last, as far as is known.
    pub fn made(&self, plan: &Plan) -> BTreeSet<ResourceId> {
        let failed = self.failed_changes(plan);
        self.done.iter().filter(|id| !failed.contains(*id)).cloned().collect()
    }

    /// The changes that were neither made nor failed.
    pub fn skipped_changes<'a>(&self, plan: &'a Plan) -> BTreeSet<&'a ResourceId> {
        let failed = self.failed_changes(plan);
        let is_left = |id: &&ResourceId| !self.done.contains(*id) && !failed.contains(*id);
        plan.changes.iter().map(|(id, _)| id).filter(is_left).collect()
    }

    /// Compares the hosts after the apply with what was planned: `again` is the same
    /// plan, made from what the hosts say now. An apply is judged by that, because an
    /// action may succeed and still not have the effect that was planned.
    pub fn compare(&mut self, plan: &Plan, again: &Plan) {
        let hosts = plan.hosts();
        for (id, _) in again.changes.iter().filter(|(id, _)| hosts.contains(&id.host)) {
            self.without_effect.insert(id.clone());
        }
        let news = again.overridden.iter().filter(|found| !plan.overridden.contains(found));
        for found in news.filter(|found| hosts.contains(&found.host)) {
            let id = ResourceId { host: found.host.clone(), key: ResourceKey::Service(found.unit.clone()) };
            self.without_effect.insert(id);
        }
        for (host, reasons) in again
            .unplanned
            .iter()
            .filter(|(host, _)| hosts.contains(host) && !plan.unplanned.contains_key(*host))
        {
            let what = Wrong::Unchecked(reasons.clone());
            let failure = HostFailure { action: None, change: None, what };
            self.failed.entry(host.clone()).or_insert(failure);
        }
    }

    /// Whether nothing has to be fixed: at most, hosts had changed since the plan.
    pub fn is_only_stale(&self) -> bool {
        self.died.is_empty()
            && self.without_effect.is_empty()
            && self.failed.values().all(|failure| matches!(failure.what, Wrong::Differs(_)))
    }

    /// Whether the hosts are now as the plan said they would be.
    pub fn is_complete(&self, plan: &Plan) -> bool {
        self.failed_hosts().is_empty() && self.skipped_changes(plan).is_empty()
    }
}
