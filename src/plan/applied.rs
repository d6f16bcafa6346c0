//! The outcome of applying a plan: [`Applied`].

use super::action::{Action, Fallback};
use super::scheduler::Skipped;
use super::wire::Differs;
use super::{HostError, Plan, Unplanned};
use crate::resource::{HostName, NodeName, Printable, ResourceId, ResourceKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The outcome of an apply. Every change in the plan was made, failed, or was skipped.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The changes whose actions have all ended well. Some of these changes may have been
    /// rolled back since, or may have had no effect: see [`Applied::made`].
    pub done: BTreeSet<ResourceId>,
    /// By host, what failed there.
    pub failed: BTreeMap<HostName, HostFailure>,
    /// The nodes that were running when their turn ended, and no longer are, or are in
    /// another start.
    pub died: BTreeSet<NodeName>,
    /// What a plan that is made right after the apply would change again: these changes were
    /// made, but didn't last or had no effect. Set by [`Applied::compare`].
    pub without_effect: BTreeSet<ResourceId>,
    /// The parts of waves that weren't begun or weren't completed, and why.
    pub skipped: Vec<Skipped>,
    /// Whether the user asked to stop while actions were left to run.
    pub interrupted: bool,
}

/// A failure on a host.
#[derive(Clone, Debug)]
pub struct HostFailure {
    /// The action that was running, if any.
    pub action: Option<Action>,
    /// The change that this action is part of, if any.
    pub change: Option<ResourceKey>,
    /// What failed.
    pub what: Wrong,
}

/// What failed on a host.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// The host has changed since the plan was made. The user doesn't have to fix anything:
    /// a new plan starts from the present state.
    Differs(Differs<Printable>),
    /// Spore doesn't have the content of the file at this path.
    NoContent(String),
    /// The action failed. The text is from the program that reported the failure.
    Failed(Printable),
    /// The host can no longer be used.
    Host(Arc<HostError>),
    /// This apply doesn't hold the host's lock.
    NotLocked,
    /// The changes were made, but the receipt couldn't be written; what the host says.
    Receipt(Printable),
    /// The host couldn't be planned again after the apply, so the result isn't known.
    Unchecked(Vec<Unplanned>),
}

impl HostFailure {
    /// Whether the change of this resource has failed: the failed action is part of it, or
    /// its fallback is to put the file back.
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
    /// The hosts on which an action failed, a node died, or a change had no effect.
    pub fn failed_hosts(&self) -> BTreeSet<&HostName> {
        let died = self.died.iter().map(|node| &node.host);
        let without_effect = self.without_effect.iter().map(|id| &id.host);
        self.failed.keys().chain(died).chain(without_effect).collect()
    }

    /// The changes that failed: the change that was under way on a host that failed, the
    /// changes of the files that its fallback puts back (even if the fallback failed, too),
    /// and the changes without effect.
    pub fn failed_changes<'a>(&self, plan: &'a Plan) -> BTreeSet<&'a ResourceId> {
        let has_failed = |id: &ResourceId| {
            self.without_effect.contains(id)
                || self.failed.get(&id.host).is_some_and(|failure| failure.includes(&id.key))
        };
        plan.changes.iter().map(|(id, _)| id).filter(|id| has_failed(id)).collect()
    }

    /// The changes that were made and, as far as is known, are still in place.
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

    /// Those of the hosts on which nothing has failed and every change of the plan was made.
    pub fn complete_hosts<'a>(
        &self,
        plan: &Plan,
        hosts: impl IntoIterator<Item = &'a HostName>,
    ) -> BTreeSet<HostName> {
        let failed = self.failed_hosts();
        let is_done = |(id, _): (&ResourceId, _)| self.done.contains(id);
        let is_complete = |host: &&HostName| {
            let changes = plan.changes.of(host);
            !failed.contains(host) && changes.is_none_or(|changes| changes.iter().all(is_done))
        };
        hosts.into_iter().filter(is_complete).cloned().collect()
    }

    /// Compares the hosts after a complete apply with the plan. `again` is a plan with the
    /// same options, made from facts that were gathered after the apply. The outcome is
    /// decided by this comparison, because an action may succeed without having the planned
    /// effect.
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

    /// Whether the only failures, if any, are that hosts had changed since the plan, so
    /// that the user doesn't have to fix anything.
    pub fn is_only_stale(&self) -> bool {
        self.died.is_empty()
            && self.without_effect.is_empty()
            && self.failed.values().all(|failure| matches!(failure.what, Wrong::Differs(_)))
    }

    /// Whether a host was lost. Its lock ends by itself, about a minute later.
    pub fn has_lost_hosts(&self) -> bool {
        self.failed.values().any(|failure| matches!(failure.what, Wrong::Host(_)))
    }

    /// Whether the hosts are now in the state that the plan leads to.
    pub fn is_complete(&self, plan: &Plan) -> bool {
        self.failed_hosts().is_empty() && self.skipped_changes(plan).is_empty()
    }
}
