//! The notes of a plan, the reasons to refuse it, and the nodes that it would take down
//! although they are the last healthy ones of their groups.

use super::planner::{desired_nodes, elders};
use super::reach::Reach;
use super::scheduler::Scheduler;
use super::{Found, Group, Last, NodePlan, Note, Options, Plan, Rank, Refusal, Rotation, order};
use crate::desired::Desired;
use crate::diff::{Change, Verb};
use crate::resource::{ByHost, HostName, Node, NodeName, ResourceId, ResourceKey};
use std::collections::BTreeSet;

pub(super) fn notes(
    plan: &mut Plan,
    desired: &Desired,
    silent: &BTreeSet<&HostName>,
    reach: &Reach<'_>,
    cuts_off: bool,
) {
    let lost = reach.lost();
    if !lost.is_empty() {
        plan.notes.push(Note::CutOff(lost.into_iter().collect()));
    }
    let elders: Vec<&Node> = elders(desired).map(|(_, node)| node).collect();
    let hosts: BTreeSet<&HostName> = elders.iter().map(|node| &node.name.host).collect();
    let unknown = |host: &&&HostName| silent.contains(**host) || plan.unplanned.contains_key(**host);
    let unknown: Vec<Note> =
        hosts.iter().filter(unknown).map(|host| Note::ElderUnplanned((*host).clone())).collect();
    plan.notes.extend(unknown);
    let dials = plan.waves.iter().any(|wave| wave.rank.dials());
    let can_be_dialled = |node: &&Node| {
        let is_there = |part: &NodePlan| part.wave.is_some() || !plan.moving.contains(&node.name);
        plan.nodes.get(&node.name).is_some_and(|part| part.comes_up() && is_there(part))
    };
    let has_elder = || elders.iter().any(can_be_dialled);
    let is_refused = plan.refusals.iter().any(|refusal| matches!(refusal, Refusal::WithoutElders(_)));
    if dials && !elders.is_empty() && !has_elder() && !is_refused {
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
            } else if cuts_off && plan.refusals.is_empty() {
                plan.notes.push(Note::EldersMove);
            }
        }
    }
    let kept = plan.last.iter().filter(|last| last.group != Group::Elders).cloned().map(Note::Kept);
    plan.notes.extend(kept.collect::<Vec<_>>());
}

/// Whether the changes start or restart a node.
pub(super) fn is_touched(node: &NodeName, changes: &ByHost<Change>) -> bool {
    let id = ResourceId { host: node.host.clone(), key: ResourceKey::Service(node.unit()) };
    match changes.get(&id) {
        Some(Change::Service(service)) => matches!(service.verb, Some(Verb::Start | Verb::Restart)),
        _ => false,
    }
}

/// The nodes of [`Plan::last`].
///
/// They are found by a simulated apply ([`Scheduler::foresee`]), which skips the last
/// healthy node of a group. An elder that was skipped is added to the list of elders that
/// the user has to agree to, and the apply is simulated again with this list. With that
/// elder's turn, the simulation may get further and skip other nodes, so this is repeated
/// until no elder is skipped. The other nodes that the last simulation has skipped are
/// added to the result; an apply skips them as well.
pub(super) fn last(plan: &Plan, changes: &ByHost<Change>) -> Vec<Last> {
    let may_be_down = |part: &NodePlan| match part.found {
        Found::Healthy | Found::Replaces => false,
        Found::Down => part.wave.is_none(),
        Found::Unproven | Found::Deaf => true,
    };
    // Simulating an apply takes time, and is needed only if a node may be down during the
    // apply.
    if !plan.nodes.values().any(may_be_down) {
        return Vec::new();
    }
    let going: BTreeSet<&NodeName> = order::going(changes).map(|(_, node)| node).collect();
    let mut agreed: Vec<Last> = Vec::new();
    loop {
        let found = Scheduler::foresee(plan, &going, &agreed);
        let (elders, others): (Vec<Last>, Vec<Last>) =
            found.into_iter().partition(|last| last.group == Group::Elders);
        if elders.is_empty() {
            agreed.extend(others);
            return agreed;
        }
        agreed.extend(elders);
    }
}

/// Adds the reasons to refuse a plan. `rotates` says whether a node, target or not, runs
/// with another version of a secret that all nodes must have at the same time.
pub(super) fn refusals(
    plan: &mut Plan,
    options: &Options,
    desired: &Desired,
    rotates: bool,
    changes: &ByHost<Change>,
    reach: &Reach<'_>,
) {
    for (node, other) in reach.twins() {
        plan.refusals.push(Refusal::Twins { node, other });
    }
    if options.targets.is_empty() {
        if plan.rotation == Some(Rotation::Begins) && !plan.unplanned.is_empty() {
            plan.refusals.push(Refusal::RotationWithout(plan.unplanned.keys().cloned().collect()));
        }
        return;
    }
    // A node that is started now reads the new secret, and can't communicate with the nodes
    // that have the old one.
    let touches = || desired_nodes(desired).any(|(_, node)| is_touched(&node.name, changes));
    if plan.rotation.is_some() || rotates && touches() {
        plan.refusals.push(Refusal::PartialRotation);
    }
    let (elders, members) = reach.stranded();
    if !elders.is_empty() {
        plan.notes.push(Note::Alone(elders.into_iter().collect()));
    }
    if !members.is_empty() {
        plan.refusals.push(Refusal::WithoutElders(plan.moving.iter().cloned().collect()));
    }
    let left_out: Vec<NodeName> =
        reach.cut_off().into_iter().filter(|node| !is_touched(node, changes)).collect();
    if !left_out.is_empty() {
        plan.refusals.push(Refusal::WithoutMembers(left_out));
    }
}
