//! Why a host isn't part of a plan.

use super::HostError;
use crate::diff::Obstacle;
use crate::facts::AnswerError;
use crate::resource::Printable;
use std::sync::Arc;

/// Why a host isn't part of the plan.
#[derive(Clone, Debug)]
pub enum Unplanned {
    /// What was found there keeps it from its desired state.
    Obstacle(Obstacle),
    /// Its answer says nothing about it.
    Answer(AnswerError),
    /// It couldn't be asked.
    Host(Arc<HostError>),
    /// None of its logins has a usable key or a password. For each key that can't be used,
    /// the reason.
    NoLogin(Vec<Printable>),
}

impl From<HostError> for Unplanned {
    fn from(error: HostError) -> Self {
        Self::Host(Arc::new(error))
    }
}
