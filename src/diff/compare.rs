//! Compares two graphs mechanically.

use super::content::{Difference, difference, needs_restart};
use super::{Change, FileChange, Reason, ServiceChange, Verb};
use crate::desired::Spellings;
use crate::facts::RemovalRule;
use crate::resource::{
    Activity, Content, Edge, Effect, File, Graph, Input, Inputs, Resource, ResourceId, ResourceKey, Service,
    ShapeName, Started, staged_for,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What determines, besides the two states, whether they differ.
#[derive(Clone, Copy, Debug)]
pub struct CompareOptions<'a> {
    /// Which bytes mean the same.
    pub spellings: &'a Spellings,
    /// The conditions under which an unwanted resource is removed, for the resources that
    /// have any.
    pub unwanted: &'a BTreeMap<ResourceKey, RemovalRule>,
    /// Whether the data of removed nodes is removed.
    pub purge_storage: bool,
}

/// Compares the desired state of a host with its current state. Returns a change for every
/// resource that isn't in place, with the desired graph's edges between these resources.
pub fn compare(
    desired: &Graph<Resource>,
    current: &Graph<Resource>,
    terms: CompareOptions<'_>,
) -> Graph<Change> {
    let mut changes = Graph::default();
    let comparison = Comparison { desired, current, spellings: terms.spellings };
    for (id, wanted) in desired.iter() {
        if let Some(change) = comparison.change(id, wanted) {
            changes.insert(id.clone(), change);
        }
    }
    let shapes = shapes(desired);
    for (id, found) in current.iter() {
        if desired.get(id).is_some() || may_be_resumed(id, desired) {
            continue;
        }
        if matches!(found, Resource::Units { fresh: false }) {
            // Reached if an apply was interrupted after it had removed a unit file.
            changes.insert(id.clone(), Change::Units);
        } else if is_ours_to_remove(&id.key, found) && is_removed(&id.key, found, &shapes, terms) {
            changes.insert(id.clone(), Change::Remove(Box::new(found.clone())));
        }
    }
    for (id, _) in desired.iter() {
        for (later, edge) in desired.after(id) {
            changes.connect(id, later, edge.clone());
        }
    }
    reloads(current, &mut changes);
    changes
}

/// The shapes whose nodes are desired on the host.
fn shapes(desired: &Graph<Resource>) -> BTreeSet<&ShapeName> {
    let services = desired.iter().filter_map(|(_, resource)| match resource {
        Resource::Service(service) => service.node.as_ref(),
        _ => None,
    });
    services.map(|node| &node.name.shape).collect()
}

/// Whether an unwanted resource is removed; see [`RemovalRule`].
fn is_removed(
    key: &ResourceKey,
    found: &Resource,
    wanted: &BTreeSet<&ShapeName>,
    terms: CompareOptions<'_>,
) -> bool {
    match terms.unwanted.get(key) {
        None => true,
        Some(RemovalRule::Copy) => {
            matches!(found, Resource::File(file) if terms.spellings.have_secret(&file.sha256))
        }
        Some(RemovalRule::Node(shape)) => !wanted.contains(shape),
        Some(RemovalRule::Data(shapes)) => {
            terms.purge_storage && !shapes.iter().any(|shape| wanted.contains(shape))
        }
        Some(RemovalRule::Host) => wanted.is_empty(),
        // Nothing is removed; a host with such a resource isn't planned.
        Some(RemovalRule::Unclear(_)) => false,
    }
}

/// Adds a reload for each removed unit file, because the service manager forgets a unit
/// file only at a daemon-reload.
fn reloads(current: &Graph<Resource>, changes: &mut Graph<Change>) {
    let removed: Vec<ResourceId> = changes
        .iter()
        .filter(|(_, change)| matches!(change, Change::Remove(_)))
        .map(|(id, _)| id.clone())
        .collect();
    for id in removed {
        for (units, edge) in current.after(&id) {
            if *edge == Edge::Reads(Effect::Reload) {
                changes.insert(units.clone(), Change::Units);
                changes.connect(&id, units, edge.clone());
            }
        }
    }
}

/// Whether a file was staged for a desired file that isn't available. What its name would be isn't
/// known, so the next apply may use it.
pub(super) fn may_be_resumed(id: &ResourceId, desired: &Graph<Resource>) -> bool {
    let Some(path) = id.key.path().and_then(staged_for) else { return false };
    let id = ResourceId { host: id.host.clone(), key: ResourceKey::File(path) };
    matches!(desired.get(&id), Some(Resource::File(file)) if !file.is_available())
}

/// Whether spore may remove a resource of this kind. Directories, packages and links stay,
/// because other software may have come to rely on them, and so do units that run no node.
fn is_ours_to_remove(key: &ResourceKey, found: &Resource) -> bool {
    match found {
        Resource::File(_) => matches!(key, ResourceKey::File(_)),
        Resource::Rule { .. } | Resource::Storage { .. } => true,
        Resource::Service(service) => service.node.is_some(),
        Resource::Package { .. }
        | Resource::Directory(_)
        | Resource::Link(_)
        | Resource::Units { .. }
        | Resource::Unreadable { .. } => false,
    }
}

/// The two states of a host.
#[derive(Clone, Copy)]
struct Comparison<'a> {
    desired: &'a Graph<Resource>,
    current: &'a Graph<Resource>,
    spellings: &'a Spellings,
}

impl Comparison<'_> {
    fn change(&self, id: &ResourceId, wanted: &Resource) -> Option<Change> {
        let Self { desired, current, spellings } = *self;
        let found = current.get(id);
        match wanted {
            Resource::Package { .. } => {
                (found != Some(wanted)).then(|| Change::Package { unfinished: found.is_some() })
            }
            Resource::Rule { .. } => (found != Some(wanted)).then_some(Change::Rule),
            Resource::Units { .. } => {
                let stale = !matches!(found, Some(Resource::Units { fresh: true }))
                    || desired.before(id).iter().any(|(file, edge)| {
                        **edge == Edge::Reads(Effect::Reload)
                            && matches!(
                                desired.get(file).and_then(|wanted| self.change(file, wanted)),
                                Some(Change::File(change)) if change.rewritten
                            )
                    });
                stale.then_some(Change::Units)
            }
            Resource::Directory(after) => match found {
                Some(Resource::Directory(before)) if before == after => None,
                Some(Resource::Directory(before)) => {
                    Some(Change::Directory { before: Some(before.clone()), after: after.clone() })
                }
                _ => Some(Change::Directory { before: None, after: after.clone() }),
            },
            Resource::Link(after) => match found {
                Some(Resource::Link(before)) if before == after => None,
                Some(Resource::Link(before)) => {
                    Some(Change::Link { before: Some(before.clone()), displaces: None, after: after.clone() })
                }
                found => {
                    let displaces = match found {
                        Some(Resource::File(file)) => Some(file.sha256),
                        _ => None,
                    };
                    Some(Change::Link { before: None, displaces, after: after.clone() })
                }
            },
            Resource::File(after) => {
                file(found, after, spellings).map(|change| Change::File(Box::new(change)))
            }
            Resource::Service(after) => {
                let before = match found {
                    Some(Resource::Service(service)) => Some(&**service),
                    _ => None,
                };
                self.service(id, before, after).map(|change| Change::Service(Box::new(change)))
            }
            // These only occur in a current state.
            Resource::Unreadable { .. } | Resource::Storage { .. } => None,
        }
    }

    fn service(&self, id: &ResourceId, before: Option<&Service>, after: &Service) -> Option<ServiceChange> {
        let enable = after.enabled && !before.is_some_and(|before| before.enabled);
        let (verb, reasons) = match before.map(|before| &before.activity) {
            None | Some(Activity::Stopped | Activity::Masked) => (Some(Verb::Start), Vec::new()),
            Some(Activity::Failing { trouble, lasts, started }) => {
                let mut reasons = self.stale_inputs(id, started);
                let verb = if reasons.is_empty() && !lasts { Verb::Await } else { Verb::Restart };
                // Between two starts there is no process to inspect, so its unknown inputs
                // aren't a reason.
                reasons.retain(|reason| !matches!(reason, Reason::Unknown(_)));
                reasons.insert(0, Reason::Failing(trouble.clone()));
                (Some(verb), reasons)
            }
            Some(Activity::Starting(started)) => {
                let reasons = self.stale_inputs(id, started);
                (Some(if reasons.is_empty() { Verb::Await } else { Verb::Restart }), reasons)
            }
            Some(Activity::Running(started)) => {
                let reasons = self.stale_inputs(id, started);
                ((!reasons.is_empty()).then_some(Verb::Restart), reasons)
            }
        };
        (verb.is_some() || enable).then(|| ServiceChange {
            before: before.cloned(),
            after: after.clone(),
            verb,
            enable,
            reasons,
        })
    }

    /// The inputs that differ from the desired ones, where the process needs a restart to
    /// use the latter.
    fn stale_inputs(&self, id: &ResourceId, started: &Started) -> Vec<Reason> {
        let Self { desired, spellings, .. } = *self;
        let known = match &started.inputs {
            Inputs::Known(known) => known,
            Inputs::Unknown(why) => return vec![Reason::Unknown(why.clone())],
        };
        desired
            .before(id)
            .into_iter()
            .filter_map(|(file, edge)| {
                let Edge::Reads(effect) = *edge else { return None };
                let (Some(Resource::File(wanted)), Some(path)) = (desired.get(file), file.key.path()) else {
                    return None;
                };
                stale_input(path, wanted, effect, known, spellings)
            })
            .collect()
    }
}

fn file(found: Option<&Resource>, after: &Arc<File>, spellings: &Spellings) -> Option<FileChange> {
    let Some(Resource::File(before)) = found else {
        return Some(FileChange {
            before: None,
            after: Arc::clone(after),
            rewritten: true,
            fields: Vec::new(),
        });
    };
    let (rewritten, fields) =
        match difference((&before.content, Some(&before.sha256)), (&after.content, &after.sha256), spellings)
        {
            Difference::None => (false, Vec::new()),
            Difference::Fields(fields) => (true, fields),
            Difference::Whole => (true, Vec::new()),
        };
    (rewritten || before.access != after.access).then(|| FileChange {
        before: Some(Arc::clone(before)),
        after: Arc::clone(after),
        rewritten,
        fields,
    })
}

/// Whether a process with these inputs already runs with this file, or with one so similar
/// that no restart is needed.
pub fn runs_with(
    path: &str,
    file: &File,
    effect: Effect,
    inputs: &BTreeMap<String, Input>,
    spellings: &Spellings,
) -> bool {
    stale_input(path, file, effect, inputs, spellings).is_none()
}

fn stale_input(
    path: &str,
    wanted: &File,
    effect: Effect,
    known: &BTreeMap<String, Input>,
    spellings: &Spellings,
) -> Option<Reason> {
    let whole = || Some(Reason::Input { path: path.to_owned(), fields: Vec::new() });
    let Some(input) = known.get(path) else {
        return if restarts(effect) { whole() } else { None };
    };
    // If the process read a secret in another spelling, the digests show that the spellings
    // are equal. Any other digest means that the secret is another one.
    match difference((&input.content, input.sha256.as_ref()), (&wanted.content, &wanted.sha256), spellings) {
        Difference::None => None,
        Difference::Whole => {
            if restarts(effect) || matches!(input.content, Content::Opaque) {
                whole()
            } else {
                None
            }
        }
        Difference::Fields(fields) => {
            let fields: Vec<_> = fields.into_iter().filter(needs_restart).collect();
            (!fields.is_empty()).then(|| Reason::Input { path: path.to_owned(), fields })
        }
    }
}

fn restarts(effect: Effect) -> bool {
    matches!(effect, Effect::Restart | Effect::RestartTogether)
}
