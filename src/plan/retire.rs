//! Retiring a host: everything that belongs to the network is removed from it, and its
//! nodes are removed from the others' configurations. Other differences between the
//! folder and the hosts are left alone.
//!
//! What the others need for it is found by compiling the folder twice, with the
//! host's nodes and without. Only what differs between the two is the
//! retirement's:
//!
//! - A configuration is rewritten if it still holds entries that are only wanted
//!   with the host. Its owner and mode stay as they are.
//! - A node is restarted if its process needs that for those entries, and didn't
//!   need a restart before.
//! - Everything else stays as it was found, and is counted.
//!
//! A file is written as a whole, and a process starts with everything that is on
//! the disk. So if such a file or process has other changes pending, the changes can't be
//! separated: the plan is refused, and names them.

use super::target::staged;
use super::{Note, Pending, Plan, Refusal};
use crate::desired::{CompileError, Desired, Goal, Supplies, compile};
use crate::diff::{Change, Changes, FieldChange, FileChange, Reason, ServiceChange, compare};
use crate::network::Network;
use crate::resource::{
    Content, Document, FieldPath, Graph, HostName, Key, NodeName, Resource, ResourceId, Value,
};
use std::collections::{BTreeMap, BTreeSet};

/// A host that is being taken out of its network.
#[derive(Clone, Debug)]
pub struct Retirement {
    /// The host.
    pub host: HostName,
    /// Whether it will never come back: it isn't contacted, and keeps what it has.
    pub gone: bool,
    /// Its nodes, as the folder has them.
    nodes: Vec<NodeName>,
    /// What all hosts should be as long as it has them.
    before: Graph<Goal>,
}

impl Retirement {
    /// Takes the host's nodes out of `network`, and with `gone` the host itself.
    /// `None` if there is no such host.
    ///
    /// # Errors
    /// Where the network as it was can't be compiled.
    pub fn of(
        network: &mut Network,
        host: &HostName,
        gone: bool,
        supplies: &Supplies,
    ) -> Result<Option<Self>, CompileError> {
        let Some(found) = network.hosts.get(host) else { return Ok(None) };
        let name = |shape: &_| NodeName { shape: Clone::clone(shape), host: host.clone() };
        let nodes = found.nodes.keys().map(name).collect();
        let before = compile(network, supplies)?.goals;
        if gone {
            network.hosts.remove(host);
        } else if let Some(found) = network.hosts.get_mut(host) {
            found.nodes.clear();
        }
        for hosts in network.bootstrap.values_mut() {
            hosts.retain(|elder| **elder != *host);
        }
        Ok(Some(Self { host: host.clone(), gone, nodes, before }))
    }

    /// The hosts involved: the host itself, unless it is gone, and those whose desired
    /// state changes without it. `desired` is compiled without it.
    pub fn concerns(&self, desired: &Desired) -> BTreeSet<HostName> {
        let differ = desired.goals.iter().filter(|(id, goal)| self.before.get(id) != Some(*goal));
        let others = differ.map(|(id, _)| id.host.clone());
        others.chain((!self.gone).then(|| self.host.clone())).collect()
    }

    /// The goals of every host as long as this one has its nodes.
    pub(super) fn before(&self) -> &Graph<Goal> {
        &self.before
    }
}

/// What is left of the changes between the hosts and the folder.
#[derive(Debug, Default)]
pub(super) struct Needed {
    pub(super) changes: Changes,
    /// The others, which are left alone.
    pub(super) others: Vec<ResourceId>,
    /// What can't be changed without other changes, and these.
    pub(super) mixed: BTreeMap<ResourceId, Pending>,
}

/// Narrows `changes` to what the retirement needs. `before` and `after` are the
/// wanted states with the host's nodes and without.
pub(super) fn narrow(
    retirement: &Retirement,
    changes: &Changes,
    before: &Graph<Resource>,
    after: &Graph<Resource>,
    current: &Graph<Resource>,
) -> Needed {
    let pending = compare(before, current).graph;
    let mut needed = Needed::default();
    for (id, change) in changes.graph.iter() {
        let part = if id.host == retirement.host {
            Part::Whole(change.clone())
        } else {
            match change {
                Change::File(change) => file(change, before.get(id), after.get(id)),
                Change::Service(change) => service(change, pending.get(id), id, before, after),
                _ => Part::None,
            }
        };
        match part {
            Part::Whole(change) => needed.changes.graph.insert(id.clone(), change),
            Part::Mixed(others) => drop(needed.mixed.insert(id.clone(), others)),
            Part::None => needed.others.push(id.clone()),
        }
    }
    for (id, _) in changes.graph.iter() {
        for (later, edge) in changes.graph.after(id) {
            needed.changes.graph.connect(id, later, edge);
        }
    }
    needed
}

/// Adds notes about the retirement to a plan, and the reasons for which it can't be done
/// now.
/// `elders`: how many the folder has without the host.
pub(super) fn conclude(plan: &mut Plan, retirement: &Retirement, needed: Needed, elders: usize) {
    let Retirement { host, gone, nodes, before } = retirement;
    let is_elder = |id: &ResourceId, goal: &Goal| match goal {
        Goal::Have(Resource::Service(service)) if id.host == *host => {
            service.node.as_ref().is_some_and(|node| node.bootstrap)
        }
        _ => false,
    };
    if elders < 2 && before.iter().any(|(id, goal)| is_elder(id, goal)) {
        plan.notes.push(Note::EldersLeft(elders));
    }
    if *gone {
        plan.notes.push(Note::NotContacted { host: host.clone(), nodes: nodes.clone() });
    }
    let resumed = staged(&needed.changes.graph);
    let is_left = |id: &&ResourceId| {
        !plan.unplanned.contains_key(&id.host)
            && id.key.path().is_none_or(|path| !resumed.contains(&(&id.host, path.to_owned())))
    };
    match needed.others.iter().filter(is_left).count() {
        0 => {}
        left => plan.notes.push(Note::LeftAlone(left)),
    }
    if plan.unplanned.contains_key(host) {
        plan.refusals.push(Refusal::RetiresUnplanned(host.clone()));
    }
    for (resource, others) in needed.mixed {
        if !plan.unplanned.contains_key(&resource.host) {
            plan.refusals.push(Refusal::Mixed { resource, others });
        }
    }
}

/// How much of a change is the retirement's.
enum Part {
    None,
    Whole(Change),
    /// It can't be separated from this.
    Mixed(Pending),
}

fn file(change: &FileChange, before: Option<&Resource>, after: Option<&Resource>) -> Part {
    let delta = delta(before, after);
    // A file that doesn't exist names no peers.
    let (Some(found), false, true) = (&change.before, delta.is_empty(), change.rewritten) else {
        return Part::None;
    };
    if matches!(found.content, Content::Opaque) {
        return Part::Mixed(Pending::Unknown);
    }
    let is_needed = |field: &FieldChange| delta.get(&field.path).is_some_and(|delta| delta.is_left(field));
    if !change.fields.iter().any(is_needed) {
        return Part::None;
    }
    let is_other = |field: &&FieldChange| delta.get(&field.path).is_none_or(|delta| !delta.explains(field));
    let others: Vec<_> = change.fields.iter().filter(is_other).map(|field| field.path.clone()).collect();
    if !others.is_empty() {
        return Part::Mixed(Pending::Fields(others));
    }
    let mut change = change.clone();
    change.after.access = found.access.clone();
    Part::Whole(Change::File(Box::new(change)))
}

fn service(
    change: &ServiceChange,
    pending: Option<&Change>,
    id: &ResourceId,
    before: &Graph<Resource>,
    after: &Graph<Resource>,
) -> Part {
    let is_needed = |reason: &Reason| match reason {
        Reason::Input { path, fields } => {
            let file = ResourceId { host: id.host.clone(), key: Key::File(path.clone()) };
            let delta = delta(before.get(&file), after.get(&file));
            fields.iter().any(|field| delta.get(&field.path).is_some_and(|delta| delta.is_left(field)))
        }
        Reason::Unknown(_) | Reason::Failing(_) => false,
    };
    match (change.reasons.iter().any(is_needed), pending) {
        (false, _) => Part::None,
        (true, None) => Part::Whole(Change::Service(Box::new(change.clone()))),
        (true, Some(_)) => Part::Mixed(Pending::Restart),
    }
}

/// How one field changes when the host's nodes are removed.
struct FieldDelta {
    before: BTreeSet<String>,
    after: BTreeSet<String>,
}

impl FieldDelta {
    /// Whether something is still there that should only be there with the host.
    fn is_left(&self, field: &FieldChange) -> bool {
        entries(field.before.as_ref()).iter().any(|entry| self.goes(entry))
    }

    /// Whether a field is as it should be once these entries are gone.
    fn explains(&self, field: &FieldChange) -> bool {
        let mut left = entries(field.before.as_ref());
        left.retain(|entry| !self.goes(entry));
        left == entries(field.after.as_ref())
    }

    fn goes(&self, entry: &str) -> bool {
        self.before.contains(entry) && !self.after.contains(entry)
    }
}

/// The fields of a document that are different without the host.
fn delta(before: Option<&Resource>, after: Option<&Resource>) -> BTreeMap<FieldPath, FieldDelta> {
    let (Some(before), Some(after)) = (document(before), document(after)) else { return BTreeMap::new() };
    let paths: BTreeSet<_> = before.fields.keys().chain(after.fields.keys()).collect();
    let value = |document: &Document, path| entries(document.fields.get(path).map(|field| &field.value));
    let deltas = paths.into_iter().map(|path| {
        let delta = FieldDelta { before: value(before, path), after: value(after, path) };
        (path.clone(), delta)
    });
    deltas.filter(|(_, delta)| delta.before != delta.after).collect()
}

fn document(resource: Option<&Resource>) -> Option<&Document> {
    match resource {
        Some(Resource::File(file)) => match &file.content {
            Content::Document(document) => Some(document),
            _ => None,
        },
        _ => None,
    }
}

/// A value as a set: one that isn't has itself as its only entry.
fn entries(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        None => BTreeSet::new(),
        Some(Value::Set(items)) => items.iter().map(ToString::to_string).collect(),
        Some(Value::List(items)) => BTreeSet::from([items.join("\n")]),
        Some(Value::Scalar(text)) => BTreeSet::from([text.to_string()]),
        Some(Value::Secret(digest)) => BTreeSet::from([digest.to_string()]),
    }
}
