//! The reasons why a host can't be planned: [`Unplanned`].

use super::{HostError, UnusableKey};
use crate::diff::Obstacle;
use crate::facts::AnswerError;
use crate::resource::Printable;
use std::sync::Arc;

/// Why a host can't be planned.
#[derive(Clone, Debug)]
pub enum Unplanned {
    /// Something on the host keeps it from reaching its desired state.
    Obstacle(Obstacle),
    /// The host's answer to the probe can't be used.
    Answer(AnswerError),
    /// The host couldn't be probed.
    Host(Arc<HostError>),
    /// None of the host's logins has a usable key or a password. These keys can't be used.
    NoLogin(Vec<UnusableKey>),
    /// It isn't known how to reach the host, for instance because the user's SSH configuration is
    /// wrong.
    NoRoute(Printable),
    /// The host had given no usable answer when the facts were gathered from which it is
    /// planned now.
    Recorded {
        /// Why, as it was reported then.
        why: Printable,
        /// What to do about it, as it was reported then.
        help: Printable,
    },
    /// The facts from which the network is planned don't include the host.
    NotGathered,
    /// The facts are to be saved, and the host's answer contains secrets of the folder that can't
    /// be masked.
    Unsaved,
}

impl From<HostError> for Unplanned {
    fn from(error: HostError) -> Self {
        Self::Host(Arc::new(error))
    }
}
