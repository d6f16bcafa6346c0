//! Locks the hosts of an apply, so that no other apply changes them at the same time. The
//! entry points are [`take`] and [`release`].

use super::{CommandError, terminal};
use crate::plan::{Holder, HostError};
use crate::remote::{Connection, Locked, Locks};
use crate::render;
use crate::resource::{HostName, Printable, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The average pause between two attempts to lock the hosts.
const RETRY: Duration = Duration::from_secs(1);

/// The result of locking the hosts.
pub(super) enum Taken {
    /// Every host that is needed is locked or lost.
    Locked(Locks),
    /// Another apply had locked a host, and has released it since. No host is locked now.
    Waited,
}

/// Locks every host that is needed, or none. If another apply holds a host, releases
/// all others and tries again until `patience`. Other applies are shown `command` as the
/// holder's command, and the digest of its plan.
///
/// # Errors
/// If another apply still holds a host at `patience`. Nothing was changed then.
pub(super) async fn take(
    mut hosts: BTreeMap<HostName, Connection>,
    needed: &BTreeSet<&HostName>,
    command: &str,
    digest: Sha256,
    patience: Instant,
) -> miette::Result<Taken> {
    hosts.retain(|name, _| needed.contains(name));
    let mut waited = false;
    loop {
        let Tried { locks, held, free } = try_all(hosts, &holder(command, digest)).await;
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
        let why = render::host_error(&error);
        if Instant::now() >= patience {
            let help = format!("{}; `--lock-wait SECONDS` waits for it", render::host_help(&error));
            return Err(CommandError::new(format!("{name}: {why}; nothing was changed"), help).into());
        }
        if !waited {
            terminal::note(&format!("{name}: {why}; waiting for it"));
        }
        waited = true;
        // The pause is random, so that two applies don't collide repeatedly.
        let uneven = RandomState::new().hash_one(name) % 1000;
        tokio::time::sleep(RETRY / 2 + Duration::from_millis(uneven)).await;
    }
}

/// The result of one attempt to lock all hosts.
#[derive(Default)]
struct Tried {
    locks: Locks,
    held: BTreeMap<HostName, Holder>,
    /// The hosts that aren't locked and are still connected.
    free: BTreeMap<HostName, Connection>,
}

/// Locks the first host alone, then the others in parallel. If two applies want the same
/// hosts at the same time, the one that locks the first host gets all of them.
async fn try_all(mut hosts: BTreeMap<HostName, Connection>, holder: &Holder) -> Tried {
    let mut tried = Tried::default();
    if let Some(first) = hosts.pop_first() {
        tried.lock(BTreeMap::from([first]), holder).await;
    }
    if tried.held.is_empty() {
        tried.lock(hosts, holder).await;
    } else {
        tried.free.extend(hosts);
    }
    tried
}

impl Tried {
    async fn lock(&mut self, hosts: BTreeMap<HostName, Connection>, holder: &Holder) {
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
            self.free.extend(refusal.connection.map(|connection| (name.clone(), connection)));
            match refusal.error {
                HostError::Locked(holder) => drop(self.held.insert(name, holder)),
                error => drop(self.locks.lost.insert(name, error)),
            }
        }
    }
}

/// Releases the locks in parallel, and returns the hosts that are still connected. A host
/// that can't be reached releases its lock when it misses the heartbeat.
pub(super) async fn release(locked: BTreeMap<HostName, Locked>) -> BTreeMap<HostName, Connection> {
    let mut unlocking = JoinSet::new();
    for (name, host) in locked {
        unlocking.spawn(async move { host.unlock().await.ok().map(|host| (name, host)) });
    }
    unlocking.join_all().await.into_iter().flatten().collect()
}

/// Describes this apply to other applies that want the same hosts.
fn holder(command: &str, digest: Sha256) -> Holder {
    Holder {
        who: who(),
        pid: std::process::id(),
        command: Printable::line(command),
        plan: Printable::composed(digest.to_string()),
        since: Printable::default(),
    }
}

/// Who runs this command: `user@machine`.
pub(super) fn who() -> Printable {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    // Pipelines and cron may set neither variable.
    let id = || Command::new("id").arg("-un").output().ok().filter(|output| output.status.success());
    let user = user.or_else(|| id().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()));
    let user = user.unwrap_or_else(|| "unknown user".to_owned());
    let machine = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    Printable::line(&format!("{user}@{}", machine.trim()))
}
