//! Retires a host: everything that belongs to the network is removed from the host, and its
//! nodes are removed from the configurations of the other nodes. Other differences between
//! the folder and the hosts are left alone.
//!
//! What has to change on the other hosts is found by compiling the folder twice, with the
//! host's nodes and without them. Only the difference between the two desired states is
//! part of the retirement:
//!
//! - A configuration is rewritten if it still has entries that are desired only with the
//!   host's nodes. Its owner and mode stay as they are.
//! - A node is restarted if its process needs a restart because of such entries.
//! - Every other difference stays as it was found, and is counted.
//!
//! A file is written as a whole, and a process starts with everything that is on the disk.
//! So if such a file has other differences, or such a process needs a restart for another
//! reason, the changes can't be separated. The plan is then refused, and names the other
//! changes.

use super::target::staged;
use super::{Downloads, Note, Pending, Plan, Refusal};
use crate::desired::{Desired, Goal};
use crate::diff::{Change, FieldChange, FileChange, Reason, ServiceChange};
use crate::network::Network;
use crate::resource::{
    ByHost, Content, Document, FieldPath, Graph, HostName, NodeName, Resource, ResourceId, ResourceKey, Value,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which host to retire, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retire {
    /// The host.
    pub host: HostName,
    /// Whether the host is gone for good. If so, it isn't contacted, and nothing is removed
    /// from it.
    pub gone: bool,
}

/// A host that is being retired.
#[derive(Clone, Debug)]
pub(super) struct Retirement {
    pub(super) what: Retire,
    /// The host's nodes, according to the folder.
    nodes: Vec<NodeName>,
    /// The goals of every host if the retired host keeps its nodes.
    pub(super) before: ByHost<Goal>,
}

impl Retirement {
    /// The retirement of a host of `network`, which has the goals `before`.
    pub(super) fn of(what: Retire, network: &Network, before: ByHost<Goal>) -> Self {
        let found = network.hosts.get(&what.host).into_iter();
        let nodes = found.flat_map(|host| host.nodes.keys().map(|shape| host.node_name(shape))).collect();
        Self { what, nodes, before }
    }

    /// The hosts involved: the retired host itself, unless it is gone, and the hosts whose
    /// goals differ without it. `desired` is the desired state without its nodes.
    pub(super) fn concerns(&self, desired: &Desired) -> BTreeSet<HostName> {
        let differ = desired.goals.iter().filter(|(id, goal)| self.before.get(id) != Some(*goal));
        let others = differ.map(|(id, _)| id.host.clone());
        others.chain((!self.what.gone).then(|| self.what.host.clone())).collect()
    }
}

impl Retire {
    /// The network without the host's nodes and, if the host is gone, without the host.
    pub fn without(&self, network: &Network) -> Network {
        let mut network = network.clone();
        if self.gone {
            network.hosts.remove(&self.host);
        } else if let Some(found) = network.hosts.get_mut(&self.host) {
            found.nodes.clear();
        }
        for hosts in network.bootstrap.value.values_mut() {
            hosts.retain(|elder| **elder != self.host);
        }
        network
    }
}

/// What a retirement leaves alone on a host.
#[derive(Debug, Default)]
pub(super) struct Remainder {
    /// The changes that the retirement doesn't need.
    others: Vec<ResourceId>,
    /// The resources that the retirement has to change but that have other changes pending,
    /// and these other changes.
    mixed: BTreeMap<ResourceId, Pending>,
}

impl Remainder {
    /// The remainder without the staged files that `changes` use.
    pub(super) fn unstaged(&self, changes: &Graph<Change>, downloads: &Downloads) -> Self {
        let used = staged(changes, downloads);
        let is_left = |id: &&ResourceId| id.key.path().is_none_or(|path| !used.contains(path));
        Self { others: self.others.iter().filter(is_left).cloned().collect(), mixed: self.mixed.clone() }
    }
}

/// Narrows the changes of a host to what the retirement needs. `before` and `after` are the
/// host's desired states with the retired host's nodes and without them. `pending` has the
/// changes that the host would need according to `before`.
pub(super) fn narrow(
    is_retired: bool,
    changes: &Graph<Change>,
    pending: &Graph<Change>,
    before: &Graph<Resource>,
    after: &Graph<Resource>,
) -> (Graph<Change>, Remainder) {
    let (mut needed, mut remainder) = (Graph::default(), Remainder::default());
    for (id, change) in changes.iter() {
        let part = if is_retired {
            Part::Whole(change.clone())
        } else {
            match change {
                Change::File(change) => file(change, before.get(id), after.get(id)),
                Change::Service(change) => service(change, pending.get(id), id, before, after),
                _ => Part::None,
            }
        };
        match part {
            Part::Whole(change) => needed.insert(id.clone(), change),
            Part::Mixed(others) => drop(remainder.mixed.insert(id.clone(), others)),
            Part::None => remainder.others.push(id.clone()),
        }
    }
    for (id, _) in changes.iter() {
        for (later, edge) in changes.after(id) {
            needed.connect(id, later, edge.clone());
        }
    }
    (needed, remainder)
}

/// Adds notes about the retirement to a plan, and the reasons why it has to be refused.
/// `left` is what the retirement leaves alone on the hosts that could be planned; `elders`
/// is the number of elders that the folder has without the retired host.
pub(super) fn conclude(plan: &mut Plan, retirement: &Retirement, left: Vec<Remainder>, elders: usize) {
    let Retirement { what: Retire { host, gone }, nodes, before } = retirement;
    let is_elder = |goal: &Goal| match goal {
        Goal::Have(Resource::Service(service)) => service.node.as_ref().is_some_and(|node| node.bootstrap),
        _ => false,
    };
    let mut goals = before.of(host).into_iter().flat_map(Graph::iter);
    if elders < 2 && goals.any(|(_, goal)| is_elder(goal)) {
        plan.notes.push(Note::EldersLeft(elders));
    }
    if *gone {
        plan.notes.push(Note::NotContacted { host: host.clone(), nodes: nodes.clone() });
    }
    match left.iter().map(|remainder| remainder.others.len()).sum() {
        0 => {}
        left => plan.notes.push(Note::LeftAlone(left)),
    }
    if plan.unplanned.contains_key(host) {
        plan.refusals.push(Refusal::RetiresUnplanned(host.clone()));
    }
    for (resource, others) in left.into_iter().flat_map(|remainder| remainder.mixed) {
        plan.refusals.push(Refusal::Mixed { resource, others });
    }
}

/// How much of a change is part of the retirement.
enum Part {
    None,
    Whole(Change),
    /// The change is part of the retirement, but can't be separated from these other
    /// changes.
    Mixed(Pending),
}

fn file(change: &FileChange, before: Option<&Resource>, after: Option<&Resource>) -> Part {
    let delta = delta(before, after);
    // A file that doesn't exist has no entries to remove.
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
    Arc::make_mut(&mut change.after).access = found.access.clone();
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
            let file = ResourceId { host: id.host.clone(), key: ResourceKey::File(path.clone()) };
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

/// The desired entries of a field, with the retired host's nodes and without them.
struct FieldDelta {
    before: BTreeSet<String>,
    after: BTreeSet<String>,
}

impl FieldDelta {
    /// Whether the field on the host still has an entry that is desired only with the
    /// retired host's nodes.
    fn is_left(&self, field: &FieldChange) -> bool {
        entries(field.before.as_ref()).iter().any(|entry| self.goes(entry))
    }

    /// Whether these entries are the only difference between the field on the host and the
    /// desired one.
    fn explains(&self, field: &FieldChange) -> bool {
        let mut left = entries(field.before.as_ref());
        left.retain(|entry| !self.goes(entry));
        left == entries(field.after.as_ref())
    }

    fn goes(&self, entry: &str) -> bool {
        self.before.contains(entry) && !self.after.contains(entry)
    }
}

/// The fields of a document that are desired differently without the retired host's nodes.
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

/// The entries of a value. A value that isn't a set is its own only entry.
fn entries(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        None => BTreeSet::new(),
        Some(Value::Set(items)) => items.iter().map(ToString::to_string).collect(),
        Some(Value::List(items)) => BTreeSet::from([items.join("\n")]),
        Some(Value::Scalar(text)) => BTreeSet::from([text.to_string()]),
        Some(Value::Secret(digest)) => BTreeSet::from([digest.to_string()]),
        // Before and after the retirement alike.
        Some(Value::Unavailable) => BTreeSet::new(),
    }
}
