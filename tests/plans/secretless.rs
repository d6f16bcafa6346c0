//! A plan without the folder's secrets says the same as the plan with them, except where it says
//! that it couldn't compare.

use crate::case::World;
use spore_drive::diff::{Change, FileChange, Reason, ServiceChange};
use spore_drive::identity::ValidationKeys;
use spore_drive::network::{Keeper, Network, Secret};
use spore_drive::plan::Plan;
use spore_drive::resource::{HostName, ResourceId, ResourceKey};
use std::collections::BTreeSet;

/// Checks this for a folder whose secrets are elsewhere, with and without the ids of its nodes.
///
/// # Errors
/// If the plan says something else.
pub(crate) fn hold(world: &World) -> Result<(), String> {
    if world.options.retire.is_some() {
        return Ok(());
    }
    let probed = world.planner.hosts().keys().map(|name| (name.clone(), world.probe(name))).collect();
    let whole = world.planner.plan(&probed).unwrap();
    for has_ids in [true, false] {
        let without = world.of(without_secrets(&world.network, has_ids));
        let plan = without.planner.plan(&probed).unwrap();
        says_nothing_else(&whole, &plan)
            .and_then(|()| concludes_nothing(&whole, &plan))
            .map_err(|what| format!("without secrets (ids are known: {has_ids}): {what}"))?;
        let has_payload =
            |key: &str| without.desired().payloads.keys().any(|source| format!("{source:?}").contains(key));
        if has_payload("Swarm") || has_payload("ValidationPrivate") || has_payload("Rendered") {
            return Err("a file without its secret could be sent to a host".to_owned());
        }
    }
    Ok(())
}

fn says_nothing_else(whole: &Plan, plan: &Plan) -> Result<(), String> {
    let known: BTreeSet<&ResourceId> = plan.uncompared.iter().map(|found| &found.id).collect();
    let is_planned =
        |host: &HostName| !whole.unplanned.contains_key(host) && !plan.unplanned.contains_key(host);
    if let Some(host) = plan.unplanned.keys().find(|host| !whole.unplanned.contains_key(*host)) {
        return Err(format!("{host} isn't planned: {:?}", plan.unplanned[host]));
    }
    for (id, change) in plan.changes.iter().filter(|(id, _)| is_planned(&id.host)) {
        let Some(expected) = whole.changes.get(id) else { return Err(format!("{id:?} is changed")) };
        let is_part = match (change, expected) {
            (Change::File(found), Change::File(expected)) => is_part_of(found, expected),
            _ => true,
        };
        // A service whose restart depends on a secret may only have to be enabled.
        let is_service = matches!(change, Change::Service(_));
        if !is_part || !is_service && change.kind() != expected.kind() {
            return Err(format!("{id:?} is changed to {change:?} instead of {expected:?}"));
        }
    }
    for (id, change) in whole.changes.iter().filter(|(id, _)| is_planned(&id.host)) {
        let reads_unknown = |change: &ServiceChange| {
            change.reasons.iter().any(|reason| match reason {
                Reason::Input { path, .. } => {
                    let file = ResourceKey::File(path.clone());
                    known.contains(&ResourceId { host: id.host.clone(), key: file })
                }
                _ => false,
            })
        };
        let is_explained = plan.changes.get(id).is_some()
            || known.contains(id)
            || matches!(change, Change::Service(change) if reads_unknown(change));
        if !is_explained {
            return Err(format!("nothing is said about {id:?}: {change:?}"));
        }
    }
    Ok(())
}

/// Nothing is concluded from what isn't available.
fn concludes_nothing(whole: &Plan, plan: &Plan) -> Result<(), String> {
    if !plan.moving.is_subset(&whole.moving) {
        return Err(format!("these elders move: {:?}", plan.moving));
    }
    let known = format!("{:?}{:?}", whole.notes, whole.refusals);
    let notes = plan.notes.iter().map(|note| format!("{note:?}"));
    let mut said = notes.chain(plan.refusals.iter().map(|refusal| format!("{refusal:?}")));
    said.find(|said| !known.contains(said)).map_or(Ok(()), |said| Err(format!("it says {said}")))
}

fn is_part_of(found: &FileChange, expected: &FileChange) -> bool {
    (!found.rewritten || expected.rewritten)
        && found.fields.iter().all(|field| expected.fields.contains(field))
}

/// The same folder without its secrets.
fn without_secrets(network: &Network, has_ids: bool) -> Network {
    let mut network = network.clone();
    network.swarm_key.value = Secret::Elsewhere;
    network.domain.validation.value = match network.domain.validation.here() {
        Some(keys) if has_ids => {
            Secret::Here(ValidationKeys::new(None, Some(keys.public().as_bytes())).unwrap())
        }
        _ => Secret::Elsewhere,
    };
    for node in network.hosts.values_mut().flat_map(|host| host.nodes.values_mut()) {
        node.key = None;
        node.keeper = Keeper::Unknown;
        node.id = node.id.take().filter(|_| has_ids);
    }
    if let Some(key) = network.tenancy.as_mut().and_then(|tenancy| tenancy.app.as_mut()?.key.as_mut()) {
        key.value = Secret::Elsewhere;
    }
    if let Some(accounts) = &mut network.accounts {
        *accounts = Secret::Elsewhere;
    }
    network
}
