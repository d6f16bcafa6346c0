//! The locks of an apply: no other apply works on any of the same hosts.

use super::{CommandError, terminal};
use crate::plan::{Holder, HostError, Plan};
use crate::remote::{Connection, Locked, Locks};
use crate::render;
use crate::resource::{HostName, Printable};
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Roughly how often to check whether a host has been unlocked.
const RETRY: Duration = Duration::from_secs(1);

/// The result of locking the hosts.
pub(super) enum Taken {
    /// Every host that the plan needs is locked, or lost.
    Locked(Locks),
    /// Another apply had locked one, and has released it since. None is locked now.
    Waited,
}

/// Locks every host that the plan needs for itself. If another apply holds one of them,
/// all are released, and this waits for that one until `patience` ends. `command` tells
/// other applies what is running.
///
/// # Errors
/// If another apply holds one for longer; nothing was changed then.
pub(super) async fn take(
    mut hosts: BTreeMap<HostName, Connection>,
    plan: &Plan,
    command: &str,
    patience: Instant,
) -> miette::Result<Taken> {
    let needed = plan.hosts();
    hosts.retain(|name, _| needed.contains(name));
    let mut waited = false;
    loop {
        let Tried { locks, held, free } = try_all(hosts, command).await;
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
        // A random pause, so that two applies don't collide again and again.
        let uneven = RandomState::new().hash_one(name) % 1000;
        tokio::time::sleep(RETRY / 2 + Duration::from_millis(uneven)).await;
    }
}

/// The result of one attempt.
#[derive(Default)]
struct Tried {
    locks: Locks,
    held: BTreeMap<HostName, Holder>,
    /// Not locked, and still connected.
    free: BTreeMap<HostName, Connection>,
}

/// The first host alone, then the others in parallel: if two applies want the same
/// hosts at the same moment, one of them gets all.
async fn try_all(mut hosts: BTreeMap<HostName, Connection>, command: &str) -> Tried {
    let holder = holder(command);
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

/// Releases them in parallel. A host that can't be reached releases its lock itself.
pub(super) async fn release(locked: BTreeMap<HostName, Locked>) -> BTreeMap<HostName, Connection> {
    let mut unlocking = JoinSet::new();
    for (name, host) in locked {
        unlocking.spawn(async move { host.unlock().await.ok().map(|host| (name, host)) });
    }
    unlocking.join_all().await.into_iter().flatten().collect()
}

/// Who we are, for other applies that want these hosts.
fn holder(command: &str) -> Holder {
    let user = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    // Pipelines and cron may set neither.
    let id = || Command::new("id").arg("-un").output().ok().filter(|output| output.status.success());
    let user = user.or_else(|| id().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()));
    let user = user.unwrap_or_else(|| "unknown user".to_owned());
    let machine = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    Holder {
        who: Printable::line(&format!("{user}@{}", machine.trim())),
        pid: std::process::id(),
        command: Printable::line(command),
        since: Printable::default(),
    }
}
