//! Asking all hosts at once.

use super::{Host, HostError, Settings};
use crate::resource::{HostName, Secret};
use crate::ssh::{Address, KnownHosts, Login};
use std::collections::BTreeMap;

/// A host to ask.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the folder calls it.
    pub name: HostName,
    /// Where it is.
    pub address: Address,
    /// Who logs in: one after the other is tried, while they are refused.
    pub logins: Vec<Login>,
    /// What it is asked: a script that changes nothing and answers on its
    /// standard output.
    pub script: Secret,
}

/// Connects to every host and asks it its script. `answered` is called as
/// each has answered, or failed to.
pub async fn gather(
    targets: Vec<Target>,
    _known: &KnownHosts,
    _settings: &Settings,
    mut answered: impl FnMut(&HostName, &Result<(Host, String), HostError>),
) -> BTreeMap<HostName, Result<(Host, String), HostError>> {
    let mut answers = BTreeMap::new();
    for target in targets {
        let answer =
            match Host::connect(target.name.clone(), &target.address, &target.logins[0], _known, _settings)
                .await
            {
                Ok(mut h) => match h.ask(&target.script).await {
                    Ok(t) => Ok((h, t)),
                    Err(e) => Err(e),
                },
                Err(e) => Err(e),
            };
        answered(&target.name, &answer);
        answers.insert(target.name, answer);
    }
    answers
}
