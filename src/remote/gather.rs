//! Asking all hosts at once.

use super::{Host, HostError, Settings};
use crate::resource::{HostName, Secret};
use crate::ssh::{Address, KnownHosts, Login};
use std::collections::BTreeMap;
use tokio::task::JoinSet;

/// A host to ask.
#[derive(Clone, Debug)]
pub struct Target {
    /// What the folder calls it.
    pub name: HostName,
    /// Where it is.
    pub address: Address,
    /// Who may log in: each is tried while the one before is refused.
    pub logins: Vec<Login>,
    /// What it is asked: a script that changes nothing and answers on its
    /// standard output.
    pub script: Secret,
}

/// What a host answered, with the connection to go on with.
pub type Gathered = Result<(Host, String), HostError>;

/// Connects to every host and asks it its script, as many at once as
/// [`Settings::at_once`] allows. `answered` is called as each has answered, or
/// failed to.
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
            // It panicked, as we should.
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
