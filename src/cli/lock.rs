//! The locks of an apply: on all hosts, or on none.

use super::{Failure, terminal};
use crate::plan::Plan;
use crate::remote::{Holder, Host, HostError, Locked};
use crate::resource::HostName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How often it is looked whether a host is free again.
const RETRY: Duration = Duration::from_secs(1);

/// What became of the locks.
pub(super) enum Taken {
    /// All hosts that the plan touches are ours.
    Locked(BTreeMap<HostName, Locked>),
    /// Somebody else had one, and has let it go since. None is ours.
    Waited,
}

/// Locks every host that the plan touches, or none. Where somebody else holds
/// one, waits for that until `patience` ends.
///
/// # Errors
/// Where one can't be locked: nothing was changed then.
pub(super) async fn take(
    mut hosts: BTreeMap<HostName, Host>,
    plan: &Plan,
    patience: Instant,
) -> miette::Result<Taken> {
    let touched: BTreeSet<&HostName> =
        plan.stage.keys().chain(plan.waves.iter().flat_map(|wave| wave.hosts.keys())).collect();
    hosts.retain(|name, _| touched.contains(name));
    let mut waited = false;
    loop {
        let mut tried = try_all(hosts).await;
        let Some((name, error)) = tried.refused.pop_first() else {
            if !waited {
                return Ok(Taken::Locked(tried.locked));
            }
            release(tried.locked).await;
            return Ok(Taken::Waited);
        };
        let freed = release(tried.locked).await;
        hosts = tried.free.into_iter().chain(freed).collect();
        let conflict = matches!(error, HostError::Locked(_));
        if !conflict || Instant::now() >= patience {
            let help = match conflict {
                true => format!("{}; or wait for it with `--lock-wait`", error.help()),
                false => error.help(),
            };
            return Err(Failure::new(format!("{name}: {error}; nothing was changed"), help).into());
        }
        if !waited {
            terminal::note(&format!("{name}: {error}; waiting for it"));
        }
        waited = true;
        tokio::time::sleep(RETRY).await;
    }
}

/// What one try came to.
#[derive(Default)]
struct Tried {
    locked: BTreeMap<HostName, Locked>,
    refused: BTreeMap<HostName, HostError>,
    /// Not locked, and still connected.
    free: BTreeMap<HostName, Host>,
}

async fn try_all(hosts: BTreeMap<HostName, Host>) -> Tried {
    let holder = holder();
    let mut locking = JoinSet::new();
    for (name, host) in hosts {
        let holder = holder.clone();
        locking.spawn(async move { (name, host.lock(&holder).await) });
    }
    let mut tried = Tried::default();
    while let Some(joined) = locking.join_next().await {
        match joined {
            Ok((name, Ok(host))) => {
                tried.locked.insert(name, host);
            }
            Ok((name, Err(refusal))) => {
                if let Some(host) = refusal.host {
                    tried.free.insert(name.clone(), host);
                }
                tried.refused.insert(name, refusal.error);
            }
            Err(_) => {}
        }
    }
    tried
}

async fn release(locked: BTreeMap<HostName, Locked>) -> BTreeMap<HostName, Host> {
    let mut hosts = BTreeMap::new();
    for (name, host) in locked {
        // One that can't be told lets go by itself.
        if let Ok(host) = host.unlock().await {
            hosts.insert(name, host);
        }
    }
    hosts
}

/// Who we are, for others who want the hosts.
fn holder() -> Holder {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let user = user.unwrap_or_else(|| "somebody".to_owned());
    let machine = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    Holder {
        who: format!("{user}@{}", machine.trim()),
        pid: std::process::id(),
        command: "spore apply".to_owned(),
        since: String::new(),
    }
}
