//! Plans one host from its goals and its facts alone: [`HostPlanner::plan`].
//!
//! Nothing here depends on other hosts' facts, except for the list of hosts that are the
//! same machine, so hosts can be planned in parallel. `planner` then decides what concerns
//! several hosts.

use super::retire::{self, Remainder, Retirement};
use super::{Downloads, Options, OverriddenDirective, obstacles, order, target};
use crate::desired::Desired;
use crate::diff::{Change, CompareOptions, Grounded, Obstacle, Uncompared, compare, ground, uncompared};
use crate::facts::receipt::Receipt;
use crate::facts::{Conditions, Facts, interpret};
use crate::resource::{DigestKey, Graph, HostName, Printable, Resource, ResourceId, ResourceKey};
use std::collections::BTreeSet;

/// A host's part of a plan.
#[derive(Debug)]
pub(super) struct HostPart {
    pub(super) conditions: Conditions,
    pub(super) desired: Graph<Resource>,
    pub(super) current: Graph<Resource>,
    /// The changes that the plan makes.
    pub(super) changes: Graph<Change>,
    /// The number of resources that are in place.
    pub(super) unchanged: usize,
    /// Why the host can't be planned.
    pub(super) obstacles: Vec<Obstacle>,
    /// What can't be compared, because secrets aren't available.
    pub(super) uncompared: Vec<Uncompared>,
    /// Directives of our unit template that something on the host overrides.
    pub(super) overridden: Vec<OverriddenDirective>,
    /// Whether a node, target or not, runs with another version of a secret that all nodes
    /// must have at the same time.
    pub(super) rotates: bool,
    /// In a retirement, what is left alone.
    pub(super) remainder: Option<Remainder>,
    /// What the last apply has left, as far as the host says so.
    pub(super) receipt: Option<Receipt>,
    /// The differences between the two states, whether the plan changes them or not.
    pub(super) differing: BTreeSet<ResourceId>,
}

/// What the plans of all hosts have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostPlanner<'a> {
    pub(super) network: &'a str,
    pub(super) desired: &'a Desired,
    pub(super) retirement: Option<&'a Retirement>,
    pub(super) options: &'a Options,
    pub(super) downloads: &'a Downloads,
}

impl HostPlanner<'_> {
    /// Plans one host. `twins` are the folder's other hosts that have the same machine ID.
    pub(super) fn plan(&self, name: &HostName, facts: &Facts, twins: Vec<HostName>) -> HostPart {
        let Self { network, desired, retirement, options, downloads } = *self;
        let Desired { goals, spellings, digest_keys, .. } = desired;
        let none = Graph::default();
        let current = interpret(name, facts);
        let conditions = current.conditions;
        let Grounded { desired, mut obstacles } = ground(goals.of(name).unwrap_or(&none), &conditions);
        let others: Vec<_> =
            conditions.networks.iter().filter(|name| name.as_str() != network).cloned().collect();
        if !others.is_empty() && !options.take_over {
            obstacles.push(Obstacle::OtherNetwork(Printable::line(&others.join(", "))));
        }
        if !twins.is_empty() {
            obstacles.push(Obstacle::SameMachine(twins));
        }
        obstacles.extend(obstacles::never_asked(&desired, &current.asked));
        let key = digest_keys.get(name).map(DigestKey::fingerprint);
        // Without keys, digests aren't compared at all.
        if !digest_keys.is_empty() && (key.is_none() || key != current.asked.key) {
            obstacles.push(Obstacle::OtherKey);
        }
        obstacles.extend(obstacles::ports(&desired, &current.graph, &conditions));
        obstacles.extend(obstacles::unreadable(&desired, &current.graph, &current.unwanted));
        let mut overridden = obstacles::foreign(name, &desired, &conditions.foreign, options, &mut obstacles);
        let unwanted = current.unwanted;
        let terms = CompareOptions { spellings, unwanted: &unwanted, purge_storage: options.purge_storage };
        let receipt = current.receipt.filter(|receipt| receipt.is_of(network));
        let current = current.graph;
        let all = compare(&desired, &current, terms);
        let needed = retirement.map(|retirement| {
            let before = ground(retirement.before.of(name).unwrap_or(&none), &conditions).desired;
            let pending = compare(&before, &current, terms);
            retire::narrow(*name == retirement.what.host, &all, &pending, &before, &desired)
        });
        // A retirement ignores the other differences of units, so it doesn't report these
        // either.
        overridden.retain(|_| needed.is_none());
        let made = needed.as_ref().map_or(&all, |(changes, _)| changes);
        obstacles.extend(obstacles::no_space(made, conditions.free_bytes));
        obstacles.extend(obstacles::no_memory(made, &desired, &conditions));
        let rotates = !order::together(made, &desired).is_empty();
        // Every host is probed, but only hosts that a target may select are part of the
        // plan.
        let is_target = options.may_select(name);
        obstacles.retain(|_| is_target);
        let is_planned = obstacles.is_empty();
        overridden.retain(|_| is_planned);
        let (mut changes, mut unchanged, mut remainder) = (Graph::default(), 0, None);
        let mut uncompared = uncompared(&desired, &current, &unwanted);
        uncompared.retain(|_| is_planned && is_target);
        if is_planned {
            changes = target::narrow(made, &desired, &options.targets, downloads);
            remainder = needed.as_ref().map(|(changes, remainder)| remainder.unstaged(changes, downloads));
        }
        if is_planned && is_target {
            let is_overridden = |key: &ResourceKey| {
                overridden
                    .iter()
                    .any(|found| matches!(key, ResourceKey::Service(unit) if *unit == found.unit))
            };
            // A resource with a difference doesn't count as in place, even if the plan
            // doesn't change it.
            let is_compared = |id: &ResourceId| uncompared.iter().all(|found| found.id != *id);
            let in_place =
                |id: &ResourceId| all.get(id).is_none() && !is_overridden(&id.key) && is_compared(id);
            unchanged = desired.iter().filter(|(id, _)| in_place(id)).count();
        }
        HostPart {
            conditions,
            desired,
            current,
            changes,
            unchanged,
            obstacles,
            uncompared,
            overridden,
            rotates,
            remainder,
            receipt,
            differing: all.iter().map(|(id, _)| id.clone()).collect(),
        }
    }
}
