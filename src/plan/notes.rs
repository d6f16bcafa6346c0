//! What a person should know before agreeing to a plan, and why one is refused.

use super::{
    Found, Group, Last, NodePlan, Note, Options, Plan, Rank, Refusal, Rotation, desired_nodes, elders, order,
};
use crate::desired::Desired;
use crate::diff::{Change, Reason, Verb};
use crate::resource::{Edge, Graph, HostName, Key, Node, NodeName, Resource, ResourceId};
use crate::tau;
use std::collections::BTreeSet;

pub(super) fn notes(plan: &mut Plan, desired: &Desired, silent: &BTreeSet<&HostName>, moves_all: bool) {
    let elders: Vec<&Node> = elders(desired).map(|(_, node)| node).collect();
    let hosts: BTreeSet<&HostName> = elders.iter().map(|node| &node.name.host).collect();
    let unknown = |host: &&&HostName| silent.contains(**host) || plan.unplanned.contains_key(**host);
    let unknown: Vec<Note> =
        hosts.iter().filter(unknown).map(|host| Note::ElderUnplanned((*host).clone())).collect();
    plan.notes.extend(unknown);
    let dials = plan.waves.iter().any(|wave| wave.rank.dials());
    let has_elder = || elders.iter().filter_map(|node| plan.nodes.get(&node.name)).any(NodePlan::comes_up);
    if dials && !elders.is_empty() && !has_elder() {
        plan.notes.push(Note::NoElderUp);
    }
    match plan.rotation {
        Some(Rotation::Begins) => plan.notes.push(Note::Split),
        Some(Rotation::Finishes) => {
            plan.notes.push(Note::SplitUntilNow(plan.unplanned.keys().cloned().collect()));
        }
        None => {
            if let [node] = elders[..]
                && plan.waves.iter().any(|wave| wave.rank == Rank::UpdateBootstrap)
            {
                plan.notes.push(Note::NoElder(node.name.clone()));
            } else if moves_all {
                plan.notes.push(Note::EldersMove);
            }
        }
    }
    let kept = plan.last.iter().filter(|last| last.group != Group::Elders).cloned().map(Note::Kept);
    plan.notes.extend(kept.collect::<Vec<_>>());
}

/// The bootstrap nodes, if all of them will be dialed at a new address or under a new
/// peer id; empty if at least one stays reachable as before.
pub(super) fn moved_elders(desired: &Desired, changes: &Graph<Change>) -> BTreeSet<NodeName> {
    let moves = |id: &ResourceId| match changes.get(id) {
        Some(Change::Service(service)) => service.reasons.iter().any(|reason| match reason {
            Reason::Input { fields, .. } => fields.iter().any(|field| tau::is_dialed_by(&field.path)),
            Reason::Unknown(_) | Reason::Failing(_) => false,
        }),
        _ => false,
    };
    if elders(desired).any(|(id, _)| !moves(id)) {
        return BTreeSet::new();
    }
    elders(desired).map(|(_, node)| node.name.clone()).collect()
}

/// Whether a node's process is started or restarted.
pub(super) fn is_touched(node: &NodeName, changes: &Graph<Change>) -> bool {
    let id = ResourceId { host: node.host.clone(), key: Key::Service(tau::unit_name(&node.shape)) };
    match changes.get(&id) {
        Some(Change::Service(service)) => matches!(service.verb, Some(Verb::Start | Verb::Restart)),
        _ => false,
    }
}

/// See [`Plan::last`]. During a rotation all nodes go down anyway.
pub(super) fn last(plan: &Plan, changes: &Graph<Change>) -> Vec<Last> {
    let going: BTreeSet<&NodeName> = order::going(changes).map(|(_, node)| node).collect();
    let wanted: Vec<(&NodeName, &NodePlan)> =
        plan.nodes.iter().filter(|(name, _)| !going.contains(name)).collect();
    let rotates = |part: &NodePlan| {
        part.wave.and_then(|wave| plan.waves.get(wave - 1)).is_some_and(|wave| wave.rank.is_rotation())
    };
    let taken =
        wanted.iter().filter(|(_, part)| part.wave.is_some() && part.found != Found::Down && !rotates(part));
    let mut last = Vec::new();
    for (node, part) in taken {
        let elders = part.bootstrap.then_some(Group::Elders);
        for group in elders.into_iter().chain([Group::Shape(node.shape.clone())]) {
            let others = wanted.iter().filter(|(other, part)| {
                other != node
                    && match &group {
                        Group::Elders => part.bootstrap,
                        Group::Shape(shape) => other.shape == *shape,
                    }
            });
            let (healthy, down): (Vec<_>, Vec<_>) = others.partition(|(_, part)| part.comes_up());
            if healthy.is_empty() && !down.is_empty() {
                let down = down.into_iter().map(|(other, _)| (*other).clone()).collect();
                last.push(Last { node: (*node).clone(), group, down });
                break;
            }
        }
    }
    last
}

pub(super) fn refusals(
    plan: &mut Plan,
    options: &Options,
    desired: &Desired,
    grounded: &Graph<Resource>,
    (all, kept): (&Graph<Change>, &Graph<Change>),
    moved: &BTreeSet<NodeName>,
) {
    if options.targets.is_empty() {
        if plan.rotation == Some(Rotation::Begins) && !plan.unplanned.is_empty() {
            plan.refusals.push(Refusal::RotationWithout(plan.unplanned.keys().cloned().collect()));
        }
        return;
    }
    let touched: Vec<(&ResourceId, &Node)> =
        desired_nodes(desired).filter(|(_, node)| is_touched(&node.name, kept)).collect();
    // A node that is started now reads the new secret, and can't talk to those with the old one.
    if plan.rotation.is_some() || !touched.is_empty() && !order::together(all, grounded).is_empty() {
        plan.refusals.push(Refusal::PartialRotation);
    }
    let moves = touched.iter().filter(|(_, node)| moved.contains(&node.name)).count();
    if moved.is_empty() || touched.is_empty() {
        return;
    }
    if moves == 0 {
        plan.refusals.push(Refusal::WithoutElders(moved.iter().cloned().collect()));
    } else if moves == moved.len() {
        let left_out: Vec<NodeName> = desired_nodes(desired)
            .filter(|(id, node)| {
                let dials = || desired.goals.before(id).iter().any(|(_, edge)| *edge == Edge::Dials);
                dials() && !is_touched(&node.name, kept)
            })
            .map(|(_, node)| node.name.clone())
            .collect();
        if !left_out.is_empty() {
            plan.refusals.push(Refusal::WithoutMembers(left_out));
        }
    }
}
