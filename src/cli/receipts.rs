//! Leaves receipts on hosts after an apply.

use super::lock;
use super::survey::Basis;
use crate::daemon::Daemon;
use crate::facts::receipt::ApplyRecord;
use crate::facts::roster::Roster;
use crate::identity::SwarmKey;
use crate::plan::{Plan, Wrong};
use crate::remote::Locked;
use crate::resource::{HostName, Printable, Sha256, timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// Leaves a receipt on each locked host on which the plan leaves one. `basis` has what was found
/// after the apply, `roster` is that of the plan made from it, and `digest` is that of the plan
/// that was applied. Returns what went wrong, by host.
///
/// A host that can't be reached any more is removed from `hosts`.
pub(super) async fn leave(
    plan: &Plan,
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
    let wanted = plan.leaves_receipts_on();
    let shared = Arc::new(roster.clone());
    let mut writing = JoinSet::new();
    for (name, receipt) in basis.receipts(&apply, roster, salt) {
        if wanted.contains(&name)
            && let Some(mut host) = hosts.remove(&name)
        {
            let roster = Arc::clone(&shared);
            writing.spawn(async move {
                let mut written = Ok(Ok(()));
                for daemon in Daemon::ALL {
                    written = host.leave(daemon.receipt(), &receipt, &roster).await;
                    if !matches!(written, Ok(Ok(()))) {
                        break;
                    }
                }
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
