//! Text with a meaning: a tree of fields, flattened, so that it is compared by
//! what it says and each difference knows what it takes to become effective.

use super::Sha256;
use std::collections::{BTreeMap, BTreeSet};

/// Where a field stands: `domains.key.private`.
pub type FieldPath = String;

/// A configuration or a unit, field by field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// Every field that says something; one that is empty is left out, for it
    /// means the same as one that isn't there.
    pub fields: BTreeMap<FieldPath, Field>,
}

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// What it says.
    pub value: Value,
    /// What a change of it needs.
    pub effect: Effect,
}

/// What a field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string, number or boolean, in its canonical form.
    Scalar(String),
    /// Several, where the order says something.
    List(Vec<String>),
    /// Several, where it says nothing.
    Set(BTreeSet<String>),
    /// One that must not be seen, by its keyed digest.
    Secret(Sha256),
}

/// What a change needs before the running process knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It can wait for the next start.
    NextStart,
    /// A restart.
    Restart,
    /// A restart of everything that reads it, in one go: those with the old
    /// content and those with the new can't talk to each other.
    RestartTogether,
    /// It can wait as long as at least half of the entries that the process was
    /// started with still hold; a restart is due otherwise.
    RestartUnlessHalfHolds,
    /// The service manager reads its files again.
    Reload,
}
