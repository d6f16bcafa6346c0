//! One host's part of a plan, from its goals and its facts alone.
//!
//! Nothing here looks at another host, so that hosts can be planned at the same time; what
//! concerns several is decided afterwards, from the parts of all of them.

use super::retire::{self, Remainder, Retirement};
use super::{Options, Overridden, obstacles, order, target};
use crate::desired::Desired;
use crate::diff::{Change, Grounded, Obstacle, Terms, compare, ground};
use crate::facts::{Conditions, Facts, interpret};
use crate::resource::{DigestKey, Graph, HostName, Printable, Resource, ResourceId, ResourceKey};

/// A host, before it is brought together with the others.
#[derive(Debug)]
pub(super) struct HostPart {
    pub(super) conditions: Conditions,
    pub(super) desired: Graph<Resource>,
    pub(super) current: Graph<Resource>,
    /// What is to be changed.
    pub(super) changes: Graph<Change>,
    /// The number of resources that are in place.
    pub(super) unchanged: usize,
    /// Why the host can't be planned.
    pub(super) obstacles: Vec<Obstacle>,
    /// Directives of our unit template that something on the host overrides.
    pub(super) overridden: Vec<Overridden>,
    /// Whether a node runs with another secret than everyone should have at the same time,
    /// whether or not it is a target.
    pub(super) rotates: bool,
    /// In a retirement: what is left alone.
    pub(super) remainder: Option<Remainder>,
}

/// What the parts of all hosts are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common<'a> {
    pub(super) network: &'a str,
    pub(super) desired: &'a Desired,
    pub(super) retirement: Option<&'a Retirement>,
    pub(super) options: &'a Options,
}

impl Common<'_> {
    /// Plans one host. `twins` are the other hosts of the folder with its machine-id.
    pub(super) fn plan(&self, name: &HostName, facts: &Facts, twins: Vec<HostName>) -> HostPart {
        let Self { network, desired: Desired { goals, spellings, digest_keys, .. }, retirement, options } =
            *self;
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
        if digest_keys.get(name).map(DigestKey::fingerprint) != current.asked.key {
            obstacles.push(Obstacle::OtherKey);
        }
        obstacles.extend(obstacles::unreadable(&desired, &current.graph, &current.unwanted));
        let mut overridden = obstacles::foreign(name, &desired, &conditions.foreign, options, &mut obstacles);
        let terms = Terms { spellings, unwanted: &current.unwanted, purge_storage: options.purge_storage };
        let current = current.graph;
        let all = compare(&desired, &current, terms);
        let needed = retirement.map(|retirement| {
            let before = ground(retirement.before.of(name).unwrap_or(&none), &conditions).desired;
            let pending = compare(&before, &current, terms);
            retire::narrow(*name == retirement.what.host, &all, &pending, &before, &desired)
        });
        // A retirement does nothing about other nodes, and says nothing of them.
        overridden.retain(|_| needed.is_none());
        let made = needed.as_ref().map_or(&all, |(changes, _)| changes);
        obstacles.extend(obstacles::no_space(made, conditions.free_bytes));
        let rotates = !order::together(made, &desired).is_empty();
        // Every host is asked, but only those that a target may select are part of the plan.
        let is_target = options.may_select(name);
        obstacles.retain(|_| is_target);
        let is_planned = obstacles.is_empty();
        overridden.retain(|_| is_planned);
        let (mut changes, mut unchanged, mut remainder) = (Graph::default(), 0, None);
        if is_planned {
            changes = target::narrow(made, &desired, &options.targets);
            remainder = needed.as_ref().map(|(changes, remainder)| remainder.unstaged(changes));
        }
        if is_planned && is_target {
            let is_overridden = |key: &ResourceKey| {
                overridden
                    .iter()
                    .any(|found| matches!(key, ResourceKey::Service(unit) if *unit == found.unit))
            };
            // What isn't known, or isn't what is wanted, doesn't count as in place.
            let in_place = |id: &ResourceId| all.get(id).is_none() && !is_overridden(&id.key);
            unchanged = desired.iter().filter(|(id, _)| in_place(id)).count();
        }
        HostPart {
            conditions,
            desired,
            current,
            changes,
            unchanged,
            obstacles,
            overridden,
            rotates,
            remainder,
        }
    }
}
