//! A parsed configuration or unit, flattened into fields, so that files are compared by
//! their meaning, and each field determines what a change to it needs.

use super::{Printable, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The path of a field: `domains.key.private`.
pub type FieldPath = Printable;

/// The field of a node's configuration that contains the id by which other nodes know the
/// node. In the file, a key may take its place.
pub const IDENTITY: &str = "identity";

/// A configuration or a unit, field by field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Every field that isn't empty. Empty fields are left out, because an empty field and
    /// a missing field mean the same.
    pub fields: BTreeMap<FieldPath, Field>,
}

impl Document {
    /// The id of the node to which this configuration belongs.
    pub fn identity(&self) -> Option<&str> {
        match &self.fields.get(IDENTITY)?.value {
            Value::Scalar(id) => Some(id),
            Value::List(_) | Value::Set(_) | Value::Secret(_) | Value::Unavailable => None,
        }
    }

    /// Makes the value of a field unavailable, because it depends on a secret that is. Values
    /// below its path are dropped.
    pub fn withhold(&mut self, path: &str, effect: Effect) {
        self.fields.retain(|field, _| !is_below(field, path));
        self.fields.insert(Printable::line(path), Field { value: Value::Unavailable, effect });
    }

    /// Makes the values of all secrets unavailable.
    pub fn withhold_secrets(&mut self) {
        for field in self.fields.values_mut().filter(|field| matches!(field.value, Value::Secret(_))) {
            field.value = Value::Unavailable;
        }
    }

    /// The paths of the values that aren't available.
    pub fn withheld(&self) -> impl Iterator<Item = &FieldPath> {
        self.fields.iter().filter(|(_, field)| field.value == Value::Unavailable).map(|(path, _)| path)
    }

    /// Whether the value at a path, or one above it, isn't available.
    pub fn withholds(&self, path: &str) -> bool {
        self.withheld().any(|withheld| is_below(path, withheld))
    }
}

/// Whether `path` is `above`, or below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The value of the field.
    pub value: Value,
    /// What a change of the value needs.
    pub effect: Effect,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string, number or boolean, in canonical form.
    Scalar(Printable),
    /// Several values whose order matters.
    List(Vec<Printable>),
    /// Several values whose order doesn't matter.
    Set(BTreeSet<Printable>),
    /// The keyed digest of a secret value.
    Secret(Sha256),
    /// A value that depends on a secret that isn't available where the plan is made. Only a
    /// desired document has such values. They can't be compared with anything.
    Unavailable,
}

/// What a change needs to take effect in the running process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the change can wait for the next start.
    NextStart,
    /// A restart.
    Restart,
    /// A restart of all processes that read the file, at the same time: a process with the
    /// old content can't talk to a process with the new content.
    RestartTogether,
    /// Nothing, as long as at least half of the entries that the process was started
    /// with are still valid; otherwise a restart.
    RestartUnlessHalfHolds,
    /// The service manager has to reload its files (`systemctl daemon-reload`).
    Reload,
}
