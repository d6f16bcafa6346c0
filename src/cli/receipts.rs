//! What follows an apply: checks what it has achieved, and leaves receipts. The entry points are
//! [`check`], and [`Record::leave`] for hosts that need a receipt, but no change.

use super::survey::Basis;
use super::{CommandError, Exit, lock, terminal};
use crate::facts::receipt::ApplyRecord;
use crate::facts::roster::Roster;
use crate::identity::SwarmKey;
use crate::plan::{Applied, HostFailure, Plan, Wrong};
use crate::remote::{Locked, Locks, Stop};
use crate::render;
use crate::resource::{HostName, Printable, Sha256, timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// How long releasing the locks may take after an interrupt.
pub(super) const RELEASE: Duration = Duration::from_secs(5);

/// Plans again after an apply, and leaves a receipt on each host whose part is complete, whatever
/// has become of the others. Adds what went wrong to `applied`. After a `stop`, each step may take
/// as long as `grace`.
///
/// # Errors
/// If there is no plan, so that the result isn't known.
pub(super) async fn check(
    (plan, digest): (&Plan, Sha256),
    applied: &mut Applied,
    basis: &mut Basis,
    hosts: &mut BTreeMap<HostName, Locked>,
    (stop, grace): (&Stop, Duration),
) -> Result<(), CommandError> {
    let is_complete = applied.is_complete(plan);
    let mut wanted = applied.complete_hosts(plan, plan.leaves_receipts_on());
    // What is left to do on a host whose part isn't complete doesn't matter here.
    let mut rest = BTreeMap::new();
    if !is_complete {
        rest = std::mem::take(hosts);
        hosts.extend(rest.extract_if(.., |host, _| wanted.contains(host)));
    }
    if is_complete || !hosts.is_empty() {
        let Some(again) = stop.wait(grace, basis.again(hosts)).await else {
            // The hosts didn't answer in time, so what is left to do isn't known.
            applied.interrupted = true;
            return Ok(());
        };
        let again = again?;
        if is_complete {
            applied.compare(plan, &again);
        }
        wanted = applied.complete_hosts(plan, wanted.iter().filter(|host| is_done(&again, host)));
        let roster = basis.roster_after(&again, applied.is_complete(plan));
        match stop.wait(grace, leave(&wanted, digest, &roster, basis, hosts)).await {
            Some(failed) => applied.failed.extend(
                failed
                    .into_iter()
                    .map(|(host, what)| (host, HostFailure { action: None, change: None, what })),
            ),
            // Not every host may have its receipt.
            None => applied.interrupted = true,
        }
    }
    hosts.extend(rest);
    Ok(())
}

/// Whether a plan that was made after an apply leaves nothing to do on a host.
fn is_done(again: &Plan, host: &HostName) -> bool {
    !again.changes_host(host) && !again.unplanned.contains_key(host)
}

/// How an apply ended that has changed nothing on any host.
pub(super) struct Unchanged {
    pub(super) exit: Exit,
    /// The last line.
    pub(super) line: String,
}

impl Unchanged {
    /// The apply ended before it began, for this reason.
    pub(super) fn failed(exit: Exit, why: &str) -> Self {
        Self { exit, line: format!("apply: {why}; nothing was changed") }
    }

    /// The same, after keys were generated before the plan.
    pub(super) fn but(self, done: &str) -> Self {
        let line = self.line.replace("nothing was changed", "nothing else was changed");
        Self { line: format!("{line}; before that: {done}"), ..self }
    }

    /// There was nothing to do, as far as the plan reaches. `is_applied` says whether that is
    /// because the plan was applied before, and `receipts` what has become of receipts.
    pub(super) fn new(plan: &Plan, is_applied: bool, receipts: Option<String>) -> Self {
        let (exit, outcome) = match (plan.reaches_everything(), is_applied) {
            (true, false) => (Exit::Done, "nothing to do"),
            (true, true) => (Exit::Done, "already applied; nothing to do"),
            (false, false) => (Exit::Failed, "nothing was changed"),
            (false, true) => (Exit::Failed, "the rest is already applied"),
        };
        let mut parts = render::not_reached(plan);
        parts.push(outcome.to_owned());
        parts.extend(receipts);
        Self { exit, line: format!("apply: {}", parts.join("; ")) }
    }
}

/// Hosts that need no change, but on which an apply leaves receipts.
pub(super) struct Record {
    pub(super) plan: Plan,
    /// Whether the plan was applied before.
    pub(super) is_applied: bool,
    /// The digest of the plan's file.
    pub(super) digest: Sha256,
    pub(super) basis: Basis,
    pub(super) due: BTreeSet<HostName>,
}

impl Record {
    /// Leaves the receipts, and releases the hosts.
    pub(super) async fn leave(self, locks: Locks) -> Unchanged {
        let Self { plan, is_applied, digest, mut basis, due } = self;
        let Locks { locked: mut hosts, lost } = locks;
        let mut failed: BTreeMap<HostName, Wrong> =
            lost.into_iter().map(|(host, error)| (host, Wrong::Host(Arc::new(error)))).collect();
        let mut recorded = BTreeSet::new();
        // The hosts may have changed since they were probed without a lock.
        match basis.again(&mut hosts).await {
            Ok(again) => {
                recorded = due.iter().filter(|host| is_done(&again, host)).cloned().collect();
                if recorded.len() < due.len() {
                    terminal::note("the hosts have changed since the plan; see `spore plan`");
                }
                let roster = basis.roster_after(&again, again.is_empty());
                failed.extend(leave(&recorded, digest, &roster, &basis, &mut hosts).await);
            }
            Err(error) => terminal::error(&error.into()),
        }
        let _ = tokio::time::timeout(RELEASE, lock::release(hosts)).await;
        for (host, what) in &failed {
            terminal::out(&render::failure(host, what));
        }
        recorded.retain(|host| !failed.contains_key(host));
        if recorded.len() < due.len() {
            let line = "apply: nothing was changed; not every host has a receipt".to_owned();
            return Unchanged { exit: Exit::Failed, line };
        }
        let wrote = format!("wrote receipts on {}", render::counted(recorded.len(), "host"));
        Unchanged::new(&plan, is_applied, Some(wrote))
    }
}

/// Leaves a receipt on each of the hosts in `wanted` that is locked. `basis` has what was found
/// after the apply, `roster` is the one to leave, and `digest` is that of the plan that was
/// applied. Returns what went wrong, by host.
///
/// A host that can't be reached any more is removed from `hosts`.
async fn leave(
    wanted: &BTreeSet<HostName>,
    digest: Sha256,
    roster: &Roster,
    basis: &Basis,
    hosts: &mut BTreeMap<HostName, Locked>,
) -> BTreeMap<HostName, Wrong> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let apply = ApplyRecord {
        at: Printable::composed(timestamp(now)),
        by: lock::who(),
        plan: Printable::composed(digest.to_string()),
        spore: env!("CARGO_PKG_VERSION").into(),
    };
    let shared = Arc::new(roster.clone());
    let mut writing = JoinSet::new();
    for (name, receipt) in basis.receipts(&apply, roster, salt) {
        if wanted.contains(&name)
            && let Some(mut host) = hosts.remove(&name)
        {
            let roster = Arc::clone(&shared);
            writing.spawn(async move {
                let written = host.leave(&receipt, &roster).await;
                (name, host, written)
            });
        }
    }
    let mut failed = BTreeMap::new();
    for (name, host, written) in writing.join_all().await {
        let wrong = match written {
            Ok(Ok(())) => None,
            Ok(Err(said)) => Some(Wrong::Receipt(said)),
            Err(error) => {
                failed.insert(name, Wrong::Host(Arc::new(error)));
                continue;
            }
        };
        hosts.insert(name.clone(), host);
        failed.extend(wrong.map(|wrong| (name, wrong)));
    }
    failed
}

/// Random hexadecimal digits.
fn salt() -> String {
    // Reuses the generator of keys for its randomness.
    format!("{:.32}", Sha256::of(SwarmKey::generate().line().expose()).to_string())
}
