//! Puts what receipts say into words.

use super::plan::counted_list;
use crate::facts::receipt::{ApplyRecord, Compared, Receipt};
use crate::resource::HostName;

/// A host that was compared with its receipt, if it has one: a line for each thing to say. Empty if
/// the host is as the apply has left it.
pub fn verified(host: &HostName, compared: Option<&(&Receipt, Compared<'_>)>) -> String {
    let Some((receipt, Compared { changed, unknown })) = compared else {
        return format!("{host}: unknown, because it has no receipt of an apply\n");
    };
    let at = &receipt.apply.at;
    if receipt.superseded {
        return format!(
            "{host}: unknown, because an apply has begun since that of {at} and hasn't left a receipt\n"
        );
    }
    let line = |what: String, names: &[&str]| match names.is_empty() {
        true => String::new(),
        false => format!("{host}: {what}: {}\n", counted_list(names.iter().map(|name| (*name).to_owned()))),
    };
    line(format!("not as the apply of {at} left it"), changed)
        + &line("can't be compared".to_owned(), unknown)
}

/// The applies that a host's receipt names, the latest first: one line for each.
pub fn history(host: &HostName, applies: &[ApplyRecord]) -> String {
    let line = |ApplyRecord { at, by, plan, spore }: &ApplyRecord| {
        format!("{host}  {at}  {by}  plan {:.12}  spore {spore}\n", plan.to_string())
    };
    applies.iter().map(line).collect()
}
