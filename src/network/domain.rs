//! The network itself: `network.yaml`, today's `cloud.yaml`.

use super::At;
use crate::identity::ValidationKeys;
use std::collections::BTreeMap;

/// The names that a network goes by.
#[derive(Clone, Debug)]
pub struct Domain {
    /// The domain that everything of the network is below.
    pub root: At<String>,
    /// The domain that generated names are below.
    pub generated: At<String>,
    /// The pair that validates domains; its private half may be absent.
    pub validation: At<ValidationKeys>,
    /// Custom domains and the service each leads to.
    pub hosts: BTreeMap<String, At<String>>,
}
