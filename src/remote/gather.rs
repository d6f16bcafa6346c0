//! Probes all hosts concurrently. The entry point is [`gather`].

use super::{Connection, RemoteLimits, SudoPassword};
use crate::plan::HostError;
use crate::resource::{HostName, SecretBytes, Untrusted};
use crate::ssh::{Dialer, Route};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// A host to probe.
#[derive(Clone, Debug)]
pub struct Target {
    /// The host's name in the folder.
    pub name: HostName,
    /// The way to its SSH server.
    pub route: Route,
    /// The password that sudo may ask for there.
    pub sudo: Option<Arc<SudoPassword>>,
    /// The nodes that may run there, each with its unit, its port for other nodes, and the number
    /// of bytes that it says first.
    pub nodes: Vec<(String, u16, usize)>,
    /// The probe: a script that changes nothing and writes its answer to standard
    /// output.
    pub script: SecretBytes,
}

/// A host's answer to its probe, and the connection for further requests.
pub type Gathered = Result<(Connection, Untrusted), HostError>;

/// Connects to every host and runs its script, on up to [`RemoteLimits::at_once`] hosts at
/// a time. Calls `answered` with each host's answer or error as soon as it is known.
pub async fn gather(
    targets: Vec<Target>,
    dialer: &Arc<Dialer>,
    limits: &RemoteLimits,
    mut answered: impl FnMut(&HostName, &Gathered),
) -> BTreeMap<HostName, Gathered> {
    let mut waiting = targets.into_iter();
    let mut asking = JoinSet::new();
    let mut answers = BTreeMap::new();
    loop {
        while asking.len() < limits.at_once.max(1)
            && let Some(target) = waiting.next()
        {
            let (dialer, limits) = (Arc::clone(dialer), limits.clone());
            asking.spawn(async move {
                let answer = ask(&target, &dialer, &limits).await;
                (target.name, answer)
            });
        }
        match asking.join_next().await {
            Some(Ok((name, answer))) => {
                answered(&name, &answer);
                answers.insert(name, answer);
            }
            // The task panicked; propagate the panic.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => return answers,
        }
    }
}

async fn ask(target: &Target, dialer: &Dialer, limits: &RemoteLimits) -> Gathered {
    let Target { name, route, sudo, nodes, script } = target;
    let mut connection = Connection::connect_with(name.clone(), route, dialer, limits, sudo.as_ref()).await?;
    let greetings = connection.greetings(nodes);
    let (answer, greetings) = tokio::join!(connection.ask(script), greetings);
    let received = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // The controller's own lines come first, because the parser takes the first ones.
    let mut lines = format!("received\t{received}\n");
    for (unit, port, alive) in greetings {
        lines.push_str(&format!("alive\t{unit}\t{port}\t{}\n", alive.word()));
    }
    Ok((connection, answer?.after(&lines)))
}
