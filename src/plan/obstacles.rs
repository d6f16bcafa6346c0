//! Obstacles that come from comparing what was found on the hosts with the scope of the
//! plan, rather than from the goals of a host.

use super::{Options, Overridden, Selector};
use crate::daemon::Daemon;
use crate::diff::{Change, Obstacle};
use crate::facts::{self, Asked, Facts, Unwanted};
use crate::resource::{
    Activity, Content, Graph, HostName, Printable, Resource, ResourceId, ResourceKey, Sha256,
};
use std::collections::BTreeMap;

/// Hosts in the folder that are the same machine: each apply would undo for one of them
/// what it did for the other. By host, the others.
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

/// Something that the folder wants and that the host wasn't asked about. It may be there.
pub(super) fn never_asked(desired: &Graph<Resource>, asked: &Asked) -> Option<Obstacle> {
    let (id, _) = desired.iter().find(|(id, _)| !asked.covers(&id.key))?;
    Some(Obstacle::NeverAsked(Printable::line(&id.key.to_string())))
}

/// Resources that couldn't be read and that the plan depends on.
pub(super) fn unreadable(
    desired: &Graph<Resource>,
    current: &Graph<Resource>,
    unwanted: &BTreeMap<ResourceKey, Unwanted>,
) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    let is_unreadable = |id: &ResourceId| matches!(current.get(id), Some(Resource::Unreadable { .. }));
    // If a directory isn't one, its contents aren't reported as well.
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
                Some(Unwanted::Unclear(why)) => {
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

/// Changes by hosts' owners to the units of nodes in this plan: obstacles, and overridden
/// directives.
pub(super) fn foreign(
    host: &HostName,
    desired: &Graph<Resource>,
    foreign: &[facts::Foreign],
    options: &Options,
    obstacles: &mut Vec<Obstacle>,
) -> Vec<Overridden> {
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
            facts::Overridden::Directive(directive) => {
                let directive = directive.clone();
                overridden.push(Overridden { host: host.clone(), unit: name, directive, file });
                continue;
            }
            facts::Overridden::Fragment => Obstacle::ForeignFragment { unit: shown, file },
            facts::Overridden::Program(program) => {
                Obstacle::ForeignProgram { unit: shown, program: program.clone(), file }
            }
        };
        obstacles.push(obstacle);
    }
    overridden
}

/// For a while, new files exist next to the old ones.
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
