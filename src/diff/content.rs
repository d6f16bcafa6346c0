//! Whether two contents mean the same.

use super::FieldChange;
use crate::desired::Spellings;
use crate::resource::{Content, Document, Effect, Field, Sha256, Value};
use std::collections::BTreeSet;

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
            | Content::Opaque,
            _,
        ) => Difference::Whole,
    }
}

fn same(same: bool) -> Difference {
    if same { Difference::None } else { Difference::Whole }
}

fn fields(before: &Document, after: &Document) -> Vec<FieldChange> {
    let Document { fields: before } = before;
    let Document { fields: after } = after;
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    paths
        .into_iter()
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
