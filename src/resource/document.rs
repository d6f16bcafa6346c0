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
            Value::List(_) | Value::Set(_) | Value::Secret(_) => None,
        }
    }
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
