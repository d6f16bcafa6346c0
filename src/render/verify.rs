//! Puts what receipts say into words.

use super::plan::counted_list;
use crate::facts::receipt::{ApplyRecord, Receipt};
use crate::resource::HostName;

/// Compares a host with its receipt: one line for each resource that differs. `differing` has
/// the names of these resources.
pub fn verified(host: &HostName, receipt: &Receipt, differing: &[&str]) -> String {
    if differing.is_empty() {
        return String::new();
    }
    let names = counted_list(differing.iter().map(|name| (*name).to_owned()));
    format!("{host}: not as the apply of {} left it: {names}\n", receipt.apply.at)
}

/// The applies that a host's receipt names, the latest first: one line for each.
pub fn history(host: &HostName, applies: &[ApplyRecord]) -> String {
    let line = |ApplyRecord { at, by, plan, spore }: &ApplyRecord| {
        format!("{host}  {at}  {by}  plan {:.12}  spore {spore}\n", plan.to_string())
    };
    applies.iter().map(line).collect()
}
