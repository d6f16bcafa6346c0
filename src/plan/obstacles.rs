//! Obstacles to planning a host that become visible only when its facts are compared with
//! the scope of the plan or with other hosts. `diff` reports the obstacles to the host's
//! goals.

use super::{Options, OverriddenDirective, Selector};
use crate::daemon::{Daemon, resolver};
use crate::diff::{Change, Obstacle, Verb};
use crate::facts::{self, Asked, Conditions, Facts, PortOwner, RemovalRule};
use crate::resource::{
    Activity, Content, Document, Graph, HostName, Port, Printable, Resource, ResourceId, ResourceKey, Sha256,
};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// By host, the other hosts of the folder that are the same machine. They can't be planned,
/// because every apply would undo for one of them what it does for the other.
pub(super) fn same_machine<'a>(hosts: &[(&'a HostName, &Facts)]) -> BTreeMap<&'a HostName, Vec<HostName>> {
    let mut machines: BTreeMap<Sha256, Vec<&HostName>> = BTreeMap::new();
    for (host, facts) in hosts {
        if let Some(machine) = facts.machine {
            machines.entry(machine).or_default().push(host);
        }
    }
    let mut same = BTreeMap::new();
    for hosts in machines.into_values().filter(|hosts| hosts.len() > 1) {
        for host in &hosts {
            let others = hosts.iter().filter(|other| *other != host).map(|other| (*other).clone());
            same.insert(*host, others.collect());
        }
    }
    same
}

/// An obstacle if the host wasn't asked about a desired resource. The resource may exist,
/// so it mustn't be taken for absent.
pub(super) fn never_asked(desired: &Graph<Resource>, asked: &Asked) -> Option<Obstacle> {
    let (id, _) = desired.iter().find(|(id, _)| !asked.covers(&id.key))?;
    Some(Obstacle::NeverAsked(Printable::line(&id.key.to_string())))
}

/// Obstacles for the resources that couldn't be read or understood, and for masked units
/// that the host should run.
pub(super) fn unreadable(
    desired: &Graph<Resource>,
    current: &Graph<Resource>,
    unwanted: &BTreeMap<ResourceKey, RemovalRule>,
) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    let is_unreadable = |id: &ResourceId| matches!(current.get(id), Some(Resource::Unreadable { .. }));
    // If the path of a directory can't be read as one, its contents aren't reported as
    // well.
    let is_told = |id: &ResourceId| {
        let above =
            id.key.path().into_iter().flat_map(|path| path.match_indices('/').map(|(end, _)| &path[..end]));
        above.filter(|path| !path.is_empty()).any(|path| {
            is_unreadable(&ResourceId { host: id.host.clone(), key: ResourceKey::Directory(path.to_owned()) })
        })
    };
    for (id, resource) in current.iter() {
        let obstacle = match resource {
            Resource::Unreadable { .. } if is_told(id) => continue,
            Resource::Unreadable { why } => {
                Obstacle::Unreadable { path: Printable::line(&id.key.to_string()), why: why.clone() }
            }
            Resource::File(_) if desired.get(id).is_none() => match unwanted.get(&id.key) {
                Some(RemovalRule::Unclear(why)) => {
                    Obstacle::Unreadable { path: Printable::line(&id.key.to_string()), why: why.clone() }
                }
                _ => continue,
            },
            Resource::Service(service)
                if service.activity == Activity::Masked && desired.get(id).is_some() =>
            {
                Obstacle::Masked(Printable::line(&id.key.to_string()))
            }
            _ => continue,
        };
        obstacles.push(obstacle);
    }
    obstacles
}

/// Checks how the host's owner has modified the units of nodes in this plan. Returns the
/// overridden directives, and adds an obstacle for each modification that spore can't work
/// with.
pub(super) fn foreign(
    host: &HostName,
    desired: &Graph<Resource>,
    foreign: &[facts::Foreign],
    options: &Options,
    obstacles: &mut Vec<Obstacle>,
) -> Vec<OverriddenDirective> {
    let mut overridden = Vec::new();
    for facts::Foreign { unit, file, what } in foreign {
        let id = ResourceId { host: host.clone(), key: ResourceKey::Service(unit.clone()) };
        let is_selected = |target: &Selector| {
            let shape = Daemon::of_unit(unit).map(|(_, shape)| shape);
            target.may_select(host) && target.shape.as_ref().is_none_or(|name| Some(name) == shape.as_ref())
        };
        if desired.get(&id).is_none()
            || !options.targets.is_empty() && !options.targets.iter().any(is_selected)
        {
            continue;
        }
        let (name, file) = (unit.clone(), file.clone());
        let shown = Printable::line(&name);
        let obstacle = match what {
            facts::ForeignPart::Directive(directive) => {
                let directive = directive.clone();
                overridden.push(OverriddenDirective { host: host.clone(), unit: name, directive, file });
                continue;
            }
            facts::ForeignPart::Fragment => Obstacle::ForeignFragment { unit: shown, file },
            facts::ForeignPart::Program(program) => {
                Obstacle::ForeignProgram { unit: shown, program: program.clone(), file }
            }
        };
        obstacles.push(obstacle);
    }
    overridden
}

/// An obstacle if the disk has too little space for the new files, which are staged next to
/// the old ones.
pub(super) fn no_space(changes: &Graph<Change>, free: u64) -> Option<Obstacle> {
    let size = |change: &Change| match change {
        Change::File(change) if change.rewritten => match change.after.content {
            Content::Blob { size, .. } => size,
            _ => None,
        },
        _ => None,
    };
    let needed: u64 = changes.iter().filter_map(|(_, change)| size(change)).sum();
    (free < needed).then_some(Obstacle::NoSpace { needed, free })
}

/// Obstacles for the ports that the host's nodes need and that something else holds. Another
/// node isn't an obstacle: the plan removes it or changes its port, or `check` has found the
/// clash. Nor is the resolver, which the plan moves away from its port.
pub(super) fn ports(
    desired: &Graph<Resource>,
    current: &Graph<Resource>,
    conditions: &Conditions,
) -> Vec<Obstacle> {
    let owners = &conditions.surroundings.owners;
    let is_up = |id: &ResourceId| matches!(current.get(id), Some(Resource::Service(service)) if service.activity.started().is_some());
    let any_up = current.iter().any(|(id, _)| unit_of_node(id).is_some() && is_up(id));
    let mut obstacles = Vec::new();
    for (id, unit, config) in nodes(desired) {
        for (port, loopback_only) in binds(config) {
            let in_the_way = |address: &IpAddr| {
                !loopback_only || address.to_canonical().is_loopback() || address.is_unspecified()
            };
            let mut holders = owners.iter().filter(|owner| owner.port == port && in_the_way(&owner.address));
            if holders.clone().any(|owner| owner.unit.as_str() == unit) {
                continue;
            }
            let is_foreign = |owner: &&PortOwner| {
                Daemon::of_unit(&owner.unit).is_none() && owner.unit.as_str() != resolver::UNIT
            };
            let is_known = holders.clone().next().is_some();
            let taken = |by| Obstacle::PortTaken { port, unit: Printable::line(unit), by };
            if let Some(owner) = holders.find(is_foreign) {
                obstacles.push(taken(Some(owner.clone())));
                continue;
            }
            let mut listening = conditions.listening.iter();
            let is_taken = listening.any(|(address, found)| {
                *found == port && in_the_way(address) && !resolver::is_stub(*address)
            });
            // While a node runs, the port may be its own. The host tells the owner in any case,
            // unless the process has just ended or isn't visible.
            let is_searched = conditions.surroundings.searched;
            if is_searched && is_taken && !is_known && !is_up(id) && !any_up {
                obstacles.push(taken(None));
            }
        }
    }
    obstacles
}

/// An obstacle if a node is to be started and the host has less memory available than its
/// program takes on the disk. A node needs more than that, so it would not come up, or would
/// push something else out.
pub(super) fn no_memory(
    changes: &Graph<Change>,
    desired: &Graph<Resource>,
    conditions: &Conditions,
) -> Option<Obstacle> {
    let starts = changes.iter().any(|(id, change)| {
        unit_of_node(id).is_some()
            && matches!(change, Change::Service(service) if service.verb == Some(Verb::Start))
    });
    let size = |(id, resource): (&ResourceId, &Resource)| match resource {
        Resource::File(file) if id.key.path().and_then(Daemon::of_program).is_some() => match file.content {
            Content::Blob { size, .. } => size,
            _ => None,
        },
        _ => None,
    };
    // A Go program maps its binary, and its heap needs some more from the beginning.
    let needed = desired.iter().find_map(size)? + (32 << 20);
    let available = conditions.surroundings.memory?.available;
    (starts && available < needed).then_some(Obstacle::NoMemory { needed, available })
}

/// The name of the unit, if it runs a node.
fn unit_of_node(id: &ResourceId) -> Option<&str> {
    match &id.key {
        ResourceKey::Service(unit) => Daemon::of_unit(unit).map(|_| unit.as_str()),
        _ => None,
    }
}

/// The nodes in a desired state, each with its unit and its configuration.
fn nodes(desired: &Graph<Resource>) -> impl Iterator<Item = (&ResourceId, &str, (Daemon, &Document))> {
    desired.iter().filter_map(|(id, _)| {
        let unit = unit_of_node(id)?;
        let (daemon, shape) = Daemon::of_unit(unit)?;
        let config = ResourceKey::File(daemon.config_path(&shape));
        match desired.get(&ResourceId { host: id.host.clone(), key: config })? {
            Resource::File(file) => match &file.content {
                Content::Document(config) => Some((id, unit, (daemon, &**config))),
                _ => None,
            },
            _ => None,
        }
    })
}

fn binds((daemon, config): (Daemon, &Document)) -> impl Iterator<Item = (Port, bool)> {
    daemon.binds(config).into_iter()
}
