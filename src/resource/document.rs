//! A parsed configuration or unit, flattened into fields, so that files are compared by
//! their meaning, and each difference has the effect that applying it needs.

use super::{Printable, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The path of a field: `domains.key.private`.
pub type FieldPath = Printable;

/// The field of a node's configuration that has the id by which other nodes know the node.
/// The file may have a key in its place.
pub const IDENTITY: &str = "identity";

/// A configuration or a unit, field by field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Every field that isn't empty. An empty field is left out, because it means the
    /// same as a missing one.
    pub fields: BTreeMap<FieldPath, Field>,
}

impl Document {
    /// The id of the node that this configures.
    pub fn identity(&self) -> Option<&str> {
        match &self.fields.get(IDENTITY)?.value {
            Value::Scalar(id) => Some(id),
            Value::List(_) | Value::Set(_) | Value::Secret(_) => None,
        }
    }
}

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its value.
    pub value: Value,
    /// What a change of the value needs.
    pub effect: Effect,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string, number or boolean, in its canonical form.
    Scalar(Printable),
    /// Several values, whose order matters.
    List(Vec<Printable>),
    /// Several values, whose order doesn't matter.
    Set(BTreeSet<Printable>),
    /// The keyed digest of a secret value.
    Secret(Sha256),
}

/// What a change needs to take effect in the running process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it can wait for the next start.
    NextStart,
    /// A restart.
    Restart,
    /// A restart of every process that reads it, all at once: processes with the old
    /// content and those with the new one can't talk to each other.
    RestartTogether,
    /// Nothing, as long as at least half of the entries that the process was started
    /// with are still valid; otherwise a restart.
    RestartUnlessHalfHolds,
    /// The service manager has to reload its files (`systemctl daemon-reload`).
    Reload,
}
