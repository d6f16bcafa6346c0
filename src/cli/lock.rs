//! The locks of an apply, which nobody else who applies has any of.

use super::{Failure, terminal};
use crate::plan::Plan;
use crate::remote::{Holder, Host, HostError, Locked, Locks};
use crate::resource::HostName;
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How often it is looked whether a host is free again, about.
const RETRY: Duration = Duration::from_secs(1);

/// What became of the locks.
pub(super) enum Taken {
    /// No host that the plan needs is known to be anybody else's.
    Locked(Locks),
    /// Somebody else had one, and has let it go since. None is ours.
    Waited,
}

/// Locks every host that the plan needs for itself. Where somebody else holds one, none
/// is kept, and it waits for that one until `patience` ends.
///
/// # Errors
/// Where somebody else holds one for longer: nothing was changed then.
pub(super) async fn take(
    mut hosts: BTreeMap<HostName, Host>,
    plan: &Plan,
    patience: Instant,
) -> miette::Result<Taken> {
    let needed = plan.hosts();
    hosts.retain(|name, _| needed.contains(name));
    let mut waited = false;
    loop {
        let Tried { locks, held, free } = try_all(hosts).await;
        let Some((name, holder)) = held.first_key_value() else {
            if !waited {
                return Ok(Taken::Locked(locks));
            }
            release(locks.locked).await;
            return Ok(Taken::Waited);
        };
        hosts = release(locks.locked).await;
        hosts.extend(free);
        let error = HostError::Locked(holder.clone());
        if Instant::now() >= patience {
            let help = format!("{}; or wait for it with `--lock-wait SECONDS`", error.help());
            return Err(Failure::new(format!("{name}: {error}; nothing was changed"), help).into());
        }
        if !waited {
            terminal::note(&format!("{name}: {error}; waiting for it"));
        }
        waited = true;
        // Two that wait for each other don't come at the same moment again and again.
        let uneven = RandomState::new().hash_one(name) % 1000;
        tokio::time::sleep(RETRY / 2 + Duration::from_millis(uneven)).await;
    }
}

/// What one try came to.
#[derive(Default)]
struct Tried {
    locks: Locks,
    held: BTreeMap<HostName, Holder>,
    /// Not locked, and still connected.
    free: BTreeMap<HostName, Host>,
}

/// The first host alone, then the others side by side: of two that come at the
/// same moment for the same hosts, one gets all of them.
async fn try_all(mut hosts: BTreeMap<HostName, Host>) -> Tried {
    let holder = holder();
    let mut tried = Tried::default();
    if let Some(first) = hosts.pop_first() {
        tried.lock(BTreeMap::from([first]), &holder).await;
    }
    if tried.held.is_empty() {
        tried.lock(hosts, &holder).await;
    } else {
        tried.free.extend(hosts);
    }
    tried
}

impl Tried {
    async fn lock(&mut self, hosts: BTreeMap<HostName, Host>, holder: &Holder) {
        let mut locking = JoinSet::new();
        for (name, host) in hosts {
            let holder = holder.clone();
            locking.spawn(async move { (name, host.lock(&holder).await) });
        }
        for (name, locked) in locking.join_all().await {
            let refusal = match locked {
                Ok(host) => {
                    self.locks.locked.insert(name, host);
                    continue;
                }
                Err(refusal) => *refusal,
            };
            self.free.extend(refusal.host.map(|host| (name.clone(), host)));
            match refusal.error {
                HostError::Locked(holder) => drop(self.held.insert(name, holder)),
                error => drop(self.locks.lost.insert(name, error)),
            }
        }
    }
}

/// Lets them go, side by side. One that can't be told lets go by itself.
pub(super) async fn release(locked: BTreeMap<HostName, Locked>) -> BTreeMap<HostName, Host> {
    let mut unlocking = JoinSet::new();
    for (name, host) in locked {
        unlocking.spawn(async move { host.unlock().await.ok().map(|host| (name, host)) });
    }
    unlocking.join_all().await.into_iter().flatten().collect()
}

/// Who we are, for others who want the hosts.
fn holder() -> Holder {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    // Pipelines and cron needn't set either.
    let id = || Command::new("id").arg("-un").output().ok().filter(|output| output.status.success());
    let user = user.or_else(|| id().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()));
    let user = user.unwrap_or_else(|| "somebody".to_owned());
    let machine = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    Holder {
        who: format!("{user}@{}", machine.trim()),
        pid: std::process::id(),
        command: "spore apply".to_owned(),
        since: String::new(),
    }
}
