//! What the receipts on the hosts say about a plan, and the receipts that an apply leaves.

use super::Unplanned;
use super::host::HostPart;
use crate::facts::receipt::{After, ApplyRecord, Origin, Receipt};
use crate::facts::roster::RosterHost;
use crate::resource::{HostName, ResourceId, ResourceKey};
use std::collections::BTreeMap;

/// A host's receipt, as far as it concerns a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReceipt {
    /// The applies that the receipt names, the latest first; none if the host has no receipt.
    pub applies: Vec<ApplyRecord>,
    /// Whether a later apply has begun there, and hasn't left a receipt.
    pub superseded: bool,
    /// The file name of the roster that the host has.
    pub roster: Option<String>,
    /// Where the changes of this host come from.
    pub origins: BTreeMap<ResourceKey, Origin>,
    /// Whether a receipt would say something new although nothing is to be changed on the host:
    /// it has none, or one that is superseded or is for another folder with the same meaning.
    pub is_due: bool,
}

impl HostReceipt {
    /// Whether there is no receipt that tells what the last apply has left.
    pub fn is_missing(&self) -> bool {
        self.applies.is_empty() || self.superseded
    }
}

/// A host that is no longer in the folder, but is in the roster of the newest receipt.
#[derive(Clone, Debug)]
pub struct Forgotten {
    /// The host's name.
    pub host: HostName,
    /// What the roster says of it.
    pub roster: RosterHost,
    /// Why it couldn't be asked whether it still has anything of the network; `None` if it has.
    pub unreachable: Option<Vec<Unplanned>>,
    /// Whether the plan retires it. A host that can't be reached is only dropped from the roster.
    pub pruned: bool,
}

/// What a host's receipt says about its part of a plan. `None` if the host has no nodes.
///
/// `is_whole` says whether the plan covers everything that the folder describes. Otherwise only
/// the changed hosts get a receipt.
pub(super) fn of(part: &HostPart, is_whole: bool) -> Option<HostReceipt> {
    let has_nodes = part.desired.iter().next().is_some();
    let receipt = part.receipt.as_ref();
    let origin = |id: &ResourceId| match receipt {
        Some(receipt) => receipt.origin(id, &part.desired, &part.current),
        None => Origin::Unknown,
    };
    has_nodes.then(|| HostReceipt {
        applies: receipt.map(Receipt::applies).unwrap_or_default(),
        superseded: receipt.is_some_and(|receipt| receipt.superseded),
        roster: receipt.map(|receipt| receipt.roster.clone()),
        origins: part.changes.iter().map(|(id, _)| (id.key.clone(), origin(id))).collect(),
        is_due: is_whole && receipt.is_none_or(|receipt| !receipt.is_current(&part.desired)),
    })
}

/// The receipt of an apply that has left a host as it was found in `part`.
pub(super) fn new(
    network: &str,
    host: &HostName,
    part: &HostPart,
    apply: ApplyRecord,
    salt: String,
    roster: String,
) -> Option<Receipt> {
    part.desired.iter().next()?;
    let HostPart { desired, current, differing, .. } = part;
    let after = After { desired, current, differing };
    Some(Receipt::new(network, host, apply, salt, roster, part.receipt.as_ref(), after))
}
