//! Gathering facts from all hosts concurrently.

use super::{Host, HostError, Settings};
use crate::resource::{HostName, Secret, Untrusted};
use crate::ssh::{Address, KnownHosts, Login};
use std::collections::BTreeMap;
use tokio::task::JoinSet;

/// A host to probe.
#[derive(Clone, Debug)]
pub struct Target {
    /// The host's name in the folder.
    pub name: HostName,
    /// The address of its SSH server.
    pub address: Address,
    /// The logins; each is tried if the host refused the previous one.
    pub logins: Vec<Login>,
    /// The probe: a script that changes nothing and writes its answer to standard
    /// output.
    pub script: Secret,
}

/// The host's answer, and the connection for further requests.
pub type Gathered = Result<(Host, Untrusted), HostError>;

/// Connects to every host and runs its script, on up to [`Settings::at_once`] hosts
/// at a time. `answered` is called with each host's answer or error as it arrives.
pub async fn gather(
    targets: Vec<Target>,
    known: &KnownHosts,
    settings: &Settings,
    mut answered: impl FnMut(&HostName, &Gathered),
) -> BTreeMap<HostName, Gathered> {
    let mut waiting = targets.into_iter();
    let mut asking = JoinSet::new();
    let mut answers = BTreeMap::new();
    loop {
        while asking.len() < settings.at_once.max(1)
            && let Some(target) = waiting.next()
        {
            let (known, settings) = (known.clone(), settings.clone());
            asking.spawn(async move {
                let answer = ask(&target, &known, &settings).await;
                (target.name, answer)
            });
        }
        match asking.join_next().await {
            Some(Ok((name, answer))) => {
                answered(&name, &answer);
                answers.insert(name, answer);
            }
            // The task panicked; propagate it.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => return answers,
        }
    }
}

async fn ask(target: &Target, known: &KnownHosts, settings: &Settings) -> Gathered {
    let Target { name, address, logins, script } = target;
    let mut host = Host::connect(name.clone(), address, logins, known, settings).await?;
    let answer = host.ask(script).await?;
    Ok((host, answer))
}
