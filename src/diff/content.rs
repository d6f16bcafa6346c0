//! Whether two contents mean the same.
//!
//! What isn't available can't be compared, so it is no difference. [`uncompared`] lists it.

use super::FieldChange;
use super::compare::may_be_resumed;
use crate::desired::Spellings;
use crate::facts::RemovalRule;
use crate::resource::{
    Content, Document, Edge, Effect, Field, FieldPath, Graph, Resource, ResourceId, ResourceKey, Sha256,
    Value,
};
use std::collections::{BTreeMap, BTreeSet};

/// The result of comparing two contents.
#[derive(Debug)]
pub(super) enum Difference {
    /// The contents mean the same.
    None,
    /// These fields of two documents differ.
    Fields(Vec<FieldChange>),
    /// The contents differ, and can't be compared field by field.
    Whole,
}

/// Compares two contents by meaning. Equal bytes always mean the same, whatever their kind.
pub(super) fn difference(
    before: (&Content, Option<&Sha256>),
    after: (&Content, &Sha256),
    spellings: &Spellings,
) -> Difference {
    if before.1.is_some_and(|before| spellings.are_equal(before, after.1)) {
        return Difference::None;
    }
    match (before.0, after.0) {
        (_, Content::Unavailable) => Difference::None,
        // Only the digests could tell, and that of the desired file isn't known.
        (Content::Opaque, Content::Document(_)) if *after.1 == Sha256::UNKNOWN => Difference::None,
        (Content::Document(before), Content::Document(after)) => {
            let fields = fields(before, after);
            if fields.is_empty() { Difference::None } else { Difference::Fields(fields) }
        }
        (Content::Text(before), Content::Text(after)) => same(before == after),
        (Content::Secret(before), Content::Secret(after)) => same(before == after),
        (Content::Blob { sha256: before, size: _ }, Content::Blob { sha256: after, size: _ }) => {
            same(before == after)
        }
        (
            Content::Document(_)
            | Content::Text(_)
            | Content::Secret(_)
            | Content::Blob { .. }
            | Content::Opaque
            | Content::Unavailable,
            _,
        ) => Difference::Whole,
    }
}

/// Something on a host that can't be compared with what the folder wants, because that depends
/// on a secret that isn't available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uncompared {
    /// A file, or a unit that reads one.
    pub id: ResourceId,
    /// The fields of the file that weren't compared; none if nothing of it was.
    pub fields: Vec<FieldPath>,
}

/// What can't be compared of the files that are in both states, the units that may run with other
/// files, and the files that may have to be removed.
pub fn uncompared(
    desired: &Graph<Resource>,
    current: &Graph<Resource>,
    unwanted: &BTreeMap<ResourceKey, RemovalRule>,
) -> Vec<Uncompared> {
    let mut uncompared = Vec::new();
    let mut lacks_secrets = false;
    for (id, wanted) in desired.iter() {
        if matches!(wanted, Resource::Service(_)) && runs_with_unknown(id, desired, current) {
            uncompared.push(Uncompared { id: id.clone(), fields: Vec::new() });
        }
        let Resource::File(file) = wanted else { continue };
        lacks_secrets |= file.content == Content::Unavailable;
        let fields = match &file.content {
            Content::Unavailable => Vec::new(),
            Content::Document(document) => document.withheld().cloned().collect(),
            _ => continue,
        };
        let Some(Resource::File(found)) = current.get(id) else { continue };
        if found.content == Content::Opaque && !file.is_available() {
            uncompared.push(Uncompared { id: id.clone(), fields: Vec::new() });
        } else if file.content == Content::Unavailable || !fields.is_empty() {
            uncompared.push(Uncompared { id: id.clone(), fields });
        }
    }
    // A copy of a secret that is wanted nowhere on the host is recognized by its digest.
    let copies = unwanted.iter().filter(|(_, rule)| lacks_secrets && matches!(rule, RemovalRule::Copy));
    for (key, _) in copies {
        let found = current.iter().find(|(id, _)| id.key == *key && desired.get(id).is_none());
        uncompared.extend(found.map(|(id, _)| Uncompared { id: id.clone(), fields: Vec::new() }));
    }
    let staged = current.iter().filter(|(id, _)| desired.get(id).is_none() && may_be_resumed(id, desired));
    uncompared.extend(staged.map(|(id, _)| Uncompared { id: id.clone(), fields: Vec::new() }));
    uncompared
}

/// Whether a unit is up, and it isn't known whether it runs with the desired files.
fn runs_with_unknown(id: &ResourceId, desired: &Graph<Resource>, current: &Graph<Resource>) -> bool {
    let is_up = matches!(current.get(id), Some(Resource::Service(found)) if found.activity.is_up());
    let is_unknown = |id: &ResourceId| match desired.get(id) {
        Some(Resource::File(file)) => match &file.content {
            Content::Unavailable => true,
            Content::Document(document) => document.withheld().next().is_some(),
            _ => false,
        },
        _ => false,
    };
    let reads = desired.before(id).into_iter().filter(|(_, edge)| matches!(edge, Edge::Reads(_)));
    is_up && reads.into_iter().any(|(read, _)| is_unknown(read))
}

fn same(same: bool) -> Difference {
    if same { Difference::None } else { Difference::Whole }
}

fn fields(before: &Document, after: &Document) -> Vec<FieldChange> {
    let Document { fields: before } = before;
    let document = after;
    let Document { fields: after } = after;
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let is_available = |path: &&FieldPath| !document.withholds(path);
    paths
        .into_iter()
        .filter(is_available)
        .filter_map(|path| {
            let (old, new) = (before.get(path), after.get(path));
            let value = |field: &Field| field.value.clone();
            let (old_value, new_value) = (old.map(value), new.map(value));
            // The desired field determines what the change needs; if the field is removed,
            // the current one does.
            let effect = new.or(old)?.effect;
            (old_value != new_value).then(|| FieldChange {
                path: path.clone(),
                before: old_value,
                after: new_value,
                effect,
            })
        })
        .collect()
}

/// Whether a process that was started with the field's previous value must be restarted
/// because of the change.
pub(super) fn needs_restart(change: &FieldChange) -> bool {
    match change.effect {
        Effect::Restart | Effect::RestartTogether => true,
        Effect::NextStart | Effect::Reload => false,
        Effect::RestartUnlessHalfHolds => match (change.remaining(), &change.before, &change.after) {
            (Some((remaining, known)), _, _) => remaining * 2 < known,
            // Either the process was started without peers, so none can have become
            // invalid, or there are no peers left to dial.
            (None, None, _) | (None, _, None) => false,
            (None, Some(_), Some(_)) => true,
        },
    }
}

impl FieldChange {
    /// For a set of which at least half has to remain valid: how many of the entries that
    /// the process was started with remain, and how many there were.
    pub fn remaining(&self) -> Option<(usize, usize)> {
        match (self.effect, &self.before, &self.after) {
            (Effect::RestartUnlessHalfHolds, Some(Value::Set(before)), Some(Value::Set(after))) => {
                Some((before.intersection(after).count(), before.len()))
            }
            _ => None,
        }
    }
}
